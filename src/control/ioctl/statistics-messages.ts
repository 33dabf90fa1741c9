/**
 * The `@stats_*` messages of dm-statistics: their arguments, which errno refuses them, and the text of their answers.
 *
 *   @stats_create <range> <step> [<count> <option>...] [<program id> [<auxiliary data>]]   the new region's id
 *   @stats_delete <id>
 *   @stats_clear <id>
 *   @stats_list [<program id>]
 *   @stats_print <id> [<first area> <area count>]
 *   @stats_print_clear <id> [<first area> <area count>]
 *   @stats_set_aux <id> <auxiliary data>
 *
 * Source: Documentation/admin-guide/device-mapper/statistics.rst, and what a 6.12 kernel answers.
 */

import { DmError } from '../../base/errors.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { RegionSpec } from '../../core/region-statistics/region.ts';

/** The longest id that a new region may get. */
const LONGEST_ID = '2147483647';
const INT_MAX = 2n ** 31n - 1n;
const UINT_MAX = 2n ** 32n - 1n;
const ULONG_MAX = 2n ** 64n - 1n;

interface StatisticsMessage {
  device: MappedDevice;
  /** All of the message; `argv[0]` is its name. */
  argv: readonly string[];
  /** Whether the caller has room for such an answer. */
  fits(text: string): boolean;
}

/** null: there is nothing to answer. */
type Handler = (message: StatisticsMessage) => string | null | Promise<string | null>;

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['@stats_create', createRegion],
  ['@stats_delete', deleteRegion],
  ['@stats_clear', clearRegion],
  ['@stats_list', listRegions],
  ['@stats_print', (message) => printRegion(message, false)],
  ['@stats_print_clear', (message) => printRegion(message, true)],
  ['@stats_set_aux', setAuxiliaryData],
]);

/**
 * Answers a message of dm-statistics; undefined: it is none.
 *
 * A text, empty ones too, goes out with DM_DATA_OUT_FLAG; null means no such flag. `roomBytes` is what the caller's buffer
 * has for the text. One that `fitsRoom` denies is answered all the same, for the handler to say BUFFER_FULL instead; nothing
 * was created or cleared then, so that the caller can ask again with a larger buffer.
 */
export function handleStatisticsMessage(
  device: MappedDevice,
  argv: readonly string[],
  roomBytes = Number.POSITIVE_INFINITY,
): Promise<string | null> | undefined {
  const handler = handlers.get(argv[0]?.toLowerCase() ?? '');
  if (handler === undefined) return undefined;
  const fits = (text: string) => fitsRoom(text, roomBytes);
  return Promise.resolve().then(() => handler({ device, argv, fits }));
}

/** Whether the kernel would not say BUFFER_FULL: behind the text and its NUL one more byte is free. */
export function fitsRoom(text: string, roomBytes: number): boolean {
  return Buffer.byteLength(text) + 1 < roomBytes;
}

async function createRegion({ device, argv, fits }: StatisticsMessage): Promise<string> {
  // A region whose id does not reach the caller would be lost.
  if (!fits(LONGEST_ID)) return LONGEST_ID;
  const spec = readRegion(argv, device.sizeSectors);
  return String(await device.changeRegions((regions) => regions.create(spec)));
}

async function deleteRegion({ device, argv }: StatisticsMessage): Promise<null> {
  expectCount(argv, [2]);
  const id = readId(argv);
  await device.changeRegions((regions) => regions.delete(id));
  return null;
}

function clearRegion({ device, argv }: StatisticsMessage): string {
  expectCount(argv, [2]);
  device.regions.clear(readId(argv));
  return '';
}

function listRegions({ device, argv }: StatisticsMessage): string {
  expectCount(argv, [1, 2]);
  return device.regions.list(argv[1]);
}

function printRegion({ device, argv, fits }: StatisticsMessage, clear: boolean): string {
  expectCount(argv, [2, 4]);
  const range = {
    firstArea: readAreaNumber(argv[2], 0n),
    areaCount: readAreaNumber(argv[3], ULONG_MAX),
  };
  return device.regions.print(readId(argv), range, (text) => clear && fits(text));
}

