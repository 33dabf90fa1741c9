/** Images whose re-encryption we interrupted, killed or finished, opened by cryptsetup on a real kernel: the same plain text in all of them. */

import { createHash, randomFillSync } from 'node:crypto';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Order, obey, Stopped } from '../interop/reencrypt-program.ts';
import { succeed, temporaryFolder } from '../interop/serve-process.ts';
import { requireKernel, runInKernel } from './kernel.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = 3 * MIB;
const HOTZONE_BYTES = 256 * 1024;
const costs = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '-q'];
const layout = ['--luks2-keyslots-size', String(MIB - 32 * 1024), '--sector-size', '512'];

const stages = ['begun', 'half', 'crashed', 'finished'] as const;
/** In the middle of the data of some hot zone: its checksums and two headers are written before. */
const CRASH_AT_WRITE = 8;

class Images {
  readonly #folder: string;
  readonly plain = randomFillSync(new Uint8Array(DATA_BYTES));

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of ['old', 'new']) {
      writeFileSync(this.path(name), randomFillSync(new Uint8Array(64)));
    }
    writeFileSync(this.path('pw'), 'a passphrase');
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  get hash(): string {
    return createHash('sha256').update(this.plain).digest('hex');
  }

  cryptsetup(...args: string[]): Promise<unknown> {
    return succeed('cryptsetup', ...args, '--key-file', this.path('pw'), ...costs);
  }

  async format(key: string, offsetBytes: number, ...where: string[]): Promise<void> {
    const keys = ['--volume-key-file', this.path(key), '--key-size', '512'];
    const offset = ['--offset', String(offsetBytes / 512)];
    await this.cryptsetup('luksFormat', '--type', 'luks2', ...layout, ...offset, ...keys, ...where);
  }

  /** Plain data become a volume with its header in front. */
  async encrypted(name: string): Promise<void> {
    const data = this.path(name);
    const header = this.path(`${name}-header`);
    writeFileSync(data, this.plain);
    truncateSync(data, DATA_BYTES + 2 * MIB);
    writeFileSync(header, new Uint8Array(MIB));
    await this.format('old', MIB, '--header', header, data);
    await obey({ do: 'encrypt', data, header, newKey: this.path('old'), reduceBytes: 2 * MIB });
  }

  /** The volume gets another key. */
  async changing(name: string, from: string): Promise<void> {
    const data = this.path(name);
    copyFileSync(this.path(from), data);
    const newKey = ['--volume-key-file', this.path('new'), '--key-size', '512'];
    await this.cryptsetup('luksAddKey', '--unbound', ...newKey, data, this.path('pw'));
    await obey({ ...this.#change(data), do: 'change', newDigest: 1 });
  }

  #change(data: string): Order {
    return { do: 'run', data, oldKey: this.path('old'), newKey: this.path('new') };
  }

  async runChange(name: string, limits: Partial<Order>): Promise<void> {
    const tuning = { hotzoneBytes: HOTZONE_BYTES };
    await runUntilStopped({ ...this.#change(this.path(name)), tuning, ...limits });
  }

  async runEncrypt(name: string, limits: Partial<Order>): Promise<void> {
    const order: Order = { do: 'run', data: this.path(name), newKey: this.path('old') };
    await runUntilStopped({ ...order, ...limits });
  }
}

async function runUntilStopped(order: Order): Promise<void> {
  await obey(order).catch((error: unknown) => {
    if (!(error instanceof Stopped)) throw error;
  });
}

/** How far each image of `stages` goes. */
function limitsOf(stage: (typeof stages)[number]): Partial<Order> {
  if (stage === 'half') return { stopAfterBytes: MIB };
  if (stage === 'crashed') return { stopAtWrite: CRASH_AT_WRITE, tornAtBytes: 70 * 512 };
  return {};
}

const script = (disks: readonly string[]) => `
cp /share/pw /tmp/pw
for disk in ${disks.map((_, index) => `/dev/vd${String.fromCharCode(97 + index)}`).join(' ')}; do
  cryptsetup open --key-file /tmp/pw $disk plain || echo "cannot open"
  echo "$disk $(head -c ${DATA_BYTES} /dev/mapper/plain | sha256sum | cut -d' ' -f1) $(dmsetup table plain | wc -l)"
  cryptsetup close plain
done`;

requireKernel()('a real kernel', () => {
  test('opens what we left at any stage', async () => {
    using folder = temporaryFolder();
    const images = new Images(folder.path);
    const disks: string[] = [];
    for (const stage of stages) {
      const name = `encrypt-${stage}`;
      await images.encrypted(name);
      if (stage !== 'begun') await images.runEncrypt(name, limitsOf(stage));
      disks.push(name);
    }
    for (const stage of stages) {
      const name = `change-${stage}`;
      await images.changing(name, 'encrypt-finished');
      if (stage !== 'begun') await images.runChange(name, limitsOf(stage));
      disks.push(name);
    }
    const paths = disks.map((name) => images.path(name));
    const { stdout } = await runInKernel({
      script: script(disks),
      disks: paths,
      shareDir: folder.path,
    });
    const lines = stdout.trim().split('\n');
    const rows = [2, 3, 2, 1, 1, 2, 2, 1];
    expect(lines).toEqual(
      disks.map(
        (_, index) => `/dev/vd${String.fromCharCode(97 + index)} ${images.hash} ${rows[index]}`,
      ),
    );
    // What the kernel's cryptsetup recovered we finish.
    for (const name of ['change-half', 'change-crashed']) {
      await images.runChange(name, {});
      expect(readFileSync(images.path(name)).length).toBe(DATA_BYTES + 2 * MIB);
    }
  }, 300_000);
});
