/** Volumes changed by us and by cryptsetup in turn: each finds what the other did. */

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupHeader, restoreHeader } from '../../src/formats/luks2/backup.ts';
import { formatLuks2 } from '../../src/formats/luks2/format.ts';
import { readHeader } from '../../src/formats/luks2/read-header.ts';
import { setRequirements } from '../../src/formats/luks2/requirements.ts';
import { openLuks2 } from '../../src/formats/luks2/volume.ts';
import { repairHeader, writeHeader } from '../../src/formats/luks2/write-header.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { requireTools } from '../../src/testing/tools.ts';
import {
  Bench,
  cryptsetupDumps,
  ourDumps,
  secret,
  TINY_PBKDF2,
  TINY_PBKDF2_WORDS,
} from './luks2-rig.ts';

const MIB = 1024 * 1024;
const IMAGE_BYTES = 4 * MIB;
const pbkdf = TINY_PBKDF2;

requireTools('cryptsetup')('LUKS2 edited', () => {
  let bench: Bench;
  let fresh: Uint8Array;

  beforeAll(async () => {
    bench = new Bench();
    const disk = new MemoryByteDisk(IMAGE_BYTES);
    await formatLuks2(disk, {
      dataOffsetBytes: 2 * MIB,
      key: { passphrase: secret('pw1'), pbkdf },
    });
    fresh = disk.bytes;
  });
  afterAll(() => bench[Symbol.dispose]());

  /** A new image of that name, with one slot of `pw1`. */
  const begin = (name: string) => writeFileSync(bench.path(name), fresh);

  /** Both see the same in it. */
  async function agree(name: string) {
    const volume = await openLuks2(bench.load(name));
    expect(volume.header.damage).toEqual({ primary: null, secondary: null });
    expect(ourDumps(volume)).toEqual(await cryptsetupDumps(bench, name));
    return volume;
  }

  test('key slots: added, changed, removed in turn', async () => {
    begin('slots');
    const key = await bench.edit('slots', async (volume) => {
      const { volumeKey } = await volume.unlock(secret('pw1'));
      expect(await volume.addKey(volumeKey, { passphrase: secret('pw2'), pbkdf })).toBe(1);
      return volumeKey;
    });
    const forced = TINY_PBKDF2_WORDS;
    await bench.cryptsetup('luksAddKey', ...forced, '--key-file', '@pw2', '@slots', '@pw3');
    await bench.edit('slots', async (volume) => {
      expect((await volume.unlock(secret('pw3'))).slot).toBe(2);
      expect(await volume.changeKey(key, 1, { passphrase: secret('pw1'), pbkdf })).toBe(1);
      await volume.killSlot(0);
    });
    expect(await bench.opens('slots', 'pw2')).toBe(false);
    expect(await bench.opens('slots', 'pw1', '--key-slot', '1')).toBe(true);
    await agree('slots');

    await bench.cryptsetup('luksChangeKey', ...forced, '--key-file', '@pw1', '@slots', '@pw2');
    await bench.cryptsetup('luksKillSlot', '--key-file', '@pw2', '@slots', '2');
    const volume = await agree('slots');
    expect(volume.slots().map(({ slot }) => slot)).toEqual([1]);
    expect((await volume.unlock(secret('pw2'))).slot).toBe(1);
    await expect(volume.unlock(secret('pw3'))).rejects.toThrow(/No key available/);
  });

  test('a new slot lies where cryptsetup puts it', async () => {
    for (const name of ['ours', 'theirs']) begin(name);
    const forced = TINY_PBKDF2_WORDS;
    const add = async (passphrase: string) => {
      await bench.cryptsetup(
        ...['luksAddKey', ...forced, '--key-file', '@pw1', '@theirs', `@${passphrase}`],
      );
      await bench.edit('ours', async (volume) => {
        const { volumeKey } = await volume.unlock(secret('pw1'));
        await volume.addKey(volumeKey, { passphrase: secret(passphrase), pbkdf });
      });
    };
    await add('pw2');
    await add('pw3');
    await bench.cryptsetup('luksKillSlot', '--key-file', '@pw1', '@theirs', '1');
    await bench.edit('ours', (volume) => volume.killSlot(1));
    await add('pw2');
    const places = async (name: string) => {
      const { metadata } = (await openLuks2(bench.load(name))).header;
      return [...metadata.keyslots].map(([slot, { area }]) => [slot, area.offset, area.size]);
    };
    expect(await places('ours')).toEqual(await places('theirs'));
  });

  test('unbound keys, priorities, another KDF', async () => {
    begin('unbound');
    await bench.edit('unbound', async (volume) => {
      const other = secret('a key of 20 bytes ..');
      expect(await volume.addUnboundKey(other, { passphrase: secret('pw2'), pbkdf })).toBe(1);
      await volume.setPriority(0, 'prefer');
      await volume.setPriority(1, 'ignore');
    });
    const dump = (await agree('unbound')).dumpText();
    expect(dump).toMatch(/1: luks2 \(unbound\)\n\tKey: {8}160 bits\n\tPriority: {3}ignored/);
    expect(await bench.opens('unbound', 'pw2', '--key-slot', '1', '--unbound')).toBe(true);
    expect(await bench.opens('unbound', 'pw2')).toBe(false);

    await bench.cryptsetup(
      ...['luksAddKey', '--unbound', '-s', '256', ...TINY_PBKDF2_WORDS, '--key-slot', '7'],
      ...['@unbound', '@pw3'],
    );
    await bench.cryptsetup('config', '--priority', 'normal', '--key-slot', '0', '@unbound');
    await bench.cryptsetup(
      ...['luksConvertKey', '--pbkdf', 'argon2id', '--pbkdf-memory', '32', '--key-slot', '0'],
      ...['--pbkdf-force-iterations', '4', '--pbkdf-parallel', '1', '--key-file', '@pw1'],
      '@unbound',
    );
    const volume = await agree('unbound');
    expect(volume.slots().map(({ slot, unbound }) => [slot, unbound])).toEqual([
      [0, false],
      [1, true],
      [7, true],
    ]);
    const seventh = await volume.unlock(secret('pw3'), { slot: 7 });
    expect(seventh.volumeKey.lengthBytes).toBe(32);
    await expect(volume.unlock(secret('pw3'))).rejects.toThrow(/No key available/);
    expect((await volume.unlock(secret('pw1'))).slot).toBe(0);
  });

  test('tokens', async () => {
    begin('tokens');
    const text = '{"type":"own","keyslots":["0"],"z":[1.50,{}],"10":true,"2":null,"s":"a/b"}';
    await bench.edit('tokens', async (volume) => {
      expect(await volume.importToken(text, { token: 3 })).toBe(3);
      await expect(volume.importToken(text, { token: 3 })).rejects.toThrow(/Token 3 in use/);
      const keyring = '{"type":"luks2-keyring","keyslots":["0"],"key_description":"desc"}';
      expect(await volume.importToken(keyring)).toBe(0);
      await expect(volume.importToken('{"type":"luks2-x","keyslots":[]}')).rejects.toThrow();
    });
    await agree('tokens');
    expect(await bench.cryptsetup('token', 'export', '--token-id', '3', '@tokens')).toBe(text);
    await bench.cryptsetup('token', 'remove', '--token-id', '0', '@tokens');
    await bench.cryptsetup('token', 'add', '--key-description', 'other', '@tokens');
    const volume = await agree('tokens');
    expect(volume.tokenText(3)).toBe(text);
    expect(volume.tokenText(0)).toContain('"key_description":"other"');
    await bench.edit('tokens', (edited) => edited.removeToken(3));
    expect(() => volume.tokenText(9)).toThrow('Token 9 is not in use.');
    await agree('tokens');
  });

  test('names, UUID, flags', async () => {
    begin('names');
    const uuid = '01234567-89ab-cdef-0123-456789abcdef';
    await bench.edit('names', async (volume) => {
      await volume.setLabels({ label: 'lab el', subsystem: 'Ünder' });
      await volume.setUuid(uuid.toUpperCase());
      await volume.setFlags(['no-journal', 'allow-discards']);
      await volume.setLabels({ subsystem: '' });
      await expect(volume.setLabels({ label: 'x'.repeat(48) })).rejects.toThrow(/47 bytes/);
      await expect(volume.setFlags(['no-such'])).rejects.toThrow(/expected one of/);
    });
    const volume = await agree('names');
    expect([volume.label, volume.subsystem, volume.uuid]).toEqual(['lab el', '', uuid]);
    expect(volume.flags).toEqual(['allow-discards', 'no-journal']);
    await bench.cryptsetup('config', '--label', 'y', '--subsystem', 'z', '@names');
    expect((await agree('names')).label).toBe('y');
  });

  test('erased', async () => {
    begin('erased');
    await bench.edit('erased', (volume) => volume.erase());
    expect(await bench.opens('erased', 'pw1')).toBe(false);
    await agree('erased');
  });

  describe('a bad copy', () => {
    const places: [string, number, number][] = [
      ['primary', 5000, 1],
      ['primary, all of it', 0, 0x4000],
      ['secondary', 0x4000 + 20, 1],
    ];
    test.each(places)('%s: opened, repaired', async (what, at, count) => {
      begin('bad');
      const disk = bench.load('bad');
      for (let i = at; i < at + count; i += 1) disk.bytes[i]! ^= 0x55;
      const copy = what.startsWith('primary') ? 'primary' : 'secondary';
      const before = disk.bytes.slice();
      const volume = await openLuks2(disk);
      expect(volume.header.damage[copy]?.kind).toBe('invalid');
      expect((await volume.unlock(secret('pw1'))).slot).toBe(0);
      expect(Buffer.compare(disk.bytes, before)).toBe(0);
      await repairHeader(disk);
      bench.save('bad', disk);
      // cryptsetup would repair on opening; it must find nothing to do.
      const debug = await bench.cryptsetup('luksDump', '--debug', '@bad');
      expect(debug).not.toMatch(/requires recovery/);
      await agree('bad');
    });
  });

  test('headers backed up and restored by the other', async () => {
    begin('whole');
    await bench.cryptsetup('luksHeaderBackup', '--header-backup-file', '@their.bak', '@whole');
    const ours = await backupHeader(bench.load('whole'));
    expect(Buffer.compare(ours, readFileSync(bench.path('their.bak')))).toBe(0);
    await bench.edit('whole', (volume) => volume.erase());
    writeFileSync(bench.path('our.bak'), ours);
    await bench.cryptsetup('luksHeaderRestore', '--header-backup-file', '@our.bak', '@whole');
    expect(await bench.opens('whole', 'pw1')).toBe(true);

    const disk = bench.load('whole');
    await (await openLuks2(disk)).erase();
    await (await openLuks2(disk)).setUuid('01234567-89ab-cdef-0123-456789abcdef');
    const { warnings } = await restoreHeader(disk, new MemoryByteDisk(ours));
    expect(warnings).toEqual(['real device header has different UUID than backup!']);
    bench.save('whole', disk);
    expect(await bench.opens('whole', 'pw1')).toBe(true);
    await agree('whole');
  });

  test('a requirement that nobody knows', async () => {
    begin('required');
    const disk = bench.load('required');
    const header = await readHeader(disk);
    setRequirements(header.metadata, ['no-such-thing']);
    await writeHeader(disk, header);
    bench.save('required', disk);
    const volume = await agree('required');
    const { volumeKey } = await volume.unlock(secret('pw1'));
    const refusal = /Unmet LUKS2 requirements detected: "no-such-thing"/;
    expect(() => volume.segments(IMAGE_BYTES)).toThrow(refusal);
    const edits: (() => Promise<unknown>)[] = [
      () => volume.addKey(volumeKey, { passphrase: secret('pw2'), pbkdf }),
      () => volume.setLabels({ label: 'x' }),
      () => volume.setFlags([]),
      () => volume.importToken('{"type":"own","keyslots":[]}'),
    ];
    for (const edit of edits) await expect(edit()).rejects.toThrow(refusal);
    const theirs = await bench.try('config', '--label', 'x', '@required');
    expect(theirs.stderr).toContain('Unmet LUKS2 requirements detected.');
  });

  test('a re-encryption under way is dumped and mapped', async () => {
    begin('half');
    await bench.cryptsetup(
      ...['reencrypt', '--init-only', '--force-offline-reencrypt', '--key-file', '@pw1'],
      ...[...TINY_PBKDF2_WORDS, '--resilience', 'checksum', '@half'],
    );
    const volume = await agree('half');
    expect(volume.requirements).toEqual(['online-reencrypt-v2']);
    expect((await volume.unlock(secret('pw1'))).volumeKey.lengthBytes).toBe(64);
    expect(volume.segments(IMAGE_BYTES).length).toBeGreaterThan(0);
    await expect(volume.setFlags([])).rejects.toThrow(/marked for LUKS2 reencryption/);
  });
});
