/** `devmapper luks benchmark`. */

import { systemClock } from '../../base/clock.ts';
import { randomBytes } from '../../crypto/random.ts';
import type { Pbkdf, PbkdfRequest } from '../../formats/luks/types.ts';
import { CommandError } from '../failure.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import type { LuksOptions } from './option-table.ts';
import { bitsToBytes, pbkdfRequest } from './requests.ts';
import { wrongWords } from './words.ts';

const HELP = `
In memory, one thread, no disk. With --cipher (and --key-size) only that cipher; with --pbkdf or --hash only that derivation.

Examples:
  devmapper luks benchmark
  devmapper luks benchmark --cipher serpent-xts-plain64 --key-size 512
  devmapper luks benchmark --pbkdf argon2id --iter-time 500
`;

export const benchmarkCommand: LuksCommand = {
  name: 'benchmark',
  usage: '[options]',
  summary: 'measure ciphers and key derivation on this machine',
  operands: [0, 0],
  options: [
    'cipher',
    'key-size',
    'hash',
    'pbkdf',
    'iter-time',
    'pbkdf-memory',
    'pbkdf-parallel',
    'json',
  ],
  help: HELP,
  run: benchmark,
};

const HASHES = ['sha1', 'sha256', 'sha512', 'ripemd160', 'whirlpool'];
const CIPHERS: readonly [cipher: string, keyBits: number][] = [
  ['aes-cbc', 128],
  ['serpent-cbc', 128],
  ['twofish-cbc', 128],
  ['aes-cbc', 256],
  ['serpent-cbc', 256],
  ['twofish-cbc', 256],
  ['aes-xts', 256],
  ['serpent-xts', 256],
  ['twofish-xts', 256],
  ['aes-xts', 512],
  ['serpent-xts', 512],
  ['twofish-xts', 512],
];

interface Report {
  pbkdf: KdfResult[];
  ciphers: CipherResult[];
}

async function benchmark({ options }: LuksInvocation): Promise<void> {
  const report: Report = { pbkdf: [], ciphers: [] };
  const print = options.json
    ? () => undefined
    : (line: string) => process.stdout.write(`${line}\n`);
  print('# Tests are approximate using memory only (no storage IO).');
  const { cipher, pbkdf, hash } = options;
  const isAll = cipher === undefined && pbkdf === undefined && hash === undefined;
  if (isAll || pbkdf !== undefined || hash !== undefined) {
    await measureKdfs(kdfRequests(options, isAll), isAll, report, print);
  }
  if (isAll) await measureCiphers(CIPHERS, report, print);
  if (cipher !== undefined) await measureOne(cipher, options, report, print);
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
}

type Print = (line: string) => void;

function kdfRequests(options: LuksOptions, isAll: boolean): PbkdfRequest[] {
  const common = pbkdfRequest(options);
  if (!isAll) return [{ ...common, name: common.name ?? 'pbkdf2' }];
  return [
    ...HASHES.map((hash): PbkdfRequest => ({ name: 'pbkdf2', hash })),
    { ...common, name: 'argon2i' },
    { ...common, name: 'argon2id' },
  ];
}

const KEY_BYTES = 32;
const SECOND_MS = 1000;

interface KdfResult extends Pbkdf {
  /** What `iterations` are for. */
  timeMs: number;
}

async function measureKdfs(
  requests: readonly PbkdfRequest[],
  isAll: boolean,
  report: Report,
  print: Print,
): Promise<void> {
  const { benchmarkPbkdf } = await import('../../crypto/kdf/benchmark.ts');
  for (const request of requests) {
    const timeMs = request.name === 'pbkdf2' ? SECOND_MS : (request.iterTimeMs ?? 2 * SECOND_MS);
    try {
      const measured = await benchmarkPbkdf({ ...request, iterTimeMs: timeMs }, KEY_BYTES);
      report.pbkdf.push({ ...measured, timeMs });
      print(kdfLine(measured, timeMs));
    } catch (error) {
      if (!isAll) throw error;
      print(`${kdfName(request.name ?? '', request.hash).padEnd(16)}     N/A`);
    }
  }
}

function kdfName(name: string, hash: string | undefined): string {
  return name === 'pbkdf2' ? `PBKDF2-${hash ?? 'sha256'}` : name;
}

