/** Mapped devices over a disk that answers at once, and the loop that sends bios through them. */

import type { Clock } from '../../src/base/clock.ts';
import { createPrng } from '../../src/base/prng.ts';
import { SECTOR_BYTES } from '../../src/base/units.ts';
import { type Bio, NO_DATA, Op, recycleBio, takeBio } from '../../src/core/bio.ts';
import type { BlockDevice } from '../../src/core/device.ts';
import { DEFAULT_LIMITS } from '../../src/core/limits.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { Mapper } from '../../src/core/mapper.ts';
import { parseTable } from '../../src/core/table-text.ts';
import { createTargetRegistry, type TargetType } from '../../src/core/target.ts';
import { linear } from '../../src/targets/linear.ts';
import type { Repeat } from './measure.ts';

/** Ends every bio at once: what is left is the cost of the way there. */
export class NullDevice implements BlockDevice {
  readonly number = { major: 240, minor: 0 };
  readonly operand = 'null';
  readonly sizeSectors = 2 ** 24;
  readonly limits = DEFAULT_LIMITS;
  readonly readOnly = false;

  submit(bio: Bio): void {
    bio.end(0);
  }
}

/** A target that only makes the core split: pieces of so many sectors, unmoved. */
const split: TargetType = {
  name: 'split',
  version: [1, 0, 0],
  usage: '<device> <chunk sectors>',
  summary: 'splits every request',
  create(args, context) {
    const device = args.open(args.word('device'));
    const maxIoSectors = args.sectors('chunk', 'Invalid chunk size');
    return {
      maxIoSectors,
      map(bio) {
        bio.device = device;
        return 'remapped';
      },
      table: () => `${device.operand} ${maxIoSectors}`,
      devices: () => [{ device, startSectors: 0, lengthSectors: context.length }],
    };
  },
};

export class Volumes {
  readonly #mapper: Mapper;

  constructor(clock: Clock) {
    const device = new NullDevice();
    this.#mapper = new Mapper({
      registry: createTargetRegistry([linear, split]),
      opener: {
        prepare: () => Promise.resolve(),
        open: () => ({ device, release: () => undefined }),
      },
      clock,
    });
  }

  async create(name: string, table: string): Promise<MappedDevice> {
    const device = this.#mapper.create({ name });
    await this.#mapper.load(device, parseTable(table));
    await device.resume();
    return device;
  }

  /** The topmost of `depth` linear devices, each on the one before. */
  async createStack(name: string, depth: number, sectors: number): Promise<MappedDevice> {
    let operand = 'null';
    let top: MappedDevice | null = null;
    for (let level = 0; level < depth; level += 1) {
      top = await this.create(`${name}-${level}`, `0 ${sectors} linear ${operand} 0`);
      operand = `mapper/${name}-${level}`;
    }
    return top as MappedDevice;
  }
}

/** A table of equal linear rows. */
export function linearRows(count: number, sectors: number): string {
  // Whole pages, so that a 4 KiB request lies in one row.
  const length = Math.floor(sectors / count / 8) * 8;
  return Array.from({ length: count }, (_, index) => {
    return `${index * length} ${length} linear null ${index * length}`;
  }).join('\n');
}

const POSITION_COUNT = 1 << 16;
let endedCount = 0;

/** Ends a request as an export does: looks at the result and gives the bio back. */
function endRequest(bio: Bio): void {
  if (bio.error !== 0) throw new Error(`a bio failed with errno ${bio.error}`);
  endedCount += 1;
  recycleBio(bio);
}

/** Reads at random places, the same ones for every device of that size. */
export function reads(device: BlockDevice, lengthBytes: number): Repeat {
  const sectorCount = lengthBytes / SECTOR_BYTES;
  const last = Math.floor((device.sizeSectors - sectorCount) / 8);
  const prng = createPrng(1);
  const positions = Float64Array.from({ length: POSITION_COUNT }, () => prng.integer(0, last) * 8);
  return (count) => {
    const before = endedCount;
    for (let i = 0; i < count; i += 1) {
      const bio = takeBio();
      bio.op = Op.read;
      bio.device = device;
      bio.sector = positions[i & (POSITION_COUNT - 1)]!;
      bio.sectorCount = sectorCount;
      bio.data = NO_DATA;
      bio.dataOffset = 0;
      bio.onEnd = endRequest;
      device.submit(bio);
    }
    if (endedCount - before !== count) throw new Error('not every bio ended');
  };
}
