/** TLS with certificates and with pre-shared keys, as libnbd and qemu do it. Every test looks at the bytes. */

import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import type { NbdServerEvent } from '../../src/exports/nbd/server.ts';
import { parsePskFile, type TlsOptions } from '../../src/exports/nbd/tls.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { makeCertificates, makePskFile, ServedVolume, VOLUME_BYTES } from './nbd-serving.ts';
import { run, succeed, temporaryFolder } from './serve-process.ts';

const CONTENT = createPrng(8).fill(Buffer.alloc(VOLUME_BYTES)) as Buffer;
let folder: ReturnType<typeof temporaryFolder>;
/** Certificates of one authority, and of another one that nobody here trusts. */
let trusted: string;
let strange: string;
let pskPath: string;

beforeAll(async () => {
  folder = temporaryFolder();
  trusted = await makeCertificates(join(folder.path, 'trusted'));
  strange = await makeCertificates(join(folder.path, 'strange'));
  pskPath = await makePskFile(join(folder.path, 'psk'), 'alice');
});

afterAll(() => folder[Symbol.dispose]());

function certificates(
  options: Partial<NonNullable<TlsOptions['certificate']>> = {},
): NonNullable<TlsOptions['certificate']> {
  const read = (name: string) => readFileSync(join(trusted, name), 'utf8');
  return {
    certificate: read('server-cert.pem'),
    key: read('server-key.pem'),
    clientAuthority: read('ca-cert.pem'),
    ...options,
  };
}

const keys = () => parsePskFile(readFileSync(pskPath, 'utf8'));

function expectSame(got: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(got, expected), 'the bytes are the same').toBe(0);
}

/** Over TCP, where libnbd checks the server's name. */
const certificateUri = (volume: ServedVolume, from: string) =>
  `nbds://localhost:${volume.tcpPort}/disk?tls-certificates=${from}`;
const pskUri = (volume: ServedVolume, user = 'alice') =>
  `nbds+unix://${user}@/disk?socket=${volume.socketPath}&tls-psk-file=${pskPath}`;

async function expectCopies(volume: ServedVolume, uri: string): Promise<void> {
  writeFileSync(volume.path('in'), CONTENT);
  await succeed('nbdcopy', '--connections=2', volume.path('in'), uri);
  expectSame(volume.bytes(), CONTENT);
  await succeed('nbdcopy', '--connections=2', uri, volume.path('out'));
  expectSame(readFileSync(volume.path('out')), CONTENT);
}

requireTools(
  'certtool',
  'nbdinfo',
  'nbdcopy',
  'qemu-img',
)('certificates', () => {
  test('nbdinfo and nbdcopy', async () => {
    await using volume = await ServedVolume.start({ tls: { certificate: certificates() } });
    const uri = certificateUri(volume, trusted);
    const info = JSON.parse(await succeed('nbdinfo', '--json', uri)) as object;
    expect(info).toMatchObject({ TLS: true, exports: [{ 'export-size': VOLUME_BYTES }] });
    await expectCopies(volume, uri);
  });

  test('qemu-img', async () => {
    await using volume = await ServedVolume.start({ tls: { certificate: certificates() } });
    volume.fill(CONTENT);
    const credentials = `tls-creds-x509,id=tls0,endpoint=client,dir=${trusted}`;
    const image = `driver=nbd,host=localhost,port=${volume.tcpPort},export=disk,tls-creds=tls0`;
    const words = ['convert', '--object', credentials, '--image-opts', image, '-O', 'raw'];
    await succeed('qemu-img', ...words, volume.path('out'));
    expectSame(readFileSync(volume.path('out')), CONTENT);
  });

  test('a client whose certificate nobody here signed is refused', async () => {
    const events: NbdServerEvent[] = [];
    const tls = { certificate: certificates() };
    await using volume = await ServedVolume.start({ tls, onEvent: (event) => events.push(event) });
    volume.fill(CONTENT);
    // It trusts the server, so that only the server can refuse.
    const mixed = await makeCertificates(join(folder.path, `mixed-${volume.tcpPort}`));
    writeFileSync(join(mixed, 'ca-cert.pem'), readFileSync(join(trusted, 'ca-cert.pem')));
    const { status } = await run('nbdcopy', certificateUri(volume, mixed), volume.path('out'));
    expect(status).not.toBe(0);
    await expect
      .poll(() => events.at(-1))
      .toMatchObject({
        kind: 'disconnected',
        reason: expect.stringMatching(/^TLS failed: the client's certificate/) as string,
      });
  });

  test('a server whose certificate the client does not know is refused by it', async () => {
    await using volume = await ServedVolume.start({ tls: { certificate: certificates() } });
    const { status, stderr } = await run('nbdinfo', certificateUri(volume, strange));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/certificate/i);
    await expect.poll(() => volume.server.status().connections).toEqual([]);
  });

  test('any client may come where none is verified', async () => {
    const certificate = certificates({ verifyClients: false });
    await using volume = await ServedVolume.start({ tls: { certificate } });
    await expectCopies(volume, certificateUri(volume, strangeButTrusting(volume)));
  });

  /** A folder with the right authority and no certificate of the client's own. */
  function strangeButTrusting(volume: ServedVolume): string {
    writeFileSync(volume.path('ca-cert.pem'), readFileSync(join(trusted, 'ca-cert.pem')));
    return volume.folder;
  }
});

