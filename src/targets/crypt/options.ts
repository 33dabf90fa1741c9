/** The optional arguments of a crypt line, read as dm-crypt reads them and printed in its order. */

import { bytesToSectors, SECTOR_BYTES } from '../../base/units.ts';
import type { ArgumentReader } from '../../core/arguments.ts';

export interface CryptOptions {
  allowDiscards: boolean;
  /** Where the kernel's threads do the work, and with which priority: here they change nothing. */
  readonly tuning: ReadonlySet<string>;
  /** `integrity:BYTES:none` changes nothing either: only the random IV and authenticated ciphers need the room for tags. */
  integrityTagBytes: number;
  /** As it was written; null: not given. */
  integrityKind: string | null;
  /** null: not given. */
  integrityKeyBytes: number | null;
  sectorBytes: number;
  ivLargeSectors: boolean;
}

export function isAead({ integrityKind }: CryptOptions): boolean {
  return integrityKind?.toLowerCase() === 'aead';
}

/** In the order in which the kernel prints them. */
const TUNING = [
  'same_cpu_crypt',
  'high_priority',
  'submit_from_crypt_cpus',
  'no_read_workqueue',
  'no_write_workqueue',
] as const;
const MAX_OPTIONS = 9;
const MAX_SECTOR_BYTES = 4096;
const MAX_TAG_BYTES = 480;
const COUNT_MESSAGE = 'Invalid number of feature args';

/** What follows the fifth argument. Words behind as many as were announced are not looked at, as in the kernel. */
export function readOptions(args: ArgumentReader, rowSectors: number): CryptOptions {
  const tuning = new Set<string>();
  const options: CryptOptions = {
    allowDiscards: false,
    tuning,
    integrityTagBytes: 0,
    integrityKind: null,
    integrityKeyBytes: null,
    sectorBytes: SECTOR_BYTES,
    ivLargeSectors: false,
  };
  if (args.remaining === 0) return options;
  const count = args.integer('number of options', COUNT_MESSAGE, { min: 0, max: MAX_OPTIONS });
  if (count > args.remaining) {
    throw args.error(COUNT_MESSAGE, `expected ${count} options, got ${args.remaining}`);
  }
  for (let index = 0; index < count; index += 1) {
    const word = args.word('option');
    const name = word.toLowerCase();
    if (name === 'allow_discards') options.allowDiscards = true;
    else if (name === 'iv_large_sectors') options.ivLargeSectors = true;
    else if ((TUNING as readonly string[]).includes(name)) tuning.add(name);
    else readValue(args, word, options, rowSectors);
  }
  return options;
}

function readValue(args: ArgumentReader, word: string, options: CryptOptions, rowSectors: number) {
  const integrity = /^integrity:(\d+):(.*)$/.exec(word);
  const keySize = /^integrity_key_size:(\d+)$/.exec(word);
  const sectorSize = /^sector_size:(\d+)$/.exec(word);
  if (integrity) readIntegrity(args, options, Number(integrity[1]), integrity[2]!);
  else if (keySize) options.integrityKeyBytes = positive(args, Number(keySize[1]));
  else if (sectorSize) options.sectorBytes = sectorBytes(args, Number(sectorSize[1]), rowSectors);
  else throw args.error('Invalid feature arguments', `unknown option "${word}"`);
}

function readIntegrity(
  args: ArgumentReader,
  options: CryptOptions,
  tagBytes: number,
  kind: string,
): void {
  if (tagBytes === 0 || tagBytes > MAX_TAG_BYTES) {
    const detail = `expected tags of 1 to ${MAX_TAG_BYTES} bytes, got ${tagBytes}`;
    throw args.error('Invalid integrity arguments', detail);
  }
  const name = kind.toLowerCase();
  if (name !== 'none' && name !== 'aead') {
    throw args.error('Unknown integrity profile', `expected aead or none, got "${kind}"`);
  }
  options.integrityTagBytes = tagBytes;
  options.integrityKind = kind;
}

function positive(args: ArgumentReader, value: number): number {
  if (value > 0) return value;
  throw args.error('Invalid integrity_key_size argument', 'expected more than 0');
}

function sectorBytes(args: ArgumentReader, value: number, rowSectors: number): number {
  const isPower = Number.isInteger(Math.log2(value));
  if (!(value >= SECTOR_BYTES && value <= MAX_SECTOR_BYTES && isPower)) {
    const expected = `512, 1024, 2048 or ${MAX_SECTOR_BYTES}`;
    throw args.error('Invalid feature value for sector_size', `expected ${expected}, got ${value}`);
  }
  if (rowSectors % bytesToSectors(value) !== 0) {
    const detail = `${rowSectors} sectors of 512 bytes in sectors of ${value}`;
    throw args.error('Device size is not multiple of sector_size feature', detail);
  }
  return value;
}

/** With a blank in front; empty when there is nothing to say. */
export function printOptions(options: CryptOptions): string {
  const words = [
    ...(options.allowDiscards ? ['allow_discards'] : []),
    ...TUNING.filter((name) => options.tuning.has(name)),
    ...(options.integrityKind
      ? [`integrity:${options.integrityTagBytes}:${options.integrityKind}`]
      : []),
    ...(options.sectorBytes === SECTOR_BYTES ? [] : [`sector_size:${options.sectorBytes}`]),
    ...(options.ivLargeSectors ? ['iv_large_sectors'] : []),
    ...(options.integrityKeyBytes === null
      ? []
      : [`integrity_key_size:${options.integrityKeyBytes}`]),
  ];
  return words.length === 0 ? '' : ` ${words.length} ${words.join(' ')}`;
}

/** The part of `dmsetup measure` that is about options. */
export function measureOptions(options: CryptOptions): string {
  const flag = (name: string, isSet: boolean) => `${name}=${isSet ? 'y' : 'n'}`;
  return [
    flag('allow_discards', options.allowDiscards),
    ...TUNING.map((name) => flag(name, options.tuning.has(name))),
    flag('iv_large_sectors', options.ivLargeSectors),
    ...(options.integrityKind
      ? [`integrity_tag_size=${options.integrityTagBytes},cipher_auth=${options.integrityKind}`]
      : []),
    ...(options.sectorBytes === SECTOR_BYTES ? [] : [`sector_size=${options.sectorBytes}`]),
  ].join(',');
}
