/** A server of ours inside the test, over two memory disks that are one volume, and keys for TLS made by real tools. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { Mapper } from '../../src/core/mapper.ts';
import { createTargetRegistry } from '../../src/core/target.ts';
import { fixedExports } from '../../src/exports/nbd/exports.ts';
import { NbdServer, type NbdServerOptions } from '../../src/exports/nbd/server.ts';
import { linear } from '../../src/targets/linear.ts';
import { type TestDisk, TestDisks } from '../../src/testing/test-disk.ts';
import { succeed, temporaryFolder } from './serve-process.ts';

const DISK_SECTORS = 16_384;
export const VOLUME_BYTES = 2 * DISK_SECTORS * 512;

export class ServedVolume implements AsyncDisposable {
  readonly folder: string;
  readonly server: NbdServer;
  readonly device: MappedDevice;
  readonly #disks: readonly [TestDisk, TestDisk];
  readonly #cleanUp: () => void;
  tcpPort = 0;

  private constructor(
    folder: Disposable & { path: string },
    device: MappedDevice,
    disks: readonly [TestDisk, TestDisk],
    server: NbdServer,
  ) {
    this.folder = folder.path;
    this.device = device;
    this.server = server;
    this.#disks = disks;
    this.#cleanUp = () => folder[Symbol.dispose]();
  }

  /** Exports `disk` (described, writable) and `locked` (read-only), both the same volume; `disk` is the default. */
  static async start(options: Partial<NbdServerOptions> = {}): Promise<ServedVolume> {
    const folder = temporaryFolder();
    const opener = new TestDisks();
    const disks = [
      opener.add('A', { sizeSectors: DISK_SECTORS }),
      opener.add('B', { sizeSectors: DISK_SECTORS }),
    ] as const;
    const mapper = new Mapper({ registry: createTargetRegistry([linear]), opener });
    const device = mapper.create({ name: 'disk' });
    await mapper.load(device, [
      { start: 0, length: DISK_SECTORS, type: 'linear', params: 'A 0' },
      { start: DISK_SECTORS, length: DISK_SECTORS, type: 'linear', params: 'B 0' },
    ]);
    await device.resume();
    const open = () => () => {};
    const exports = fixedExports([
      { name: 'disk', description: 'two disks', device, readOnly: false, open },
      { name: 'locked', description: '', device, readOnly: true, open },
    ]);
    const server = new NbdServer({ exports, defaultExport: 'disk', ...options });
    const volume = new ServedVolume(folder, device, disks, server);
    await server.listenUnix(volume.socketPath);
    volume.tcpPort = await server.listenTcp({ host: '127.0.0.1', port: 0 });
    return volume;
  }

  get socketPath(): string {
    return join(this.folder, 'nbd.sock');
  }

  uri(exportName = 'disk'): string {
    return `nbd+unix:///${exportName}?socket=${this.socketPath}`;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** The volume's bytes, straight from the disks. */
  bytes(): Buffer {
    return Buffer.concat(this.#disks.map(({ bytes }) => bytes));
  }

  fill(bytes: Uint8Array): void {
    this.#disks[0].bytes.set(bytes.subarray(0, VOLUME_BYTES / 2));
    this.#disks[1].bytes.set(bytes.subarray(VOLUME_BYTES / 2));
  }

  /** What reached the disks: `op` and `flags` of each bio. */
  recorded(): { op: string; flags: number }[] {
    return this.#disks.flatMap(({ recorded }) => recorded);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ timeoutMs: 5000 });
    this.#cleanUp();
  }
}

/** A certificate authority with a server and a client, in one folder under the names that libnbd and qemu look for. */
export async function makeCertificates(folder: string): Promise<string> {
  mkdirSync(folder);
  const path = (name: string) => join(folder, name);
  const common = ['--no-text'];
  for (const name of ['ca', 'server', 'client']) {
    const key = path(`${name}-key.pem`);
    await succeed(
      'certtool',
      '--generate-privkey',
      '--key-type',
      'ecdsa',
      '--outfile',
      key,
      ...common,
    );
  }
  writeFileSync(path('ca.info'), 'cn = Test authority\nca\ncert_signing_key\n');
  const server = 'cn = localhost\ndns_name = localhost\nip_address = 127.0.0.1\ntls_www_server\n';
  writeFileSync(path('server.info'), `${server}signing_key\nencryption_key\n`);
  writeFileSync(path('client.info'), 'cn = Client\ntls_www_client\nsigning_key\nencryption_key\n');
  await succeed(
    'certtool',
    '--generate-self-signed',
    ...common,
    '--load-privkey',
    path('ca-key.pem'),
    '--template',
    path('ca.info'),
    '--outfile',
    path('ca-cert.pem'),
  );
  for (const name of ['server', 'client']) {
    await succeed(
      'certtool',
      '--generate-certificate',
      ...common,
      '--load-ca-certificate',
      path('ca-cert.pem'),
      '--load-ca-privkey',
      path('ca-key.pem'),
      '--load-privkey',
      path(`${name}-key.pem`),
      '--template',
      path(`${name}.info`),
      '--outfile',
      path(`${name}-cert.pem`),
    );
  }
  return folder;
}

/** A file of keys with one user; `psktool` draws the key. */
export async function makePskFile(folder: string, user: string): Promise<string> {
  mkdirSync(folder);
  const path = join(folder, 'keys.psk');
  await succeed('psktool', '-u', user, '-p', path);
  return path;
}
