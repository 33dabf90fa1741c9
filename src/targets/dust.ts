/**
 * dust: linear with blocks that cannot be read until they are written. `<device> <offset> <block size in bytes>`
 * Source: Documentation/admin-guide/device-mapper/dm-dust.rst
 *
 * Blocks are counted from the start of the device below, not of the row. Which are bad is said by messages; it matters from `enable` on.
 *
 * Invariants
 * - While bad blocks count and there are any, every bio comes through `map`: who makes it so waits until no other thread passes by.
 * - A bio that fails reaches no device.
 */

import { DmError } from '../base/errors.ts';
import { bytesToSectors, SECTOR_BYTES } from '../base/units.ts';
import { type ArgumentReader, UINT_MAX } from '../core/arguments.ts';
import type { Bio } from '../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../core/device.ts';
import type { MapResult, PassThrough, Target, TargetContext, TargetType } from '../core/target.ts';
import { BadBlocks } from './dust-blocks.ts';

const MAX_BLOCK_BYTES = 2 ** 30;
const MAX_FAIL_COUNT = 255;

class Dust implements Target {
  /** Discards come whole: there may be many blocks in one. */
  readonly rangeBioCount = 1;
  readonly #context: TargetContext;
  readonly #device: BlockDevice;
  readonly #offset: number;
  readonly #blockSectors: number;
  readonly #blocks = new BadBlocks();
  #isEnabled = false;
  #isQuiet = false;

  constructor(args: ArgumentReader, context: TargetContext) {
    args.expectCount(args.count === 3);
    const operand = args.word('device');
    this.#offset = args.sectors('offset', 'Invalid device offset sector');
    this.#blockSectors = bytesToSectors(readBlockBytes(args, context.length));
    this.#device = args.open(operand, 'Device lookup failed', 'EINVAL');
    this.#context = context;
  }

  /** Bios are cut into blocks only while it makes a difference. */
  get maxIoSectors(): number {
    return this.#isChecking ? this.#blockSectors : Number.POSITIVE_INFINITY;
  }

