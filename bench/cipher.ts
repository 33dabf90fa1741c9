/** `npm run bench -- --cipher`: sector ciphers alone, one thread, beside what `openssl speed` says of the same cipher and mode. */

import { cipherEngine } from '../src/crypto/cipher-engine.ts';
import { parseCipherSpec } from '../src/crypto/cipher-spec.ts';
import { createSectorCipher } from '../src/crypto/create-sector-cipher.ts';
import type { SectorCipher } from '../src/crypto/sector-cipher.ts';
import type { Bar } from './bars.ts';
import { formatBars, formatTable } from './report.ts';
import { median } from './statistics.ts';
import { run } from './tools.ts';

interface Case {
  spec: string;
  keyBytes: number;
  sectorBytes: number;
  requestBytes: number;
  /** As `openssl speed -evp` calls it; null where it has none, and where what it measures is not this. */
  openssl: string | null;
  /** MB/s, encrypting and decrypting; null: none. */
  bars?: { encrypt?: number; decrypt?: number };
}

const MIB = 2 ** 20;
const xts = { spec: 'aes-xts-plain64', keyBytes: 64, openssl: 'aes-256-xts' };
const cbc = { spec: 'aes-cbc-essiv:sha256', keyBytes: 32, openssl: 'aes-256-cbc' };
const whole = { sectorBytes: 512, requestBytes: MIB };

const cases: readonly Case[] = [
  { ...xts, ...whole, bars: { encrypt: 1500, decrypt: 1500 } },
  { ...xts, sectorBytes: 4096, requestBytes: MIB, bars: { encrypt: 1500, decrypt: 1500 } },
  { ...xts, sectorBytes: 512, requestBytes: 4096 },
  { ...xts, sectorBytes: 4096, requestBytes: 4096 },
  { ...cbc, ...whole, bars: { decrypt: 1050 } },
  { ...cbc, sectorBytes: 4096, requestBytes: 4096 },
  { spec: 'aes-ctr-plain64', keyBytes: 32, openssl: 'aes-256-ctr', ...whole },
  { spec: 'camellia-xts-plain64', keyBytes: 64, openssl: 'camellia-256-ecb', ...whole },
  { spec: 'aria-xts-plain64', keyBytes: 64, openssl: 'aria-256-ecb', ...whole },
  { spec: 'sm4-xts-plain64', keyBytes: 32, openssl: 'sm4-ecb', ...whole },
  { spec: 'des3_ede-cbc-plain64', keyBytes: 24, openssl: 'des-ede3-cbc', ...whole },
  {
    spec: 'serpent-xts-plain64',
    keyBytes: 64,
    openssl: null,
    ...whole,
    bars: { encrypt: 80, decrypt: 80 },
  },
  {
    spec: 'twofish-xts-plain64',
    keyBytes: 64,
    openssl: null,
    ...whole,
    bars: { encrypt: 80, decrypt: 80 },
  },
];

interface Result extends Case {
  /** MB/s (10^6) of processor time. */
  encrypt: number;
  decrypt: number;
  /** `openssl speed`'s, of pieces of a sector. */
  opensslEncrypt: number | null;
  opensslDecrypt: number | null;
}

export interface CipherBenchOptions {
  rounds: number;
  quick: boolean;
  json: boolean;
}

/** Whether every bar was kept. */
export async function runCipher(options: CipherBenchOptions): Promise<boolean> {
  const results: Result[] = [];
  for (const one of cases) results.push(await measureCase(one, options));
  const bars = options.quick ? [] : judge(results);
  const path = cipherEngine().calls === null ? 'node' : cipherEngine().path;
  const text = options.json
    ? JSON.stringify({ path, results, bars }, null, 2)
    : [
        `path: ${path}`,
        formatResults(results),
        ...(bars.length > 0 ? [formatBars(bars)] : []),
      ].join('\n\n');
  process.stdout.write(`${text}\n`);
  return bars.every(({ passed }) => passed);
}

