/** The crypt target beside programs that know the same encryption: qemu's luks driver, cryptsetup's images, OpenSSL for the ciphers no kernel here has. */

import { randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCipherSpec } from '../../src/crypto/cipher-spec.ts';
import { createSectorCipher } from '../../src/crypto/create-sector-cipher.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { cryptTable, makeLuks1, qemuLuks } from './crypt-images.ts';
import { ServeProcess, succeed, temporaryFolder } from './serve-process.ts';

const PAYLOAD_SECTORS = 8 * 2048;
const PAYLOAD_BYTES = PAYLOAD_SECTORS * 512;

requireTools(
  'cryptsetup',
  'qemu-img',
  'qemu-io',
  'nbdcopy',
)('an image of LUKS1', () => {
  test('reads as in qemu, and qemu reads what is written to it', async () => {
    using folder = temporaryFolder();
    const image = await makeLuks1(folder.path, PAYLOAD_SECTORS);
    const file = (name: string) => join(folder.path, name);
    const readByQemu = async () => {
      await succeed('qemu-img', 'convert', ...qemuLuks(image), '-O', 'raw', file('qemu'));
      return readFileSync(file('qemu'));
    };
    const before = await readByQemu();
    await using server = await ServeProcess.start(folder.path, '--table', cryptTable(image));
    await succeed('nbdcopy', server.uri(), file('ours'));
    expect(readFileSync(file('ours')).equals(before)).toBe(true);

    const written = randomFillSync(Buffer.alloc(PAYLOAD_BYTES));
    writeFileSync(file('written'), written);
    await succeed('nbdcopy', '--flush', file('written'), server.uri());
    // Each of the two takes the image for itself.
    expect(await server.stop()).toBe(0);
    expect((await readByQemu()).equals(written)).toBe(true);
  });

  test("qemu's requests of any size and place come back, from us and from qemu's own driver", async () => {
    using folder = temporaryFolder();
    const image = await makeLuks1(folder.path, PAYLOAD_SECTORS);
    await using server = await ServeProcess.start(folder.path, '--table', cryptTable(image));
    const pieces = [
      { offset: 0, length: 512, pattern: 0x11 },
      { offset: 512, length: 1536, pattern: 0x22 },
      { offset: 65_536 - 512, length: 4096, pattern: 0x33 },
      { offset: 100_352, length: 300_032, pattern: 0x44 },
      { offset: 1 << 20, length: 3 << 20, pattern: 0x55 },
      // qemu reads and writes whole sectors around it.
      { offset: (5 << 20) + 7, length: 1000, pattern: 0x66 },
      { offset: PAYLOAD_BYTES - 512, length: 512, pattern: 0x77 },
    ];
    const commands = (command: string) =>
      pieces.flatMap(({ offset, length, pattern }) => [
        '-c',
        `${command} -P ${pattern} ${offset} ${length}`,
      ]);
    const zero = ['-c', 'write -z 6M 512k', '-c', 'flush'];
    await succeed('qemu-io', '-f', 'raw', server.uri(), ...commands('write'), ...zero);
    const check = [...commands('read'), '-c', 'read -P 0 6M 512k'];
    const verify = async (place: readonly string[]) => {
      const output = await succeed('qemu-io', ...place, ...check);
      expect(output).not.toContain('verification failed');
      expect(output.match(/^read /gm)).toHaveLength(pieces.length + 1);
    };
    await verify(['-f', 'raw', server.uri()]);
    expect(await server.stop()).toBe(0);
    await verify(qemuLuks(image));
  });
});

requireTools('openssl')('ciphers that OpenSSL has and the kernel of the tests has not', () => {
  const sectors = 3;
  const firstIv = 0x1_0000_0001n;
  const plain = randomFillSync(new Uint8Array(sectors * 512));

  async function byOpenssl(name: string, key: Uint8Array): Promise<Buffer> {
    using folder = temporaryFolder();
    const file = (path: string) => join(folder.path, path);
    const pieces: Buffer[] = [];
    for (let sector = 0; sector < sectors; sector += 1) {
      const iv = Buffer.alloc(16);
      iv.writeBigUInt64LE(firstIv + BigInt(sector));
      writeFileSync(file('in'), plain.subarray(sector * 512, (sector + 1) * 512));
      await succeed(
        'openssl',
        ...['enc', `-${name}`, '-nopad', '-in', file('in'), '-out', file('out')],
        ...['-K', Buffer.from(key).toString('hex')],
        ...(name.endsWith('ecb') ? [] : ['-iv', iv.toString('hex')]),
      );
      pieces.push(readFileSync(file('out')));
    }
    return Buffer.concat(pieces);
  }

  const ciphers = [16, 24, 32].map((keyBytes) => ({
    cipher: 'aria',
    keyBytes,
    opensslName: `aria-${keyBytes * 8}`,
  }));
  const all = [...ciphers, { cipher: 'sm4', keyBytes: 16, opensslName: 'sm4' }];

  describe.each(all)('$opensslName', ({ cipher, keyBytes, opensslName }) => {
    test.each(['cbc', 'ctr', 'ecb'])('%s', async (mode) => {
      const key = randomFillSync(new Uint8Array(keyBytes));
      const spec = parseCipherSpec(`${cipher}-${mode}-plain64`);
      using ours = createSectorCipher({
        spec,
        key,
        sectorBytes: 512,
        ivLargeSectors: false,
        ivOffset: firstIv,
      });
      const encrypted = new Uint8Array(plain.length);
      ours.encrypt(plain, 0, encrypted, 0, plain.length, 0);
      expect(Buffer.from(encrypted).equals(await byOpenssl(`${opensslName}-${mode}`, key))).toBe(
        true,
      );
      ours.decrypt(encrypted, 0, encrypted, 0, plain.length, 0);
      expect(Buffer.compare(encrypted, plain)).toBe(0);
    });
  });
});
