/** Images whose re-encryption we interrupted, killed or finished, and what a kernel with cryptsetup is asked about them. */

import { createHash, randomFillSync } from 'node:crypto';
import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Order, obey, Stopped } from '../interop/reencrypt-program.ts';
import { succeed } from '../interop/serve-process.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = 3 * MIB;
const HOTZONE_BYTES = 256 * 1024;
const costs = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', '-q'];
const layout = ['--luks2-keyslots-size', String(MIB - 32 * 1024), '--sector-size', '512'];

const stages = ['half', 'crashed', 'finished'] as const;
type Stage = (typeof stages)[number];

/** In the middle of the data of some hot zone: its checksums and two headers are written before. */
const CRASH_AT_WRITE = 8;

/** What the kernel shall say of an image: how many rows its table has. */
export interface StagedImage {
  path: string;
  rowCount: number;
}

export class ReencryptImages {
  readonly #folder: string;
  readonly #plain = randomFillSync(new Uint8Array(DATA_BYTES));

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

  /** Of the plain text that is in all of them. */
  get hash(): string {
    return createHash('sha256').update(this.#plain).digest('hex');
  }

  /** Each kind of re-encryption at each stage, made from one that has just begun. */
  async make(): Promise<StagedImage[]> {
    const images: StagedImage[] = [];
    await this.#encrypted('encrypt');
    for (const [index, stage] of stages.entries()) {
      const name = `encrypt-${stage}`;
      copyFileSync(this.path('encrypt'), this.path(name));
      await this.#run({ do: 'run', data: this.path(name), newKey: this.path('old') }, stage);
      images.push({ path: this.path(name), rowCount: [3, 2, 1][index]! });
    }
    await this.#changing('change', 'encrypt-finished');
    for (const [index, stage] of stages.entries()) {
      const name = `change-${stage}`;
      copyFileSync(this.path('change'), this.path(name));
      await this.#runChange(name, stage);
      images.push({ path: this.path(name), rowCount: [2, 2, 1][index]! });
    }
    return images;
  }

  /** What the kernel's cryptsetup recovered. */
  async finishChange(stage: 'half' | 'crashed'): Promise<void> {
    await this.#runChange(`change-${stage}`, 'finished');
  }

  #cryptsetup(...args: string[]): Promise<unknown> {
    return succeed('cryptsetup', ...args, '--key-file', this.path('pw'), ...costs);
  }

  async #format(key: string, offsetBytes: number, ...where: string[]): Promise<void> {
    const keys = ['--volume-key-file', this.path(key), '--key-size', '512'];
    const offset = ['--offset', String(offsetBytes / 512)];
    await this.#cryptsetup(
      'luksFormat',
      '--type',
      'luks2',
      ...layout,
      ...offset,
      ...keys,
      ...where,
    );
  }

  /** Plain data become a volume with its header in front. */
  async #encrypted(name: string): Promise<void> {
    const data = this.path(name);
    const header = this.path(`${name}-header`);
    writeFileSync(data, this.#plain);
    truncateSync(data, DATA_BYTES + 2 * MIB);
    writeFileSync(header, new Uint8Array(MIB));
    await this.#format('old', MIB, '--header', header, data);
    await obey({ do: 'encrypt', data, header, newKey: this.path('old'), reduceBytes: 2 * MIB });
  }

  /** The volume gets another key. */
  async #changing(name: string, from: string): Promise<void> {
    const data = this.path(name);
    copyFileSync(this.path(from), data);
    const newKey = ['--volume-key-file', this.path('new'), '--key-size', '512'];
    await this.#cryptsetup('luksAddKey', '--unbound', ...newKey, data, this.path('pw'));
    await obey({ ...this.#change(data), do: 'change', newDigest: 1 });
  }

  #change(data: string): Order {
    return { do: 'run', data, oldKey: this.path('old'), newKey: this.path('new') };
  }

  #runChange(name: string, stage: Stage): Promise<void> {
    const tuning = { hotzoneBytes: HOTZONE_BYTES };
    return this.#run({ ...this.#change(this.path(name)), tuning }, stage);
  }

  async #run(order: Order, stage: Stage): Promise<void> {
    await obey({ ...order, ...limitsOf(stage) }).catch((error: unknown) => {
      if (!(error instanceof Stopped)) throw error;
    });
  }
}

/** How far each image of `stages` goes. */
function limitsOf(stage: Stage): Partial<Order> {
  if (stage === 'half') return { stopAfterBytes: MIB };
  if (stage === 'crashed') return { stopAtWrite: CRASH_AT_WRITE, tornAtBytes: 70 * 512 };
  return {};
}

/** Of the disk's plain text, and of the rows that map it: a line each. */
export const openScript = (images: readonly StagedImage[]) => `
cp /share/pw /tmp/pw
for disk in ${images.map((_, index) => diskName(index)).join(' ')}; do
  cryptsetup open --key-file /tmp/pw $disk plain || echo "cannot open"
  echo "$disk $(head -c ${DATA_BYTES} /dev/mapper/plain | sha256sum | cut -d' ' -f1) $(dmsetup table plain | wc -l)"
  cryptsetup close plain
done`;

export function expectedLines(images: readonly StagedImage[], hash: string): string[] {
  return images.map(({ rowCount }, index) => `${diskName(index)} ${hash} ${rowCount}`);
}

const diskName = (index: number) => `/dev/vd${String.fromCharCode(97 + index)}`;