/** Rounds of ours and OpenSSL's take turns; medians count. */
async function measureCase(one: Case, { rounds, quick }: CipherBenchOptions): Promise<Result> {
  const key = Uint8Array.from({ length: one.keyBytes }, (_, index) => index);
  using cipher = createSectorCipher({
    spec: parseCipherSpec(one.spec),
    key,
    sectorBytes: one.sectorBytes,
    ivLargeSectors: false,
    ivOffset: 0n,
  });
  const seconds = quick ? 0.05 : 0.3;
  const rates: Record<'encrypt' | 'decrypt', number[]> = { encrypt: [], decrypt: [] };
  const openssl: Record<'encrypt' | 'decrypt', (number | null)[]> = { encrypt: [], decrypt: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const direction of ['encrypt', 'decrypt'] as const) {
      rates[direction].push(measureOurs(cipher, direction, one.requestBytes, seconds));
      openssl[direction].push(quick ? null : await measureOpenssl(one, direction));
    }
  }
  return {
    ...one,
    encrypt: median(rates.encrypt),
    decrypt: median(rates.decrypt),
    opensslEncrypt: medianOrNull(openssl.encrypt),
    opensslDecrypt: medianOrNull(openssl.decrypt),
  };
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length > 0 ? median(numbers) : null;
}

function measureOurs(
  cipher: SectorCipher,
  direction: 'encrypt' | 'decrypt',
  requestBytes: number,
  seconds: number,
): number {
  const source = new Uint8Array(new SharedArrayBuffer(requestBytes));
  const target = new Uint8Array(new SharedArrayBuffer(requestBytes));
  const before = process.cpuUsage();
  const step = Math.max(1, Math.floor(MIB / requestBytes));
  let count = 0;
  for (;;) {
    for (let index = 0; index < step; index += 1, count += 1) {
      cipher[direction](source, 0, target, 0, requestBytes, (count & 0xfff) * 8);
    }
    const { user, system } = process.cpuUsage(before);
    if (user + system > seconds * 1e6) return (count * requestBytes) / (user + system);
  }
}

/** Null without the program, or without the cipher in it. */
async function measureOpenssl(one: Case, direction: 'encrypt' | 'decrypt'): Promise<number | null> {
  if (one.openssl === null) return null;
  const decrypt = direction === 'decrypt' ? ['-decrypt'] : [];
  const args = ['speed', '-seconds', '1', '-bytes', String(one.sectorBytes), ...decrypt];
  try {
    const { stdout } = await run('openssl', [...args, '-evp', one.openssl]);
    const kilobytes = /([\d.]+)k\s*$/.exec(stdout)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) / 1000;
  } catch {
    // Not installed: our own rates are still worth something.
    return null;
  }
}

function judge(results: readonly Result[]): Bar[] {
  return results.flatMap(({ bars, ...result }) =>
    (['encrypt', 'decrypt'] as const).flatMap((direction) => {
      const limit = bars?.[direction];
      if (limit === undefined) return [];
      const title = `${result.spec}, ${result.sectorBytes}-byte sectors, ${direction}`;
      const got = result[direction];
      return [{ title, limit: `>= ${limit} MB/s`, got: got.toFixed(0), passed: got >= limit }];
    }),
  );
}

function formatResults(results: readonly Result[]): string {
  const ratio = (ours: number, theirs: number | null) =>
    theirs === null ? '-' : (ours / theirs).toFixed(2);
  return formatTable(
    ['cipher', 'sector', 'request', 'encrypt MB/s', 'decrypt MB/s', 'openssl', 'ratio', 'ratio'],
    results.map((result) => [
      result.spec,
      String(result.sectorBytes),
      `${result.requestBytes / 1024} KiB`,
      result.encrypt.toFixed(0),
      result.decrypt.toFixed(0),
      result.openssl ?? '-',
      ratio(result.encrypt, result.opensslEncrypt),
      ratio(result.decrypt, result.opensslDecrypt),
    ]),
  );
}
