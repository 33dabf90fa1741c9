/** Which of the two copies counts, where the second one is found, and who may write. */

import { beforeAll, describe, expect, test } from 'vitest';
import { DmError, FormatError } from '../../base/errors.ts';
import { MemoryByteDisk } from '../../testing/memory-disk.ts';
import { BINARY_HEADER_BYTES, HEADER_SIZES_BYTES } from './binary-header.ts';
import type { Luks2Header } from './header.ts';
import { type Luks2Metadata, SECTION_NAMES } from './metadata.ts';
import { looksLikeLuks2, readHeader } from './read-header.ts';
import { repairHeader, writeHeader, writeNewHeader } from './write-header.ts';

const KEYSLOTS_BYTES = 4096;
const DATA = { type: 'linear', offset: '0', size: 'dynamic' };

/** One linear segment and nothing else. */
function headerOf(headerBytes: number): Luks2Header {
  const metadata: Luks2Metadata = {
    keyslots: new Map(),
    tokens: new Map(),
    segments: new Map([[0, DATA]]),
    digests: new Map(),
    config: {
      json_size: String(headerBytes - BINARY_HEADER_BYTES),
      keyslots_size: String(KEYSLOTS_BYTES),
    },
    others: new Map(),
    order: SECTION_NAMES,
  };
  const salt = new Uint8Array(64);
  return {
    headerBytes,
    sequenceId: 1n,
    uuid: '01234567-89ab-cdef-0123-456789abcdef',
    label: 'one',
    subsystem: '',
    checksumAlgorithm: 'sha256',
    salts: { primary: salt, secondary: salt },
    metadata,
    damage: { primary: null, secondary: null },
  };
}

async function formatted(headerBytes: number): Promise<MemoryByteDisk> {
  const disk = new MemoryByteDisk(2 * headerBytes + KEYSLOTS_BYTES, { name: 'a.img' });
  await writeNewHeader(disk, headerOf(headerBytes));
  return disk;
}

async function refusalOf(disk: MemoryByteDisk): Promise<FormatError['problem']> {
  const error = await readHeader(disk).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).problem;
}

describe('the second copy', () => {
  test.each(HEADER_SIZES_BYTES)('is found at %d', async (headerBytes) => {
    const disk = await formatted(headerBytes);
    disk.bytes.fill(0, 0, BINARY_HEADER_BYTES);
    const header = await readHeader(disk);
    expect([header.headerBytes, header.label, header.sequenceId]).toEqual([headerBytes, 'one', 2n]);
    expect(header.damage.primary?.kind).toBe('invalid');
    expect(await looksLikeLuks2(disk)).toBe(true);
  });
});

describe('of two copies', () => {
  const SIZE = 0x4000;
  let older: Uint8Array;
  let newer: Uint8Array;
  beforeAll(async () => {
    const disk = await formatted(SIZE);
    older = disk.bytes.slice();
    await writeHeader(disk, { ...(await readHeader(disk)), label: 'two' });
    newer = disk.bytes.slice();
  });

  const mixed = (primary: Uint8Array, secondary: Uint8Array) => {
    const disk = new MemoryByteDisk(newer.slice(), { name: 'a.img' });
    disk.bytes.set(primary.subarray(0, SIZE), 0);
    disk.bytes.set(secondary.subarray(SIZE, 2 * SIZE), SIZE);
    return disk;
  };

  test('the newer one counts, whichever it is', async () => {
    const first = await readHeader(mixed(newer, older));
    expect([first.label, first.damage.secondary?.kind]).toEqual(['two', 'obsolete']);
    const second = await readHeader(mixed(older, newer));
    expect([second.label, second.damage.primary?.kind]).toEqual(['two', 'obsolete']);
    expect(second.damage.primary?.message).toContain('sequence number 2, there 3');
  });

  test('a repair copies the good one, and writes nothing when both are good', async () => {
    const disk = mixed(older, newer);
    const repaired = await repairHeader(disk);
    expect(repaired.sequenceId).toBe(3n);
    expect((await readHeader(disk)).damage).toEqual({ primary: null, secondary: null });
    const { writeCount } = disk;
    await repairHeader(disk);
    expect(disk.writeCount).toBe(writeCount);
  });

  test('a label that is not UTF-8 survives', async () => {
    const disk = new MemoryByteDisk(newer.slice());
    const bytes = Uint8Array.of(0x61, 0xff, 0x80, 0xc3);
    await writeNewHeader(disk, { ...headerOf(SIZE), label: 'a\udcff\udc80\udcc3' });
    expect(disk.bytes.subarray(24, 29)).toEqual(Uint8Array.of(...bytes, 0));
    const header = await readHeader(disk);
    await writeHeader(disk, header);
    expect(disk.bytes.subarray(24, 29)).toEqual(Uint8Array.of(...bytes, 0));
  });

  test('each write has new salts', async () => {
    const disk = mixed(newer, newer);
    const before = await readHeader(disk);
    const after = await writeHeader(disk, before);
    const salts = [before, after].flatMap(({ salts: { primary, secondary } }) => [
      String(primary),
      String(secondary),
    ]);
    expect(new Set(salts).size).toBe(4);
    expect(await readHeader(disk)).toEqual(after);
  });

  test('who read before another wrote may not write', async () => {
    const disk = mixed(newer, newer);
    const stale = await readHeader(disk);
    await writeHeader(disk, stale);
    const { writeCount } = disk;
    await expect(writeHeader(disk, stale)).rejects.toThrow(/concurrent LUKS2 metadata update/);
    expect(disk.writeCount).toBe(writeCount);
  });

  const damages: [string, number, number, RegExp, string][] = [
    ['version', 7, 3, /^2$/, 'version'],
    ['size', 14, 0x41, /power of 2/, 'headerBytes'],
    ['offset', 263, 1, /where the header was read/, 'offsetBytes'],
    ['label', 71, 0x61, /./, 'checksum'],
    ['checksum', 450, 0, /that of the header/, 'checksum'],
    ['checksum algorithm', 72, 0x78, /hash that is known/, 'checksumAlgorithm'],
    ['JSON', 4100, 0x20, /that of the header/, 'checksum'],
  ];
  test.each(damages)('none with a wrong %s', async (_what, at, byte, expected, field) => {
    const disk = mixed(newer, newer);
    disk.bytes[at] = disk.bytes[at] === byte ? byte ^ 1 : byte;
    disk.bytes.fill(0, SIZE, SIZE + 6);
    const problem = await refusalOf(disk);
    expect(problem).toMatchObject({ format: 'primary LUKS2 header', field });
    expect(problem.expected).toMatch(expected);
    expect(disk.writeCount).toBe(0);
  });

  test('a disk that was cut off is too small', async () => {
    const disk = new MemoryByteDisk(newer.slice(0, 2 * SIZE), { name: 'a.img' });
    const error = await readHeader(disk).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(DmError);
    expect(String(error)).toMatch(/Device a.img is too small.*need 36864 bytes, it has 32768/);
  });

  test('nothing is there', async () => {
    const disk = new MemoryByteDisk(1 << 20);
    expect((await refusalOf(disk)).field).toBe('magic');
    expect(await looksLikeLuks2(disk)).toBe(false);
  });

  test('metadata that do not fit are not written', async () => {
    const disk = mixed(newer, newer);
    const header = await readHeader(disk);
    header.metadata.others.set('long', 'x'.repeat(SIZE));
    header.metadata.order = [...header.metadata.order, 'long'];
    await expect(writeHeader(disk, header)).rejects.toThrow(/No space left in its JSON area/);
    expect(disk.writeCount).toBe(0);
  });
});