/** As cryptsetup prints it. */
function kdfLine({ name, hash, iterations, memoryKiB, parallel }: Pbkdf, timeMs: number): string {
  const keyBits = 8 * KEY_BYTES;
  if (name === 'pbkdf2') {
    const rate = String(iterations).padStart(7);
    return `${kdfName(name, hash).padEnd(16)} ${rate} iterations per second for ${keyBits}-bit key`;
  }
  const cost = `${String(iterations).padStart(6)} iterations, ${memoryKiB} memory, ${parallel} parallel threads (CPUs)`;
  return `${name.padEnd(9)}${cost} for ${keyBits}-bit key (requested ${timeMs} ms time)`;
}

interface CipherResult {
  cipher: string;
  keyBits: number;
  /** null: there is no such cipher here. */
  encryptBytesPerSecond: number | null;
  decryptBytesPerSecond: number | null;
}

async function measureOne(
  cipher: string,
  options: LuksOptions,
  report: Report,
  print: Print,
): Promise<void> {
  const keyBits = options['key-size'] ?? 256;
  bitsToBytes('key-size', keyBits);
  if (!cipher.includes('-')) throw wrongWords(`Unknown cipher "${cipher}", expected e.g. aes-xts`);
  await measureCiphers([[cipher, keyBits]], report, print);
  if (report.ciphers[0]?.encryptBytesPerSecond !== null) return;
  throw new CommandError(`Cipher ${cipher} (with ${keyBits} bits key) is not available.`);
}

async function measureCiphers(list: typeof CIPHERS, report: Report, print: Print): Promise<void> {
  print('#     Algorithm |       Key |      Encryption |      Decryption');
  for (const [cipher, keyBits] of list) {
    const result = await measureCipher(cipher, keyBits);
    report.ciphers.push(result);
    const rates = [result.encryptBytesPerSecond, result.decryptBytesPerSecond].map(rateText);
    print(`${cipher.padStart(15)}     ${`${keyBits}b`.padStart(7)}  ${rates.join('  ')}`);
  }
}

const MIB = 1024 * 1024;

function rateText(bytesPerSecond: number | null): string {
  const text = bytesPerSecond === null ? 'N/A' : `${(bytesPerSecond / MIB).toFixed(1)} MiB/s`;
  return text.padStart(15);
}

async function measureCipher(cipher: string, keyBits: number): Promise<CipherResult> {
  const { createSectorCipher } = await import('../../crypto/create-sector-cipher.ts');
  const { parseCipherSpec } = await import('../../crypto/cipher-spec.ts');
  const unavailable = { cipher, keyBits, encryptBytesPerSecond: null, decryptBytesPerSecond: null };
  const key = randomBytes(keyBits / 8);
  const hasIv = cipher.split('-').length > 2 || cipher.endsWith('-ecb');
  try {
    const spec = parseCipherSpec(hasIv ? cipher : `${cipher}-plain64`);
    const options = { spec, key, sectorBytes: 4096, ivLargeSectors: false, ivOffset: 0n };
    using worker = createSectorCipher(options);
    const encrypt = measure((data) => worker.encrypt(data, 0, data, 0, data.byteLength, 0));
    const decrypt = measure((data) => worker.decrypt(data, 0, data, 0, data.byteLength, 0));
    return { cipher, keyBits, encryptBytesPerSecond: encrypt, decryptBytesPerSecond: decrypt };
  } catch (error) {
    if (error instanceof Error && error.name === 'DmError') return unavailable;
    throw error;
  }
}

const MEASURED_MS = 250;

/** Bytes per second; the first runs only warm up. */
function measure(run: (data: Uint8Array) => void): number {
  const data = new Uint8Array(new SharedArrayBuffer(MIB));
  for (let warmUp = 0; warmUp < 3; warmUp += 1) run(data);
  const startMs = systemClock.nowMs();
  let runs = 0;
  let elapsedMs = 0;
  while (elapsedMs < MEASURED_MS) {
    run(data);
    runs += 1;
    elapsedMs = systemClock.nowMs() - startMs;
  }
  return Math.round((runs * MIB * 1000) / elapsedMs);
}
