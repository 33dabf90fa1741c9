/** The same options to cryptsetup and to us make the same volume, and each opens the other's. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatLuks2, type Luks2FormatRequest } from '../../src/formats/luks2/format.ts';
import { openLuks2 } from '../../src/formats/luks2/volume.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { requireTools } from '../../src/testing/tools.ts';
import {
  Bench,
  cryptsetupDumps,
  masked,
  ourDumps,
  secret,
  TINY_ARGON2,
  TINY_ARGON2_WORDS,
  TINY_PBKDF2,
  TINY_PBKDF2_WORDS,
} from './luks2-rig.ts';

const MIB = 1024 * 1024;
const key = (pbkdf: object = TINY_ARGON2) => ({ passphrase: secret('pw1'), pbkdf });
const UUID = '01234567-89ab-cdef-0123-456789abcdef';

interface Row {
  what: string;
  words: string[];
  request: Luks2FormatRequest;
  sizeBytes?: number;
}

const OFFSET = ['--offset', '2048'];
const rows: Row[] = [
  { what: 'nothing said', words: TINY_ARGON2_WORDS, request: { key: key() }, sizeBytes: 18 * MIB },
  {
    what: 'an odd size',
    words: [...TINY_ARGON2_WORDS, '--luks2-keyslots-size', '512k'],
    request: { key: key(), keyslotsBytes: 512 * 1024 },
    sizeBytes: 2 * MIB + 512,
  },
  {
    what: 'argon2i, essiv, label and subsystem',
    words: [
      ...[...OFFSET, ...TINY_ARGON2_WORDS, '--pbkdf', 'argon2i'],
      ...['--cipher', 'aes-cbc-essiv:sha256', '-s', '128', '--label', 'name', '--subsystem', 'sub'],
    ],
    request: {
      dataOffsetBytes: MIB,
      cipher: 'aes-cbc-essiv:sha256',
      keyBytes: 16,
      label: 'name',
      subsystem: 'sub',
      key: key({ ...TINY_ARGON2, name: 'argon2i' }),
    },
  },
  {
    what: 'pbkdf2, sha512, 2048-byte sectors, a UUID',
    words: [
      ...[...OFFSET, ...TINY_PBKDF2_WORDS, '--hash', 'sha512'],
      ...['--sector-size', '2048', '--uuid', UUID],
    ],
    request: {
      dataOffsetBytes: MIB,
      hash: 'sha512',
      sectorBytes: 2048,
      uuid: UUID,
      key: key(TINY_PBKDF2),
    },
  },
  {
    what: 'headers of 64 KiB, whirlpool, alignment',
    words: [
      ...[...TINY_ARGON2_WORDS, '--luks2-metadata-size', '64k', '--luks2-keyslots-size', '384k'],
      ...['--hash', 'whirlpool', '--align-payload', '4096', '--sector-size', '4096'],
    ],
    request: {
      metadataBytes: 65536,
      keyslotsBytes: 384 * 1024,
      hash: 'whirlpool',
      alignBytes: 2 * MIB,
      sectorBytes: 4096,
      key: key(),
    },
    sizeBytes: 4 * MIB,
  },
  {
    what: 'headers of 1 MiB, ripemd160, plain64be',
    words: [
      ...[...TINY_PBKDF2_WORDS, '--luks2-metadata-size', '1m', '--luks2-keyslots-size', '1m'],
      ...['--hash', 'ripemd160', '--cipher', 'aes-xts-plain64be', '-s', '256'],
    ],
    request: {
      metadataBytes: MIB,
      keyslotsBytes: MIB,
      hash: 'ripemd160',
      cipher: 'aes-xts-plain64be',
      keyBytes: 32,
      key: key(TINY_PBKDF2),
    },
    sizeBytes: 4 * MIB,
  },
  {
    what: 'slots encrypted otherwise, blake2b, slot 5',
    words: [
      ...[...OFFSET, ...TINY_PBKDF2_WORDS, '--hash', 'blake2b-512', '--key-slot', '5'],
      ...['--keyslot-cipher', 'aes-cbc-plain64', '--keyslot-key-size', '128'],
    ],
    request: {
      dataOffsetBytes: MIB,
      hash: 'blake2b-512',
      key: { ...key(TINY_PBKDF2), slot: 5, areaCipher: 'aes-cbc-plain64', areaKeyBytes: 16 },
    },
  },
  {
    what: 'ctr, sha3-256',
    words: [...OFFSET, ...TINY_ARGON2_WORDS, '--cipher', 'aes-ctr-plain64', '--hash', 'sha3-256'],
    request: { dataOffsetBytes: MIB, cipher: 'aes-ctr-plain64', hash: 'sha3-256', key: key() },
  },
  {
    what: 'benbi, 192-bit key',
    words: [...OFFSET, ...TINY_ARGON2_WORDS, '--cipher', 'aes-cbc-benbi', '-s', '192'],
    request: { dataOffsetBytes: MIB, cipher: 'aes-cbc-benbi', keyBytes: 24, key: key() },
  },
  {
    what: 'eboiv, sha1',
    words: [...OFFSET, ...TINY_PBKDF2_WORDS, '--cipher', 'aes-cbc-eboiv', '--hash', 'sha1'],
    request: {
      dataOffsetBytes: MIB,
      cipher: 'aes-cbc-eboiv',
      hash: 'sha1',
      key: key(TINY_PBKDF2),
    },
  },
];

requireTools('cryptsetup')('LUKS2 formatted', () => {
  let bench: Bench;
  beforeAll(() => {
    bench = new Bench();
  });
  afterAll(() => bench[Symbol.dispose]());

  test.each(rows)('$what', async ({ words, request, sizeBytes = 2 * MIB }) => {
    await bench.create('theirs', sizeBytes);
    await bench.cryptsetup('luksFormat', '--type', 'luks2', ...words, '@theirs', '@pw1');
    const disk = new MemoryByteDisk(sizeBytes);
    await formatLuks2(disk, request);
    bench.save('ours', disk);

    for (const name of ['theirs', 'ours']) {
      const volume = await openLuks2(bench.load(name));
      const { volumeKey } = await volume.unlock(secret('pw1'));
      expect(Buffer.from(volumeKey.bytes).toString('hex'), name).toBe(
        await bench.volumeKey(name, 'pw1'),
      );
      expect(ourDumps(volume), name).toEqual(await cryptsetupDumps(bench, name));
      await expect(volume.unlock(secret('pw2'))).rejects.toThrow(/No key available/);
    }
    const [theirs, ours] = [await openLuks2(bench.load('theirs')), await openLuks2(disk)];
    expect(masked(ours.metadataText())).toBe(masked(theirs.metadataText()));
    expect(ours.header.sequenceId).toBe(theirs.header.sequenceId);
    expect(ours.segments(sizeBytes)).toEqual(theirs.segments(sizeBytes));
  });

  const detached: [string, string[], Partial<Luks2FormatRequest>][] = [
    ['at 0', [], {}],
    ['at an offset', ['--offset', '2048'], { dataOffsetBytes: MIB }],
    ['at an alignment', ['--align-payload', '2048'], { alignBytes: MIB }],
  ];
  test.each(detached)('detached, data %s', async (_what, words, request) => {
    const size = ['--luks2-keyslots-size', '512k'];
    await bench.create('data', 2 * MIB + 512);
    await bench.create('theirs', 600 * 1024);
    await bench.cryptsetup(
      ...['luksFormat', '--header', '@theirs', ...words, ...size, ...TINY_ARGON2_WORDS],
      ...['@data', '@pw1'],
    );
    const disk = new MemoryByteDisk(600 * 1024);
    const ours = await formatLuks2(disk, {
      ...{ detached: true, dataSizeBytes: 2 * MIB + 512, keyslotsBytes: 512 * 1024 },
      ...request,
      key: key(),
    });
    bench.save('ours', disk);
    const theirs = await openLuks2(bench.load('theirs'));
    expect(masked(ours.metadataText())).toBe(masked(theirs.metadataText()));
    expect(await bench.opens('ours', 'pw1')).toBe(true);
    expect((await theirs.unlock(secret('pw1'))).slot).toBe(0);
  });

  test('with a volume key of its owner, and no slot', async () => {
    const disk = new MemoryByteDisk(2 * MIB);
    const volumeKey = secret('0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
    const volume = await formatLuks2(disk, { dataOffsetBytes: MIB, volumeKey, key: null });
    expect((await volume.unlockWithVolumeKey(volumeKey)).slot).toBeNull();
    await expect(volume.unlock(secret('pw1'))).rejects.toThrow(/No usable keyslot/);
    await volume.addKey(volumeKey, key());
    bench.save('ours', disk);
    expect(await bench.opens('ours', 'pw1')).toBe(true);
    expect(await bench.volumeKey('ours', 'pw1')).toBe(Buffer.from(volumeKey.bytes).toString('hex'));
  });
});
