/** One run of our re-encryption, to be stopped dead at a chosen write: called, or as a process of its own (`reencrypt-program.ts JSON`), which kills itself. */

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { ByteDisk } from '../../src/core/byte-disk.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { openFileDisk } from '../../src/devices/byte-disk.ts';
import { readHeader } from '../../src/formats/luks2/read-header.ts';
import * as reencrypt from '../../src/formats/luks2/reencrypt/reencrypt.ts';
import { recoverReencrypt, runReencrypt } from '../../src/formats/luks2/reencrypt/run.ts';
import type {
  ReencryptDisks,
  ReencryptKeys,
  ReencryptTuning,
  RunOptions,
} from '../../src/formats/luks2/reencrypt/types.ts';

export interface Order {
  do: 'encrypt' | 'decrypt' | 'decrypt-shifted' | 'change' | 'run' | 'recover';
  data: string;
  /** Default: in front of the data. */
  header?: string;
  /** Files with volume keys. */
  oldKey?: string;
  newKey?: string;
  newDigest?: number;
  cipher?: string;
  sectorBytes?: number;
  reduceBytes?: number;
  shiftBytes?: number;
  tuning?: ReencryptTuning;
  /** The end comes in the middle of that write, counted from 1. */
  stopAtWrite?: number;
  /** Stopped politely, behind the hot zone that reaches it. */
  stopAfterBytes?: number;
  /** Of that write, how much is still done. */
  tornAtBytes?: number;
}

export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Disks that share one count of writes. */
class Stopper {
  readonly #order: Order;
  readonly #stop: () => void;
  #writeCount = 0;

  constructor(order: Order, stop: () => void) {
    this.#order = order;
    this.#stop = stop;
  }

  wrap(disk: ByteDisk): ByteDisk {
    const { name, sizeBytes, sectorBytes, readOnly } = disk;
    const alive = () => {
      const { stopAtWrite } = this.#order;
      if (stopAtWrite !== undefined && this.#writeCount >= stopAtWrite) this.#end();
    };
    return {
      ...{ name, sizeBytes, sectorBytes, readOnly },
      read: async (offsetBytes, lengthBytes) => {
        alive();
        return await disk.read(offsetBytes, lengthBytes);
      },
      write: async (offsetBytes, bytes) => {
        alive();
        this.#writeCount += 1;
        const { stopAtWrite, tornAtBytes = 0 } = this.#order;
        if (this.#writeCount !== stopAtWrite) return await disk.write(offsetBytes, bytes);
        await disk.write(offsetBytes, bytes.subarray(0, tornAtBytes));
        this.#end();
      },
      flush: async () => {
        alive();
        await disk.flush();
      },
    };
  }

  #end(): never {
    this.#stop();
    throw new Stopped('stopped at the chosen write');
  }
}

const keyIn = (path: string | undefined) =>
  path === undefined ? null : Secret.from(readFileSync(path));

/** Whether the volume is in no re-encryption any more. `stop` is called at the chosen write. */
export async function obey(order: Order, stop: () => void = () => undefined): Promise<boolean> {
  const open = (path: string) => openFileDisk(path, { readOnly: false, lock: 'none' });
  await using dataFile = await open(order.data);
  await using headerFile = await open(order.header ?? order.data);
  const stopper = new Stopper(order, stop);
  const data = stopper.wrap(dataFile);
  const header = order.header === undefined ? data : stopper.wrap(headerFile);
  const disks = { header, data };
  const keys = { old: keyIn(order.oldKey), new: keyIn(order.newKey) };
  return await perform(order, disks, keys);
}

async function perform(order: Order, disks: ReencryptDisks, keys: ReencryptKeys): Promise<boolean> {
  const { header, data } = disks;
  const current = await readHeader(header);
  const tuning = order.tuning ?? {};
  switch (order.do) {
    case 'encrypt': {
      const { reduceBytes } = order;
      const shift = reduceBytes === undefined ? {} : { reduceBytes };
      const request = { ...tuning, ...shift, volumeKey: keys.new! };
      const begun = await reencrypt.beginEncrypt(disks, current, request);
      if (reduceBytes !== undefined) await reencrypt.placeHeader(header, data, begun);
      return false;
    }
    case 'decrypt':
      await reencrypt.beginDecrypt(disks, current, { ...tuning, volumeKey: keys.old! });
      return false;
    case 'decrypt-shifted':
      await reencrypt.beginDecryptShifted(disks, current, { ...tuning, volumeKey: keys.old! });
      return false;
    case 'change':
      await reencrypt.beginReencrypt(disks, current, {
        ...tuning,
        ...(order.shiftBytes !== undefined && { shiftBytes: order.shiftBytes }),
        ...(order.cipher !== undefined && { cipher: order.cipher }),
        ...(order.sectorBytes !== undefined && { sectorBytes: order.sectorBytes }),
        oldKey: keys.old!,
        newKey: keys.new!,
        newDigest: order.newDigest!,
      });
      return false;
    case 'recover':
      await recoverReencrypt({ disks, header: current, keys });
      return false;
    case 'run': {
      const context = { disks, header: current, keys };
      return (await runReencrypt(context, { ...tuning, ...politely(order) })).result === 'finished';
    }
  }
}

function politely({ stopAfterBytes }: Order): RunOptions {
  if (stopAfterBytes === undefined) return {};
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onProgress: ({ doneBytes }) => {
      if (doneBytes >= stopAfterBytes) controller.abort();
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const order = JSON.parse(process.argv[2] ?? '{}') as Order;
  await obey(order, () => process.kill(process.pid, 'SIGKILL'));
}
