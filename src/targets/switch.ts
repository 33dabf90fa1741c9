/**
 * switch: regions of fixed size, each on one of several paths, chosen by message. `<paths> <region> 0 [<device> <offset>]...`
 * Source: Documentation/admin-guide/device-mapper/switch.rst
 *
 * `set_region_mappings` takes, all numbers hexadecimal without a prefix:
 * - `<region>:<path>`, or `:<path>` for the region behind the one before it
 * - `R<n>,<m>`: the last n regions' paths again for the next m regions
 * What stands before a refused argument stays in force.
 */

import { DmError } from '../base/errors.ts';
import { type ArgumentReader, UINT_MAX } from '../core/arguments.ts';
import type { Bio } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import type { Target, TargetContext, TargetType } from '../core/target.ts';

/** So many paths fit into the one piece of memory (4 MiB) that the kernel keeps them in. */
const PATH_LIMIT = 262_141;
const TABLE_BYTES_LIMIT = 2 ** 30;

/** The path of every region, as few bits each as the number of paths takes. */
class RegionTable {
  readonly regionCount: number;
  readonly #slots: Uint32Array;
  readonly #bits: number;
  readonly #perSlot: number;

  /** Begins with the paths in turn. */
  constructor(regionCount: number, pathCount: number) {
    this.regionCount = regionCount;
    this.#bits = Math.max(1, 32 - Math.clz32(pathCount - 1));
    this.#perSlot = Math.floor(32 / this.#bits);
    const slotCount = Math.ceil(regionCount / this.#perSlot);
    const tableBytes = slotCount * Uint32Array.BYTES_PER_ELEMENT;
    if (tableBytes > TABLE_BYTES_LIMIT) {
      const detail = `${regionCount} regions take ${tableBytes} bytes, expected at most ${TABLE_BYTES_LIMIT}`;
      throw new DmError('ENOMEM', `Cannot allocate region table: ${detail}`);
    }
    this.#slots = new Uint32Array(slotCount);
    // So many slots hold the paths in turn a whole number of times, so the rest are copies.
    const period = Math.min(slotCount, pathCount);
    for (let region = 0; region < period * this.#perSlot; region += 1) {
      this.write(region, region % pathCount);
    }
    for (let done = period; done < slotCount; done *= 2) this.#slots.copyWithin(done, 0, done);
  }

  read(region: number): number {
    const slot = Math.floor(region / this.#perSlot);
    const shift = (region - slot * this.#perSlot) * this.#bits;
    return (this.#slots[slot]! >>> shift) & ((1 << this.#bits) - 1);
  }

  write(region: number, path: number): void {
    const slot = Math.floor(region / this.#perSlot);
    const shift = (region - slot * this.#perSlot) * this.#bits;
    const mask = ((1 << this.#bits) - 1) << shift;
    this.#slots[slot] = (this.#slots[slot]! & ~mask) | (path << shift);
  }
}

class Switch implements Target {
  readonly maxIoSectors: number;
  readonly #context: TargetContext;
  readonly #regionSectors: number;
  readonly #devices: BlockDevice[] = [];
  readonly #offsets: number[] = [];
  readonly #regions: RegionTable;

  constructor(args: ArgumentReader, context: TargetContext) {
    const paths = args.integer('paths', 'Invalid number of paths', { min: 1, max: PATH_LIMIT });
    const size = args.integer('region', 'Invalid region size', { min: 1, max: UINT_MAX });
    args.integer('options', 'Invalid number of optional args', { min: 0, max: 0 });
    args.expectCount(args.remaining === 2 * paths, 'Incorrect number of path arguments');
    for (let path = 0; path < paths; path += 1) {
      this.#devices.push(args.open(args.word('device')));
      this.#offsets.push(args.sectors('offset', 'Invalid device starting offset', { plus: true }));
    }
    this.#context = context;
    this.#regionSectors = size;
    this.#regions = new RegionTable(Math.ceil(context.length / size), paths);
    this.maxIoSectors = size;
  }

  map(bio: Bio): 'remapped' {
    const sector = bio.sector - this.#context.start;
    const path = this.#regions.read(Math.floor(sector / this.#regionSectors));
    bio.device = this.#devices[path]!;
    bio.sector = sector + this.#offsets[path]!;
    return 'remapped';
  }

  table(): string {
    const paths = this.#devices.map(({ operand }, path) => ` ${operand} ${this.#offsets[path]}`);
    return `${this.#devices.length} ${this.#regionSectors} 0${paths.join('')}`;
  }

  devices() {
    const lengthSectors = this.#context.length;
    return this.#devices.map((device, path) => {
      return { device, startSectors: this.#offsets[path]!, lengthSectors };
    });
  }

  message(argv: readonly string[]): undefined {
    const [name, ...mappings] = argv;
    if (name?.toLowerCase() !== 'set_region_mappings') {
      throw new DmError('EINVAL', `Unrecognised message received: "${argv.join(' ')}"`);
    }
    let region = 0;
    for (const text of mappings) region = this.#setMapping(text, region);
  }

  /** Carries out one argument, `last` being the region set before it; returns the region set last. */
  #setMapping(text: string, last: number): number {
    const repeat = REPEAT.exec(text);
    if (repeat) return this.#repeat(parseHex(repeat[1]!), parseHex(repeat[2]!), last);
    const single = SINGLE.exec(text);
    if (!single) {
      const expected = 'expected "[<region>]:<path>" or "R<n>,<m>" in hexadecimal';
      throw refusal(`argument: ${expected}, got "${text}"`);
    }
    const region = single[1] === '' ? last + 1 : parseHex(single[1]!);
    const path = parseHex(single[2]!);
    const { regionCount } = this.#regions;
    if (region >= regionCount) throw refusal(`region number: ${region} >= ${regionCount}`);
    if (path >= this.#devices.length) {
      throw refusal(`device: ${path} >= ${this.#devices.length}`);
    }
    this.#regions.write(region, path);
    return region;
  }

  #repeat(cycleLength: number, count: number, last: number): number {
    const regions = this.#regions;
    if (cycleLength === 0 || cycleLength - 1 > last) {
      throw refusal(`cycle length: expected 1 to ${last + 1}, got ${cycleLength}`);
    }
    if (last + count >= regions.regionCount) {
      throw refusal(`region number: ${last} + ${count} >= ${regions.regionCount}`);
    }
    for (let region = last + 1; region <= last + count; region += 1) {
      regions.write(region, regions.read(region - cycleLength));
    }
    return last + count;
  }
}

/** A path needs at least one character behind the colon, the last region's number too behind the comma. */
const SINGLE = /^([0-9a-f]*):([0-9a-f]+)$/i;
const REPEAT = /^R([0-9a-f]+),([0-9a-f]+)$/i;

/** As the kernel reads them, into 64 bits: what does not fit falls off in front. */
function parseHex(digits: string): number {
  return Number(`0x${digits.slice(-16)}`);
}

function refusal(problem: string): DmError {
  return new DmError(
    'EINVAL',
    `Cannot set region mappings: invalid set_region_mappings ${problem}`,
  );
}

/** Called `switchTarget` because `switch` is a word of the language. */
export const switchTarget: TargetType = {
  name: 'switch',
  version: [1, 1, 0],
  usage: '<paths> <region> 0 [<device> <offset>]...',
  summary: 'sends each region to one of several paths, chosen by message',
  create: (args, context) => new Switch(args, context),
};