  get #isChecking(): boolean {
    return this.#isEnabled && this.#blocks.count > 0;
  }

  map(bio: Bio): MapResult {
    bio.device = this.#device;
    bio.sector += this.#offset - this.#context.start;
    return this.#isChecking && this.#fails(bio) ? 'kill' : 'remapped';
  }

  /** A piece begins at a multiple of the block size in the row, so where `offset` is none it has parts of two blocks. */
  #fails(bio: Bio): boolean {
    const first = Math.floor(bio.sector / this.#blockSectors);
    const last = Math.floor((bio.sector + bio.sectorCount - 1) / this.#blockSectors);
    if (!bio.isWrite) return this.#blocks.hasAny(first, last);
    const healed = this.#blocks.write(first, last);
    if (healed === null) return true;
    if (healed.length > 0 && !this.#isQuiet) this.#context.report(healedText(healed));
    return false;
  }

  passThrough(): PassThrough | null {
    if (this.#isChecking) return null;
    const sectors = this.#offset - this.#context.start;
    return { device: this.#device, sectors, ops: 'all' };
  }

  async message(argv: readonly string[]): Promise<string | undefined> {
    const wasChecking = this.#isChecking;
    const reply = this.#perform(argv);
    if (this.#isChecking !== wasChecking) await this.#context.renewCopies();
    return reply;
  }

  /** What the number of words says comes first, as in the kernel, then the numbers, then the name. */
  #perform(argv: readonly string[]): string | undefined {
    const [name = '', blockWord, countWord] = argv;
    if (argv.length > 3) throw refusal(`invalid number of arguments '${argv.length}'`);
    if (blockWord === undefined) return this.#command(name);
    const block = readNumber('block', blockWord);
    const failCount = readNumber('write fail count', countWord ?? '0');
    if (failCount > MAX_FAIL_COUNT) {
      const detail = `expected at most ${MAX_FAIL_COUNT}, got ${failCount}`;
      throw refusal(`selected write fail count out of range: ${detail}`);
    }
    const limit = Math.floor(this.#device.sizeSectors / this.#blockSectors);
    // The block behind the last one is let through by the kernel too.
    if (block > limit) {
      throw refusal(`selected block value out of range: expected at most ${limit}, got ${block}`);
    }
    return this.#blockCommand(name, block, countWord === undefined ? null : failCount);
  }

  #command(name: string): string | undefined {
    switch (name.toLowerCase()) {
      case 'enable':
        this.#isEnabled = true;
        return undefined;
      case 'disable':
        this.#isEnabled = false;
        return undefined;
      case 'quiet':
        this.#isQuiet = !this.#isQuiet;
        return undefined;
      case 'countbadblocks':
        return `countbadblocks: ${this.#blocks.count} badblock(s) found`;
      case 'clearbadblocks':
        return `dust_clear_badblocks: ${this.#clear()}`;
      case 'listbadblocks':
        return this.#list();
      case 'addbadblock':
      case 'removebadblock':
      case 'queryblock':
        throw refusal(`${name} requires an additional argument`);
      default:
        throw unknownMessage(name);
    }
  }

  #clear(): string {
    const isEmpty = this.#blocks.count === 0;
    this.#blocks.clear();
    return isEmpty ? 'no badblocks found' : 'badblocks cleared';
  }

  #list(): string {
    const lines = this.#blocks.sorted().map((block) => `${block}\n`);
    return lines.length === 0 ? 'No blocks in badblocklist' : lines.join('');
  }

  /** `failCount` null: it was not given. */
  #blockCommand(name: string, block: number, failCount: number | null): string | undefined {
    const command = name.toLowerCase();
    if (command === 'addbadblock') {
      const isNew = this.#blocks.add(block, failCount ?? 0);
      if (!isNew) throw refusal(`block ${block} already in badblocklist`);
      return undefined;
    }
    if (failCount !== null) throw unknownMessage(name);
    if (command === 'removebadblock') {
      const wasThere = this.#blocks.remove(block);
      if (!wasThere) throw refusal(`block ${block} not found in badblocklist`);
      return undefined;
    }
    if (command !== 'queryblock') throw unknownMessage(name);
    const found = this.#blocks.has(block) ? 'found' : 'not found';
    return `dust_query_block: block ${block} ${found} in badblocklist`;
  }

  table(): string {
    const blockBytes = this.#blockSectors * SECTOR_BYTES;
    return `${this.#device.operand} ${this.#offset} ${blockBytes}`;
  }

  status(): string {
    const mode = this.#isEnabled ? 'fail_read_on_bad_block' : 'bypass';
    return `${this.#device.operand} ${mode} ${this.#isQuiet ? 'quiet' : 'verbose'}`;
  }

  devices(): DeviceRange[] {
    const { length } = this.#context;
    return [{ device: this.#device, startSectors: this.#offset, lengthSectors: length }];
  }
}

function healedText(blocks: readonly number[]): string {
  const others = blocks.length === 1 ? '' : ` and ${blocks.length - 1} more`;
  return `dust: block ${blocks[0]!}${others} removed from badblocklist by write`;
}

function readBlockBytes(args: ArgumentReader, rowSectors: number): number {
  const message = 'Invalid block size parameter';
  const bytes = args.integer('block size', message, { min: 1, max: UINT_MAX, plus: true });
  if (bytes < SECTOR_BYTES) {
    throw args.error(`Block size must be at least ${SECTOR_BYTES}`, `got ${bytes}`);
  }
  if (2 ** Math.floor(Math.log2(bytes)) !== bytes) {
    throw args.error('Block size must be a power of 2', `got ${bytes}`);
  }
  const limit = Math.min(MAX_BLOCK_BYTES, rowSectors * SECTOR_BYTES);
  if (bytes > limit) {
    throw args.error('Block size is too large', `expected at most ${limit} bytes, got ${bytes}`);
  }
  return bytes;
}

/** As sscanf's %llu: no sign, nothing behind it. */
function readNumber(what: string, text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw refusal(`expected the number of a ${what}, got "${text}"`);
  return value;
}

function unknownMessage(name: string): DmError {
  return refusal(`unrecognized message '${name}' received`);
}

function refusal(reason: string): DmError {
  return new DmError('EINVAL', `Cannot carry out the message to dust: ${reason}`);
}

export const dust: TargetType = {
  name: 'dust',
  version: [1, 0, 0],
  usage: '<device> <offset> <block size>',
  summary: 'has bad blocks that fail reads until they are written',
  create: (args, context) => new Dust(args, context),
};
