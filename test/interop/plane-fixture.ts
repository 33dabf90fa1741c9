/** A mapper, its NBD service and image files in this process, for tests of the data plane. */

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import type { TargetType } from '../../src/core/target.ts';
import { DeviceMapper } from '../../src/mapper/device-mapper.ts';
import { type NbdService, type ServeNbdOptions, serveNbd } from '../../src/mapper/serve-nbd.ts';
import { type ClientOptions, NbdClient } from './nbd-client.ts';

const builder = createRequire(import.meta.url)('../../scripts/ensure-build.cjs') as {
  ensureBuild(): void;
};
// Threads load `dist`, whatever this process was loaded from.
builder.ensureBuild();

/** Where images may lie: a file system that is memory, and one with a disk and a page cache. */
export const FOLDERS = { memory: existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), disk: tmpdir() };

export interface FixtureOptions extends Omit<ServeNbdOptions, 'socketPath' | 'port'> {
  folder?: string;
  targets?: readonly TargetType[];
}

export class PlaneFixture implements AsyncDisposable {
  readonly folder: string;
  readonly mapper: DeviceMapper;
  readonly service: NbdService;
  readonly clients: NbdClient[] = [];
  /** Why connections ended that did not end in order. */
  readonly reasons: string[];

  private constructor(
    folder: string,
    mapper: DeviceMapper,
    service: NbdService,
    reasons: string[],
  ) {
    this.folder = folder;
    this.mapper = mapper;
    this.service = service;
    this.reasons = reasons;
  }

  static async start(options: FixtureOptions = {}): Promise<PlaneFixture> {
    const { folder: parent = FOLDERS.memory, targets = [], ...rest } = options;
    const folder = mkdtempSync(join(parent, 'devmapper-plane-'));
    const mapper = new DeviceMapper({ targets });
    const reasons: string[] = [];
    const service = await serveNbd(mapper, {
      ...rest,
      socketPath: join(folder, 'nbd.sock'),
      host: '127.0.0.1',
      port: 0,
      onEvent(event) {
        if (event.kind !== 'connected' && event.reason !== null) reasons.push(event.reason);
      },
    });
    return new PlaneFixture(folder, mapper, service, reasons);
  }

  get socketPath(): string {
    return join(this.folder, 'nbd.sock');
  }

  get unix(): { path: string } {
    return { path: this.socketPath };
  }

  get tcp(): { host: string; port: number } {
    const address = this.service.addresses.find(({ kind }) => kind === 'tcp');
    if (address?.kind !== 'tcp') throw new Error('The fixture listens on TCP');
    return { host: '127.0.0.1', port: address.port };
  }

  uri(name = 'disk'): string {
    return `nbd+unix:///${name}?socket=${this.socketPath}`;
  }

  /** An image with random content of `seed`, or a hole of `sizeBytes`. */
  image(name: string, sizeBytes: number, seed?: number): string {
    const path = join(this.folder, name);
    const content = new Uint8Array(sizeBytes);
    writeFileSync(path, seed === undefined ? content : createPrng(seed).fill(content));
    return path;
  }

  async connect(options: Partial<ClientOptions> = {}): Promise<NbdClient> {
    const client = await NbdClient.connect({ address: this.unix, ...options });
    this.clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.destroy();
    for (const name of this.mapper.list()) {
      if (this.mapper.info(name).suspended) await this.mapper.resume(name);
    }
    await this.service.close({ timeoutMs: 5000 });
    await this.mapper.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Descriptors that this process has open. */
export function openDescriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Like linear, and able to run on the main thread only. */
export const mainLinear: TargetType = {
  name: 'main-linear',
  version: [1, 0, 0],
  usage: '<device> <offset>',
  summary: 'linear for the main thread alone',
  create(args, context) {
    const device = args.open(args.word('device'));
    const offset = args.sectors('offset', 'Invalid device sector');
    return {
      map(bio) {
        bio.device = device;
        bio.sector += offset - context.start;
        return 'remapped';
      },
      table: () => `${device.operand} ${offset}`,
      devices: () => [{ device, startSectors: offset, lengthSectors: context.length }],
    };
  },
};
