/** A crypt line, read in the kernel's order, so that of several mistakes the same one is found. */

import { bytesToSectors } from '../../base/units.ts';
import { type ArgumentReader, UINT_MAX } from '../../core/arguments.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { TargetContext } from '../../core/target.ts';
import type { CipherSpec } from '../../crypto/cipher-spec.ts';
import { parseCipherArgument } from './cipher-argument.ts';
import { badKey, keySize } from './key.ts';
import { type CryptOptions, isAead, readOptions } from './options.ts';

/** What says how data are encrypted, all but the key itself. */
export interface CryptLine {
  readonly spec: CipherSpec;
  readonly keyBytes: number;
  /** In sectors of 512 bytes. */
  readonly ivOffset: bigint;
  readonly options: CryptOptions;
}

/** Where the data are. */
export interface CryptPlace {
  readonly device: BlockDevice;
  readonly offsetSectors: number;
}

/** What is looked at before and behind the key. */
export interface CryptWords {
  line: CryptLine;
  keyWord: string;
  /** Call it when the key is good. */
  finish(): CryptPlace;
}

const MIN_ARGUMENTS = 5;
const MAX_U64 = 2n ** 64n - 1n;
/** lmk takes the most: 65 keys; nobody has larger ones. */
const MAX_KEY_BYTES = 8192;

export function readLine(args: ArgumentReader, context: TargetContext): CryptWords {
  args.expectCount(args.count >= MIN_ARGUMENTS, 'Not enough arguments');
  const cipher = args.word('cipher');
  const keyWord = args.word('key');
  const keyBytes = keySize(keyWord, context);
  const ivOffsetText = args.word('iv_offset');
  const operand = args.word('device');
  const offsetText = args.word('offset');
  const options = readOptions(args, context.length);
  const spec = parseCipherArgument(cipher, { aead: isAead(options) });
  if (keyBytes > Math.min(MAX_KEY_BYTES, UINT_MAX)) throw badKey(`it has ${keyBytes} bytes`);
  const ivOffset = parseIvOffset(ivOffsetText, options);
  const finish = () => {
    if (ivOffset === null) {
      const unit = bytesToSectors(options.sectorBytes);
      const detail = `<iv_offset> expected a multiple of ${unit} below 2^64, got "${ivOffsetText}"`;
      throw args.error('Invalid iv_offset sector', detail);
    }
    const device = args.open(operand);
    const offsetSectors = readOffset(args, offsetText);
    checkIntegrity(args, spec, options);
    return { device, offsetSectors };
  };
  return { line: { spec, keyBytes, ivOffset: ivOffset ?? 0n, options }, keyWord, finish };
}

/** null for what is not one: that is said later. */
function parseIvOffset(text: string, { sectorBytes }: CryptOptions): bigint | null {
  if (!/^\d+$/.test(text)) return null;
  const offset = BigInt(text);
  const isWhole = offset % BigInt(bytesToSectors(sectorBytes)) === 0n;
  return isWhole && offset <= MAX_U64 ? offset : null;
}

function readOffset(args: ArgumentReader, text: string): number {
  const offset = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (bytesToSectors(Number.MAX_SAFE_INTEGER) >= offset) return offset;
  throw args.error('Invalid device sector', `<offset> expected a number of sectors, got "${text}"`);
}

/** Whether an option or the IVs want a device with room for tags, which there is none of here. */
export function needsIntegrity(spec: CipherSpec, options: CryptOptions): boolean {
  // ecb has no IVs, whatever is said of them.
  return (spec.ivMode === 'random' && spec.mode !== 'ecb') || isAead(options);
}

function checkIntegrity(args: ArgumentReader, spec: CipherSpec, options: CryptOptions): void {
  if (!needsIntegrity(spec, options)) return;
  const what = isAead(options) ? 'authenticated encryption' : 'a random IV';
  const detail = `${what} needs an integrity device below`;
  throw args.error('Integrity profile not supported.', detail);
}
