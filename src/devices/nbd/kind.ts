/** NBD URIs in tables: connecting takes time, so `prepare` does it and `open` takes what is there. */

import { resolve } from 'node:path';
import { type Clock, systemClock, type Timer } from '../../base/clock.ts';
import { DmError } from '../../base/errors.ts';
import type { DeviceKind, LeafDevice, LeafOptions } from '../device-kind.ts';
import { NbdDevice } from './device.ts';
import { RemoteExport, type RemoteExportOptions } from './remote-export.ts';
import { formatNbdUri, looksLikeNbdUri, type NbdUri, parseNbdUri } from './uri.ts';

export interface NbdKindOptions
  extends Pick<
    RemoteExportOptions,
    'connectionCount' | 'timeoutMs' | 'connectTimeoutMs' | 'report' | 'connect'
  > {
  clock?: Clock;
}

/** A connection that nobody opens is given back after so long. */
const PREPARED_MS = 30_000;

export function nbdKind(options: NbdKindOptions = {}): DeviceKind {
  return new NbdKind(options);
}

class NbdKind implements DeviceKind {
  readonly #options: NbdKindOptions;
  readonly #clock: Clock;
  readonly #connecting = new Map<string, Promise<void>>();
  readonly #prepared = new Map<string, { remote: RemoteExport; timer: Timer }>();

  constructor(options: NbdKindOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  matches(operand: string): boolean {
    return looksLikeNbdUri(operand);
  }

  key(operand: string): string {
    return formatNbdUri(absoluteUri(operand));
  }

  prepare(operand: string): Promise<void> {
    const key = this.key(operand);
    const prepared = this.#prepared.get(key);
    if (prepared && !prepared.remote.failure) return Promise.resolve();
    const connecting = this.#connecting.get(key) ?? this.#connect(key, absoluteUri(operand));
    this.#connecting.set(key, connecting);
    return connecting;
  }

  async #connect(key: string, uri: NbdUri): Promise<void> {
    try {
      const { report } = this.#options;
      const remote = await RemoteExport.connect({
        ...this.#options,
        uri,
        clock: this.#clock,
        ...(report && { report: (message: string) => report(`${key}: ${message}`) }),
      });
      this.#drop(key);
      const timer = this.#clock.after(PREPARED_MS, () => this.#drop(key));
      this.#prepared.set(key, { remote, timer });
    } finally {
      this.#connecting.delete(key);
    }
  }

  open(operand: string, { number, readOnly }: LeafOptions): LeafDevice {
    const key = this.key(operand);
    const prepared = this.#prepared.get(key);
    if (!prepared) throw new DmError('ENXIO', `Cannot open ${key}: it is not connected`);
    try {
      const device = new NbdDevice(prepared.remote, { number, readOnly });
      prepared.timer.cancel();
      this.#prepared.delete(key);
      return device;
    } catch (error) {
      this.#drop(key);
      throw error;
    }
  }

  #drop(key: string): void {
    const prepared = this.#prepared.get(key);
    if (!prepared) return;
    prepared.timer.cancel();
    this.#prepared.delete(key);
    void prepared.remote.close();
  }
}

/** Paths in it as this process sees them now, so that it means the same when a printed table is loaded elsewhere. */
function absoluteUri(operand: string): NbdUri {
  const uri = parseNbdUri(operand);
  const { address, tls } = uri;
  const absolute = (path: string) => (path.startsWith('\0') ? path : resolve(path));
  return {
    ...uri,
    address: address.kind === 'unix' ? { kind: 'unix', path: absolute(address.path) } : address,
    tls: tls && {
      ...tls,
      ...(tls.certificates !== undefined && { certificates: absolute(tls.certificates) }),
      ...(tls.pskFile !== undefined && { pskFile: absolute(tls.pskFile) }),
    },
  };
}
