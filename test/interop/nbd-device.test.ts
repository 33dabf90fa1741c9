/** Our NBD client against servers that nobody here wrote, and against our own, whose extended headers they lack. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import { createPrng } from '../../src/base/prng.ts';
import { BioFlag, Op } from '../../src/core/bio.ts';
import { ExtentFlag, ExtentList } from '../../src/core/extents.ts';
import { nbdKind } from '../../src/devices/nbd/kind.ts';
import { DeviceStore } from '../../src/devices/store.ts';
import { runBio } from '../../src/testing/device-io.ts';
import { describeDevice } from '../../src/testing/device-laws.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { connectDevice, openDevice, RealServer } from './nbd-peers.ts';
import { makeCertificates, makePskFile, ServedVolume, VOLUME_BYTES } from './nbd-serving.ts';
import { temporaryFolder } from './serve-process.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const random = (lengthBytes: number, seed = 1) =>
  createPrng(seed).fill(new Uint8Array(lengthBytes));

const MIB_SECTORS = 2048;

requireTools('nbdkit', 'qemu-nbd')('laws', () => {
  const servers: Record<string, (path: string, sizeBytes: number) => Promise<RealServer>> = {
    'nbdkit memory': (path, size) => RealServer.nbdkit(path, ['memory', `${size}`]),
    'nbdkit memory, simple replies': (path, size) =>
      RealServer.nbdkit(path, ['--no-sr', 'memory', `${size}`]),
    'nbdkit memory, plain newstyle': (path, size) =>
      RealServer.nbdkit(path, ['--mask-handshake=0', 'memory', `${size}`]),
    'nbdkit without zeroes, extents and coherence': (path, size) =>
      RealServer.nbdkit(path, [
        ...['--filter=nozero', '--filter=noextents', '--filter=multi-conn'],
        ...['memory', `${size}`, 'multi-conn-mode=disable'],
      ]),
    'nbdkit with blocks of 4 KiB and small payloads': (path, size) =>
      RealServer.nbdkit(path, [
        ...['--filter=blocksize-policy', 'memory', `${size}`, 'blocksize-minimum=4096'],
        ...['blocksize-preferred=4096', 'blocksize-maximum=64K', 'blocksize-error-policy=error'],
      ]),
    'qemu-nbd': (path, size) => {
      writeFileSync(join(path, 'image'), new Uint8Array(size));
      return RealServer.qemu(path, ['--format', 'raw', '--discard', 'unmap', join(path, 'image')]);
    },
  };
  for (const [name, start] of Object.entries(servers)) {
    describeDevice(name, {
      create: async (sizeSectors) => {
        const own = temporaryFolder();
        const server = await start(own.path, sizeSectors * 512);
        const device = await connectDevice(server.uri());
        const dispose = async () => {
          await server.kill();
          own[Symbol.dispose]();
        };
        return { device, dispose };
      },
    });
  }
});

requireTools('nbdkit')('nbdkit', () => {
  test('what the device wrote is in the file, and what is in the file is read', async () => {
    const path = join(folder.path, 'image');
    const content = random(4 << 20);
    writeFileSync(path, content);
    await using server = await RealServer.nbdkit(folder.path, ['file', path]);
    await using opened = await openDevice(server.uri());
    const { device } = opened;
    const back = new Uint8Array(4 << 20);
    const whole = { sector: 0, sectorCount: 4 * MIB_SECTORS };
    expect(await runBio(device, { op: Op.read, ...whole, data: back })).toBe(0);
    expect(Buffer.compare(back, content)).toBe(0);
    const data = random(1 << 20, 2);
    const part = { sector: 77, sectorCount: MIB_SECTORS };
    expect(await runBio(device, { op: Op.write, ...part, data, flags: BioFlag.fua })).toBe(0);
    expect(await runBio(device, { op: Op.flush })).toBe(0);
    content.set(data, 77 * 512);
    expect(Buffer.compare(readFileSync(path), content)).toBe(0);
  });

  test('errors of the plugin are errors of the bio, and the device goes on', async () => {
    await using server = await RealServer.nbdkit(folder.path, [
      ...['--filter=error', 'memory', '1M', 'error-pwrite=ENOSPC', 'error-pwrite-rate=100%'],
      ...['error-zero=EIO', 'error-zero-rate=100%'],
    ]);
    await using opened = await openDevice(server.uri());
    const fields = { sector: 0, sectorCount: 8, data: new Uint8Array(4096) };
    expect(await runBio(opened.device, { op: Op.write, ...fields })).toBe(Errno.ENOSPC);
    expect(await runBio(opened.device, { op: Op.writeZeroes, ...fields })).toBe(Errno.EIO);
    expect(await runBio(opened.device, { op: Op.read, ...fields })).toBe(0);
  });

  test('slow requests overtake nothing and run side by side', async () => {
    await using server = await RealServer.nbdkit(folder.path, [
      ...['--filter=delay', 'memory', '1M', 'delay-read=300ms'],
    ]);
    await using opened = await openDevice(server.uri());
    const start = performance.now();
    const reads = Array.from({ length: 12 }, (_, sector) =>
      runBio(opened.device, { op: Op.read, sector, sectorCount: 1, data: new Uint8Array(512) }),
    );
    const write = runBio(opened.device, {
      ...{ op: Op.write, sector: 100, sectorCount: 1, data: new Uint8Array(512) },
    });
    await write;
    expect(performance.now() - start).toBeLessThan(280);
    expect(await Promise.all(reads)).toEqual(reads.map(() => 0));
    expect(performance.now() - start).toBeLessThan(2500);
  });

  test('block sizes show in the limits', async () => {
    await using server = await RealServer.nbdkit(folder.path, [
      ...['--filter=blocksize-policy', 'memory', '9M', 'blocksize-minimum=4096'],
      ...['blocksize-preferred=64K', 'blocksize-maximum=1M', 'blocksize-error-policy=error'],
    ]);
    await using opened = await openDevice(server.uri());
    const { device } = opened;
    expect(device.limits).toMatchObject({ logicalBlockBytes: 4096, ioMinBytes: 65536 });
    const data = random(9 << 20);
    const whole = { sector: 0, sectorCount: 9 * MIB_SECTORS };
    expect(await runBio(device, { op: Op.write, ...whole, data })).toBe(0);
    const back = new Uint8Array(9 << 20);
    expect(await runBio(device, { op: Op.read, ...whole, data: back })).toBe(0);
    expect(Buffer.compare(back, data)).toBe(0);
  });

  test('a size that is no multiple of 512 is rounded down', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['memory', '1048577']);
    await using opened = await openDevice(server.uri());
    expect(opened.device.sizeSectors).toBe(MIB_SECTORS);
  });

  test('holes are told from data', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['memory', '1M']);
    await using opened = await openDevice(server.uri());
    const { device } = opened;
    const data = random(65536);
    expect(await runBio(device, { op: Op.write, sector: 512, sectorCount: 128, data })).toBe(0);
    const extents = new ExtentList();
    const fields = { op: Op.blockStatus, sector: 256, sectorCount: 1024, extents };
    expect(await runBio(device, fields)).toBe(0);
    const isHole = (sector: number) => {
      const extent = extents
        .normalized(1024)
        .findLast((part) => part.offsetSectors <= sector - 256);
      return (extent!.flags & ExtentFlag.hole) !== 0;
    };
    expect([256, 400, 512, 639, 700, 1279].map(isHole)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  test('oldstyle is refused with its name', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['--oldstyle', 'memory', '1M']);
    await expect(connectDevice(server.uri())).rejects.toThrow(/oldstyle NBD protocol/);
  });

  test('a read-only export is refused for writing', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['-r', 'memory', '1M']);
    await expect(connectDevice(server.uri())).rejects.toMatchObject({ code: 'EROFS' });
    await using opened = await openDevice(server.uri(), { readOnly: true });
    const fields = { sector: 0, sectorCount: 1, data: new Uint8Array(512) };
    expect(await runBio(opened.device, { op: Op.read, ...fields })).toBe(0);
  });

  test('connections: four to a server that promises coherence', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['memory', '1M']);
    await using opened = await openDevice(server.uri());
    await expect.poll(() => opened.device.remote.connectionCount).toBe(4);
  });

  test('a table names it by URI, through the device store', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['memory', '1M']);
    const store = new DeviceStore({ kinds: [nbdKind()] });
    const uri = `${server.uri()}`;
    await store.prepare(uri);
    const opened = store.open(uri, { readOnly: false });
    expect(opened.device.operand).toBe(uri);
    expect(opened.device.sizeSectors).toBe(MIB_SECTORS);
    const data = new Uint8Array(512);
    expect(await runBio(opened.device, { op: Op.read, sector: 0, sectorCount: 1, data })).toBe(0);
    opened.release();
    await store.close();
  });
});

requireTools('qemu-nbd')('qemu-nbd', () => {
  const image = () => {
    const path = join(folder.path, 'image');
    writeFileSync(path, random(2 << 20));
    return path;
  };

  test('serves reads, writes and block status', async () => {
    const path = image();
    await using server = await RealServer.qemu(folder.path, ['-f', 'raw', '-x', 'disk', path]);
    await using opened = await openDevice(server.uri('disk'));
    const { device } = opened;
    const data = random(1 << 20, 3);
    const part = { sector: 5, sectorCount: MIB_SECTORS };
    expect(await runBio(device, { op: Op.write, ...part, data })).toBe(0);
    expect(await runBio(device, { op: Op.writeZeroes, sector: 2060, sectorCount: 100 })).toBe(0);
    expect(await runBio(device, { op: Op.flush })).toBe(0);
    const expected = random(2 << 20);
    expected.set(data, 5 * 512);
    expected.fill(0, 2060 * 512, 2160 * 512);
    expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
    const extents = new ExtentList();
    const fields = { op: Op.blockStatus, sector: 0, sectorCount: 4096, extents };
    expect(await runBio(device, fields)).toBe(0);
    expect(extents.normalized(4096).at(0)!.flags).toBe(0);
  });

  test('an unknown export: the ones there are named', async () => {
    await using server = await RealServer.qemu(folder.path, ['-f', 'raw', '-x', 'disk', image()]);
    await expect(connectDevice(server.uri('nix'))).rejects.toThrow(
      /the server has no export "nix"; exports there: "disk"/,
    );
  });
});

requireTools(
  'nbdkit',
  'qemu-nbd',
  'certtool',
  'psktool',
)('TLS', () => {
  const check = async (uri: string) => {
    await using opened = await openDevice(uri);
    const data = random(1 << 20, 4);
    const part = { sector: 3, sectorCount: MIB_SECTORS - 3, data };
    expect(await runBio(opened.device, { op: Op.write, ...part })).toBe(0);
    const back = new Uint8Array(1 << 20);
    expect(await runBio(opened.device, { op: Op.read, ...part, data: back })).toBe(0);
    const lengthBytes = (MIB_SECTORS - 3) * 512;
    expect(Buffer.compare(back.subarray(0, lengthBytes), data.subarray(0, lengthBytes))).toBe(0);
  };

  test('nbdkit, certificates, TCP: name and authority are verified', async () => {
    const pki = await makeCertificates(join(folder.path, 'pki'));
    const other = await makeCertificates(join(folder.path, 'other'));
    await using server = await RealServer.nbdkitTcp(folder.path, [
      ...['--tls=require', `--tls-certificates=${pki}`, '--tls-verify-peer', 'memory', '1M'],
    ]);
    const uri = (host: string, more: string) => `nbds://${host}:${server.port}/?${more}`;
    await check(uri('localhost', `tls-certificates=${pki}`));
    await check(uri('127.0.0.1', `tls-certificates=${pki}`));
    await check(uri('127.0.0.1', `tls-certificates=${pki}&tls-hostname=localhost`));
    const refuse = (text: string) => expect(connectDevice(text)).rejects;
    await refuse(uri('localhost', `tls-certificates=${pki}&tls-hostname=other.example`)).toThrow(
      /TLS failed: Hostname\/IP does not match/,
    );
    await refuse(uri('localhost', `tls-certificates=${other}`)).toMatchObject({ code: 'EACCES' });
    await refuse(`nbd://localhost:${server.port}/`).toThrow(/requires TLS: use nbds/);
  });

  test('nbdkit, certificates, Unix socket: authority, and the name if one is given', async () => {
    const pki = await makeCertificates(join(folder.path, 'pki'));
    const empty = join(folder.path, 'empty');
    mkdirSync(empty);
    await using server = await RealServer.nbdkit(folder.path, [
      ...['--tls=require', `--tls-certificates=${pki}`, 'memory', '1M'],
    ]);
    await check(server.uri('', `&tls-certificates=${pki}`));
    await check(server.uri('', `&tls-certificates=${pki}&tls-hostname=localhost`));
    await check(server.uri('', '&tls-verify-peer=0'));
    const refuse = (more: string) => expect(connectDevice(server.uri('', more))).rejects;
    await refuse(`&tls-certificates=${pki}&tls-hostname=nix`).toThrow(/does not match/);
    await refuse('&tls-verify-peer=1').toThrow(/TLS failed/);
    await refuse(`&tls-certificates=${empty}`).toThrow(/neither ca-cert.pem nor client-cert.pem/);
  });

  test('nbdkit, pre-shared key', async () => {
    const keys = await makePskFile(join(folder.path, 'psk'), 'alice');
    await using server = await RealServer.nbdkit(folder.path, [
      ...['--tls=require', `--tls-psk=${keys}`, 'memory', '1M'],
    ]);
    const uri = (user: string, file = keys) =>
      `nbds+unix://${user}@/?socket=${server.socketPath}&tls-psk-file=${file}`;
    await check(uri('alice'));
    await expect(connectDevice(uri('bob'))).rejects.toThrow(/no key for "bob"/);
    const wrong = join(folder.path, 'wrong.psk');
    writeFileSync(wrong, `alice:${'00'.repeat(32)}\n`);
    await expect(connectDevice(uri('alice', wrong))).rejects.toMatchObject({ code: 'EACCES' });
    writeFileSync(wrong, 'alice:secret\n');
    await expect(connectDevice(uri('alice', wrong))).rejects.toThrow(/not hexadecimal$/);
  });

  test('qemu-nbd, certificates and pre-shared key', async () => {
    const pki = await makeCertificates(join(folder.path, 'pki'));
    const keys = await makePskFile(join(folder.path, 'psk'), 'alice');
    const path = join(folder.path, 'image');
    writeFileSync(path, new Uint8Array(1 << 20));
    const tail = ['--tls-creds', 'tls0', '-f', 'raw', path];
    {
      await using server = await RealServer.qemu(folder.path, [
        ...['--object', `tls-creds-x509,id=tls0,endpoint=server,dir=${pki},verify-peer=yes`],
        ...tail,
      ]);
      await check(server.uri('', `&tls-certificates=${pki}&tls-hostname=localhost`));
    }
    await using server = await RealServer.qemu(folder.path, [
      ...['--object', `tls-creds-psk,id=tls0,endpoint=server,dir=${join(folder.path, 'psk')}`],
      ...tail,
    ]);
    await check(`nbds+unix://alice@/?socket=${server.socketPath}&tls-psk-file=${keys}`);
  });

  test('a server without TLS is refused', async () => {
    await using server = await RealServer.nbdkit(folder.path, ['memory', '1M']);
    await expect(connectDevice(server.uri('', '&tls-verify-peer=0'))).rejects.toThrow(
      /the server does not offer TLS/,
    );
  });
});

requireTools()('our own server', () => {
  test('speaks extended headers with us', async () => {
    await using volume = await ServedVolume.start();
    await using opened = await openDevice(volume.uri());
    const { device } = opened;
    expect(device.remote.info.replies).toBe('extended');
    const data = random(VOLUME_BYTES, 5);
    const whole = { sector: 0, sectorCount: VOLUME_BYTES / 512 };
    expect(await runBio(device, { op: Op.write, ...whole, data })).toBe(0);
    expect(Buffer.compare(volume.bytes(), data)).toBe(0);
    const back = new Uint8Array(VOLUME_BYTES);
    expect(await runBio(device, { op: Op.read, ...whole, data: back })).toBe(0);
    expect(Buffer.compare(back, data)).toBe(0);
    expect(await runBio(device, { op: Op.writeZeroes, ...whole })).toBe(0);
    expect(volume.bytes().every((byte) => byte === 0)).toBe(true);
    const extents = new ExtentList();
    expect(await runBio(device, { op: Op.blockStatus, ...whole, extents })).toBe(0);
  });
});