function setAuxiliaryData({ device, argv }: StatisticsMessage): null {
  expectCount(argv, [3]);
  device.regions.get(readId(argv)).auxiliaryData = argv[2]!;
  return null;
}

function refuse(name: string, problem: string): DmError {
  return new DmError('EINVAL', `Invalid parameters for message ${name}: ${problem}`);
}

function expectCount(argv: readonly string[], counts: readonly number[]): void {
  if (counts.includes(argv.length)) return;
  const expected = counts.map((count) => count - 1).join(' or ');
  throw refuse(argv[0]!, `expected ${expected} arguments, got ${argv.length - 1}`);
}

/** A whole word of decimal digits. */
function readNumber(word: string, max: bigint): bigint | null {
  if (!/^\d{1,20}$/.test(word)) return null;
  const value = BigInt(word);
  return value <= max ? value : null;
}

function readId([name, word]: readonly string[]): number {
  const id = readNumber(word!, INT_MAX);
  if (id === null) throw refuse(name!, `expected a region id, got "${word}"`);
  return Number(id);
}

function readAreaNumber(word: string | undefined, otherwise: bigint): bigint {
  if (word === undefined || word === '-') return otherwise;
  const value = readNumber(word, ULONG_MAX);
  if (value !== null) return value;
  throw refuse('@stats_print', `expected a number of areas or "-", got "${word}"`);
}

function readRegion(argv: readonly string[], deviceSectors: number): RegionSpec {
  if (argv.length < 3) throw refuse('@stats_create', 'expected a range and a step');
  const [rangeWord, stepWord, ...words] = argv.slice(1);
  const range = readRange(rangeWord!, deviceSectors);
  const step = readStep(stepWord!, range.length);
  const options = readOptions(words);
  const [programId = '-', auxiliaryData = '-', extra] = words;
  if (extra !== undefined) throw refuse('@stats_create', `"${extra}" is too much`);
  return { ...range, step, ...options, programId, auxiliaryData };
}

/** `-`, the whole device as it is now, or `start+length`. */
function readRange(word: string, deviceSectors: number): { start: bigint; length: bigint } {
  if (word === '-') return { start: 0n, length: BigInt(Math.max(1, deviceSectors)) };
  const [startWord = '', lengthWord = '', ...rest] = word.split('+');
  const start = readNumber(startWord, ULONG_MAX);
  const length = readNumber(lengthWord, ULONG_MAX);
  if (start === null || length === null || length === 0n || rest.length > 0)
    throw refuse('@stats_create', `expected "-" or start+length in sectors, got "${word}"`);
  return { start, length };
}

/** Sectors, or `/n` for n areas. */
function readStep(word: string, length: bigint): bigint {
  const divisor = word.startsWith('/') ? readNumber(word.slice(1), UINT_MAX) : null;
  if (divisor) return (length + divisor - 1n) / divisor;
  const step = readNumber(word, ULONG_MAX);
  if (step) return step;
  throw refuse(
    '@stats_create',
    `expected the sectors or "/" and the number of areas, got "${word}"`,
  );
}

/** Takes the count of options and the options off `words`; without a number in front there are none. */
function readOptions(words: string[]): Pick<RegionSpec, 'preciseTimestamps' | 'bounds'> {
  const options = { preciseTimestamps: false, bounds: [] as bigint[] };
  const count = readNumber(words[0] ?? '', UINT_MAX);
  if (count === null) return options;
  if (count >= words.length)
    throw refuse('@stats_create', `expected ${count} options, got ${words.length - 1}`);
  for (const option of words.splice(0, 1 + Number(count)).slice(1)) {
    const name = option.toLowerCase();
    if (name === 'precise_timestamps') options.preciseTimestamps = true;
    else if (name.startsWith('histogram:') && options.bounds.length === 0)
      options.bounds = readBounds(option.slice('histogram:'.length));
    else throw refuse('@stats_create', `"${option}" is not known or there twice`);
  }
  return options;
}

function readBounds(text: string): bigint[] {
  let last = 0n;
  return text.split(',').map((word) => {
    const bound = readNumber(word, ULONG_MAX);
    if (bound === null || bound <= last)
      throw refuse('@stats_create', `expected ascending histogram bounds, got "${text}"`);
    last = bound;
    return bound;
  });
}
