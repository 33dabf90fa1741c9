/** The arguments of snapshot and snapshot-merge: `<origin> <COW device> <P|PO|N> <chunk> [<#features> <features>]`. */

import { SECTOR_BYTES } from '../../base/units.ts';
import { type ArgumentReader, UINT_MAX } from '../../core/arguments.ts';
import { type BlockDevice, formatDeviceNumber } from '../../core/device.ts';

export interface SnapshotLine {
  readonly origin: BlockDevice;
  readonly cow: BlockDevice;
  readonly isPersistent: boolean;
  readonly survivesOverflow: boolean;
  /** 0: what the store says. */
  readonly chunkSectors: number;
  readonly discardZeroesCow: boolean;
  readonly discardPassdownOrigin: boolean;
}

/** The kernel's INT_MAX >> SECTOR_SHIFT. */
const MAX_CHUNK_SECTORS = 2 ** 22 - 1;
const STORE_FAILED = "Couldn't create exception store";

/** The origin is opened for writing only where that is done: a snapshot may have one that is read-only. */
export function readLine(args: ArgumentReader, { isMerge }: { isMerge: boolean }): SnapshotLine {
  args.expectCount(args.count >= 4, 'requires 4 or more arguments');
  const [originWord, cowWord] = [args.word('origin'), args.word('COW device')];
  const [storeWord, chunkWord] = [args.word('store'), args.word('chunk')];
  const features = readFeatures(args);
  const isWritten = isMerge || features.discardPassdownOrigin;
  const noOrigin = 'Cannot get origin device';
  const origin = isWritten
    ? args.open(originWord, noOrigin)
    : args.openReadOnly(originWord, noOrigin);
  const cow = args.open(cowWord, 'Cannot get COW device');
  if (formatDeviceNumber(origin.number) === formatDeviceNumber(cow.number)) {
    throw args.error('COW device cannot be the same as origin device', cowWord);
  }
  const store = readStore(args, storeWord);
  const chunkSectors = readChunk(args, chunkWord, [cow, origin]);
  if (chunkSectors === 0 && !store.isPersistent) throw args.error('Chunk size not set');
  return { origin, cow, ...store, chunkSectors, ...features };
}

/** Words behind those that are counted are not looked at, as in the kernel. */
function readFeatures(args: ArgumentReader) {
  const features = { discardZeroesCow: false, discardPassdownOrigin: false };
  if (args.remaining === 0) return features;
  const message = 'Invalid number of feature arguments';
  const count = args.integer('#features', message, { min: 0, max: 2 });
  args.expectCount(
    args.remaining >= count,
    'Invalid number of feature arguments: some are missing',
  );
  for (let index = 0; index < count; index += 1) {
    const word = args.word('feature');
    const name = word.toLowerCase();
    if (name === 'discard_zeroes_cow') features.discardZeroesCow = true;
    else if (name === 'discard_passdown_origin') features.discardPassdownOrigin = true;
    else throw args.error('Unrecognised feature requested', word);
  }
  if (features.discardPassdownOrigin && !features.discardZeroesCow) {
    throw args.error('discard_passdown_origin feature depends on discard_zeroes_cow');
  }
  return features;
}

/** Letters of either case; what follows those that count is not looked at, as in the kernel. */
function readStore(args: ArgumentReader, word: string) {
  const letters = word.toUpperCase();
  if (letters.startsWith('N')) return { isPersistent: false, survivesOverflow: false };
  if (!letters.startsWith('P')) {
    throw args.error(STORE_FAILED, `Exception store type is not P or N, got "${word}"`);
  }
  const option = letters.slice(1);
  if (option !== '' && !option.startsWith('O')) {
    throw args.error(STORE_FAILED, `Unsupported persistent store option: ${word.slice(1)}`);
  }
  return { isPersistent: true, survivesOverflow: option !== '' };
}

function readChunk(args: ArgumentReader, word: string, devices: readonly BlockDevice[]): number {
  const problem = (text: string) => args.error(STORE_FAILED, `${text}, got "${word}"`);
  const chunkSectors = /^\+?\d+$/.test(word) ? Number(word) : Number.NaN;
  if (!(chunkSectors <= UINT_MAX)) throw problem('Invalid chunk size');
  if (chunkSectors === 0) return 0;
  if (!Number.isInteger(Math.log2(chunkSectors))) {
    throw problem('Chunk size is not a power of 2');
  }
  for (const { operand, limits } of devices) {
    if (chunkSectors % (limits.logicalBlockBytes / SECTOR_BYTES) === 0) continue;
    throw problem(`Chunk size is not a multiple of device blocksize of ${operand}`);
  }
  if (chunkSectors > MAX_CHUNK_SECTORS) throw problem('Chunk size is too high');
  return chunkSectors;
}

/** As it is printed behind the devices. */
export function printStore(line: SnapshotLine, chunkSectors: number): string {
  const type = line.isPersistent ? (line.survivesOverflow ? 'PO' : 'P') : 'N';
  const features = [
    line.discardZeroesCow && 'discard_zeroes_cow',
    line.discardPassdownOrigin && 'discard_passdown_origin',
  ].filter((feature) => feature !== false);
  const count = features.length > 0 ? [features.length, ...features] : [];
  return [type, chunkSectors, ...count].join(' ');
}
