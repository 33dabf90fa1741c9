/** The optional arguments of a flakey line, read as dm-flakey reads them and printed in its order. */

import { type ArgumentReader, UINT_MAX } from '../../core/arguments.ts';

/** Reads or writes. */
export type Direction = 'r' | 'w';

/** One byte of each matching bio has another value. */
interface CorruptByte {
  /** Counted from 1. */
  nth: number;
  direction: Direction;
  value: number;
  /** Bits of the kernel's `bi_opf` that a bio must have all of. */
  flags: number;
}

/** What happens while the device is down. */
export interface FlakeyFeatures {
  errorReads: boolean;
  dropWrites: boolean;
  errorWrites: boolean;
  corruptByte: CorruptByte | null;
  /** In billionths; 0: never. */
  randomReadCorrupt: number;
  randomWriteCorrupt: number;
}

export const PROBABILITY_BASE = 1_000_000_000;

const MAX_WORDS = 11;
const COUNT_MESSAGE = 'Invalid number of feature args';

/** What follows the fourth argument. Words behind as many as were announced are not looked at, as in the kernel. */
export function readFeatures(args: ArgumentReader): FlakeyFeatures {
  const features: FlakeyFeatures = {
    errorReads: false,
    dropWrites: false,
    errorWrites: false,
    corruptByte: null,
    randomReadCorrupt: 0,
    randomWriteCorrupt: 0,
  };
  if (args.remaining > 0) {
    const count = args.integer('#features', COUNT_MESSAGE, { min: 0, max: MAX_WORDS });
    if (count > args.remaining) {
      throw args.error(COUNT_MESSAGE, `expected ${count} words, got ${args.remaining}`);
    }
    const wordsBehind = args.remaining - count;
    while (args.remaining > wordsBehind) readFeature(args, features, wordsBehind);
    checkTogether(args, features);
  }
  if (doesNothing(features)) return { ...features, errorReads: true, errorWrites: true };
  return features;
}

function readFeature(args: ArgumentReader, features: FlakeyFeatures, wordsBehind: number): void {
  const word = args.word('feature');
  const hasMore = args.remaining > wordsBehind;
  switch (word.toLowerCase()) {
    case 'error_reads':
      refuse(args, features.errorReads, 'Feature error_reads duplicated');
      features.errorReads = true;
      break;
    case 'drop_writes':
      refuse(args, features.dropWrites, 'Feature drop_writes duplicated');
      refuse(args, features.errorWrites, conflict('drop_writes', 'error_writes'));
      features.dropWrites = true;
      break;
    case 'error_writes':
      refuse(args, features.errorWrites, 'Feature error_writes duplicated');
      refuse(args, features.dropWrites, conflict('error_writes', 'drop_writes'));
      features.errorWrites = true;
      break;
    // Of these the last one counts.
    case 'corrupt_bio_byte':
      refuse(args, !hasMore, 'Feature corrupt_bio_byte requires parameters');
      features.corruptByte = readCorruptByte(args);
      break;
    case 'random_read_corrupt':
      refuse(args, !hasMore, 'Feature random_read_corrupt requires a parameter');
      features.randomReadCorrupt = readProbability(args);
      break;
    case 'random_write_corrupt':
      refuse(args, !hasMore, 'Feature random_write_corrupt requires a parameter');
      features.randomWriteCorrupt = readProbability(args);
      break;
    default:
      throw args.error('Unrecognised flakey feature requested', `"${word}"`);
  }
  // Its parameters were taken from behind the words that were announced.
  refuse(args, args.remaining < wordsBehind, 'Insufficient feature arguments');
}

function conflict(feature: string, other: string): string {
  return `Feature ${feature} conflicts with feature ${other}`;
}

function refuse(args: ArgumentReader, isWrong: boolean, message: string): void {
  if (isWrong) throw args.error(message);
}

function readCorruptByte(args: ArgumentReader): CorruptByte {
  const nth = args.integer('Nth byte', 'Invalid corrupt bio byte', { min: 1, max: UINT_MAX });
  const directionMessage = 'Invalid corrupt bio direction (r or w)';
  const direction = args.word('direction', directionMessage).toLowerCase();
  if (direction !== 'r' && direction !== 'w') {
    throw args.error(directionMessage, `got "${direction}"`);
  }
  const valueMessage = 'Invalid corrupt value to write into bio byte (0-255)';
  const value = args.integer('value', valueMessage, { min: 0, max: 255 });
  const flags = args.integer('flags', 'Invalid corrupt bio flags mask', { min: 0, max: UINT_MAX });
  return { nth, direction, value, flags };
}

function readProbability(args: ArgumentReader): number {
  const range = { min: 0, max: PROBABILITY_BASE };
  return args.integer('probability', 'Invalid random corrupt argument', range);
}

function checkTogether(args: ArgumentReader, features: FlakeyFeatures): void {
  const { dropWrites, errorWrites, corruptByte } = features;
  const writes = corruptByte?.direction === 'w';
  const reason = 'is incompatible with corrupt_bio_byte with the WRITE flag set';
  refuse(args, dropWrites && writes, `drop_writes ${reason}`);
  refuse(args, errorWrites && writes, `error_writes ${reason}`);
}

function doesNothing(features: FlakeyFeatures): boolean {
  const { errorReads, dropWrites, errorWrites, corruptByte } = features;
  if (errorReads || dropWrites || errorWrites || corruptByte !== null) return false;
  return features.randomReadCorrupt === 0 && features.randomWriteCorrupt === 0;
}

/** With the number of words in front, in an order of the kernel's own. */
export function printFeatures(features: FlakeyFeatures): string {
  const { corruptByte, randomReadCorrupt, randomWriteCorrupt } = features;
  const words: (string | number)[] = [];
  if (features.errorReads) words.push('error_reads');
  if (features.dropWrites) words.push('drop_writes');
  if (features.errorWrites) words.push('error_writes');
  if (corruptByte !== null) {
    const { nth, direction, value, flags } = corruptByte;
    words.push('corrupt_bio_byte', nth, direction, value, flags);
  }
  if (randomReadCorrupt > 0) words.push('random_read_corrupt', randomReadCorrupt);
  if (randomWriteCorrupt > 0) words.push('random_write_corrupt', randomWriteCorrupt);
  return [words.length, ...words].join(' ');
}