requireTools(
  'psktool',
  'nbdinfo',
  'nbdcopy',
  'qemu-img',
)('pre-shared keys', () => {
  test('nbdinfo and nbdcopy', async () => {
    await using volume = await ServedVolume.start({ tls: { psk: keys() } });
    const info = JSON.parse(await succeed('nbdinfo', '--json', pskUri(volume))) as object;
    expect(info).toMatchObject({ TLS: true, exports: [{ 'export-size': VOLUME_BYTES }] });
    await expectCopies(volume, pskUri(volume));
  });

  test('qemu-img', async () => {
    await using volume = await ServedVolume.start({ tls: { psk: keys() } });
    volume.fill(CONTENT);
    const dir = dirname(pskPath);
    const credentials = `tls-creds-psk,id=tls0,endpoint=client,username=alice,dir=${dir}`;
    const image = `driver=nbd,host=localhost,port=${volume.tcpPort},export=disk,tls-creds=tls0`;
    const words = ['convert', '--object', credentials, '--image-opts', image, '-O', 'raw'];
    await succeed('qemu-img', ...words, volume.path('out'));
    expectSame(readFileSync(volume.path('out')), CONTENT);
  });

  test('beside certificates', async () => {
    const tls = { certificate: certificates({ verifyClients: false }), psk: keys() };
    await using volume = await ServedVolume.start({ tls });
    await expectCopies(volume, pskUri(volume));
    await succeed('nbdinfo', certificateUri(volume, trusted));
  });

  test.each([
    ['another key', () => new Map([['alice', Buffer.alloc(32, 1)]])],
    ['no key for that user', () => new Map([['bob', [...keys().values()][0]!]])],
  ])('%s: refused', async (_name, psk) => {
    await using volume = await ServedVolume.start({ tls: { psk: psk() } });
    expect((await run('nbdinfo', pskUri(volume))).status).not.toBe(0);
    await expect.poll(() => volume.server.status().connections).toEqual([]);
  });
});

requireTools(
  'certtool',
  'nbdinfo',
  'nbdcopy',
)('whether TLS is a must', () => {
  test('required: a plain client learns that and no more', async () => {
    await using volume = await ServedVolume.start({ tls: { psk: keys() } });
    const { status, stderr } = await run('nbdinfo', volume.uri());
    expect(status).not.toBe(0);
    expect(stderr).toContain('Operation not supported');
    expect((await run('nbdinfo', '--list', volume.uri(''))).status).not.toBe(0);
  });

  test('allowed: both come in', async () => {
    await using volume = await ServedVolume.start({ tls: { mode: 'allowed', psk: keys() } });
    await expectCopies(volume, volume.uri());
    await expectCopies(volume, pskUri(volume));
  });

  test('off: a client that insists is refused', async () => {
    await using volume = await ServedVolume.start();
    expect((await run('nbdinfo', pskUri(volume))).status).not.toBe(0);
  });
});

describe('a file of keys', () => {
  test('is read line by line, and its mistakes are named without the key', () => {
    expect([...parsePskFile('# x\n\nalice:00fF\nbob:aa\n')]).toEqual([
      ['alice', Buffer.from([0, 255])],
      ['bob', Buffer.from([170])],
    ]);
    for (const bad of ['alice', 'alice:', 'alice:abc', ':aa', 'alice:xy']) {
      expect(() => parsePskFile(`bob:aa\n${bad}`)).toThrow(
        'Cannot read PSK file: line 2: expected "user:hexadecimal key"',
      );
    }
  });
});
