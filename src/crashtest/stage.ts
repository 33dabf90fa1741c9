/**
 * Where programs find a disk: each at an NBD socket of its own, and, where FUSE is there, as a file. One folder has all of it and is gone with
 * the stage.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DmError } from '../base/errors.ts';
import type { BlockDevice } from '../core/device.ts';
import type { DeviceOpener } from '../core/device-opener.ts';
import { Mapper } from '../core/mapper.ts';
import { createTargetRegistry } from '../core/target.ts';
import { formatNbdUri } from '../devices/nbd/uri.ts';
import { FuseExport } from '../exports/fuse/fuse-export.ts';
import { fixedExports } from '../exports/nbd/exports.ts';
import { NbdServer } from '../exports/nbd/server.ts';
import { linear } from '../targets/linear.ts';

export interface StagedDisk {
  uri: string;
  /** As a file; null without FUSE. */
  path: string | null;
}

export interface StageOptions {
  /** false: no files, whether or not FUSE is there. */
  files: boolean;
}

/** Of a program that hangs on to its connection when all is over. */
const CLOSE_LIMIT_MS = 1000;

export class Stage implements AsyncDisposable {
  /** For whatever belongs to the run. */
  readonly folder = mkdtempSync(join(tmpdir(), 'devmapper-crashtest-'));
  readonly #devices = new Map<string, BlockDevice>();
  readonly #mapper: Mapper;
  readonly #servers: NbdServer[] = [];
  #fuse: FuseExport | null = null;
  /** Why disks are no files; null: they are, or are not to be. */
  #obstacle: string | null = null;

  /** Also where the process is made to end at once. */
  readonly #removeFolder = () => {
    process.off('exit', this.#removeFolder);
    // Of disks that are still mounted only the folder stays.
    if (this.#fuse === null) rmSync(this.folder, { recursive: true, force: true });
  };

  private constructor() {
    process.on('exit', this.#removeFolder);
    const opener: DeviceOpener = {
      prepare: () => Promise.resolve(),
      open: (operand) => {
        const device = this.#devices.get(operand);
        if (device === undefined) throw new DmError('ENOENT', `There is no disk ${operand}`);
        return { device, release: () => {} };
      },
    };
    this.#mapper = new Mapper({ registry: createTargetRegistry([linear]), opener });
  }

  static async open({ files }: StageOptions): Promise<Stage> {
    const stage = new Stage();
    if (files) await stage.#mount();
    return stage;
  }

  get obstacle(): string | null {
    return this.#obstacle;
  }

  async #mount(): Promise<void> {
    const folder = join(this.folder, 'disks');
    mkdirSync(folder);
    try {
      this.#fuse = await FuseExport.mount({ mapper: this.#mapper, folder, threads: 1 });
    } catch (error) {
      if (!(error instanceof DmError)) throw error;
      this.#obstacle = error.message;
    }
  }

  /** Names are the caller's: plain words, each once. */
  async add(name: string, device: BlockDevice): Promise<StagedDisk> {
    const server = new NbdServer({
      exports: fixedExports([
        { name, description: '', device, readOnly: false, open: () => () => {} },
      ]),
    });
    this.#servers.push(server);
    const socketPath = join(this.folder, `${name}.sock`);
    await server.listenUnix(socketPath);
    const uri = formatNbdUri({
      address: { kind: 'unix', path: socketPath },
      exportName: '',
      tls: null,
    });
    if (this.#fuse === null) return { uri, path: null };
    this.#devices.set(name, device);
    const mapped = this.#mapper.create({ name });
    const row = { start: 0, length: device.sizeSectors, type: 'linear', params: `${name} 0` };
    await this.#mapper.load(mapped, [row]);
    await mapped.resume();
    return { uri, path: join(this.#fuse.folder, name) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#fuse?.unmount({ force: true });
      this.#fuse = null;
      await Promise.all(this.#servers.map((server) => closeServer(server)));
    } finally {
      this.#removeFolder();
    }
  }
}

/** Nobody asks for what is on these disks any more. */
async function closeServer(server: NbdServer): Promise<void> {
  try {
    await server.close({ timeoutMs: CLOSE_LIMIT_MS });
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
  }
}
