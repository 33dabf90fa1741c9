/** NBD in front of a device mapper: listeners, threads for the fast path, URIs, and an orderly end. */

import { resolve } from 'node:path';
import { DmError } from '../base/errors.ts';
import { formatNbdUri, type NbdAddress, type NbdTls } from '../devices/nbd/uri.ts';
import { DataPlane } from '../exports/nbd/data-plane/data-plane.ts';
import { NbdServer, type NbdServerEvent, type NbdServerLimits } from '../exports/nbd/server.ts';
import type { TlsOptions } from '../exports/nbd/tls.ts';
import { DEFAULT_PORT } from '../protocols/nbd/constants.ts';
import { loadSystem } from '../system/index.ts';
import type { DeviceMapper } from './device-mapper.ts';
import { type MapperExportsOptions, mapperExports } from './mapper-exports.ts';

/** A Unix socket, TCP, or both. */
export interface ServeNbdOptions extends MapperExportsOptions {
  /** Unix socket; of several paths the first on which no other server answers. */
  socketPath?: string | readonly string[];
  /** A Unix socket at `path` that is listened on already, e.g. by systemd. */
  listening?: { fd: number; path: string };
  /** TCP, with `host` (default `localhost`) or `port` (default 10809; 0: any free one). */
  host?: string;
  port?: number;
  /** Serve others than this machine over TCP although TLS is not required. */
  insecure?: boolean;
  tls?: TlsOptions;
  /** What URIs tell clients about TLS, e.g. where their keys are. */
  clientTls?: Partial<NbdTls>;
  limits?: Partial<NbdServerLimits>;
  /** Connections with a thread of their own; `false` or 0: everything on the main thread. Default 8. */
  threads?: number | false;
  /** How long such a thread looks for the next request before it sleeps. Default 50. */
  spinMicroseconds?: number;
  onEvent?: (event: NbdServerEvent) => void;
}

/**
 * Offers the devices of a mapper under their names, those that come later too. Throws `DmError` when it cannot listen.
 *
 * @example
 * ```ts
 * import { DeviceMapper, serveNbd } from 'devmapper';
 *
 * await using mapper = new DeviceMapper();
 * await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
 * await using service = await serveNbd(mapper, { host: 'localhost', port: 0 });
 * console.log(service.uris('disk')[0]?.replace(/\d+/, 'PORT')); // nbd://localhost:PORT/disk
 * ```
 */
export async function serveNbd(
  mapper: DeviceMapper,
  options: ServeNbdOptions,
): Promise<NbdService> {
  const service = new NbdService(mapper, options);
  try {
    await service.listen(options);
    return service;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** A running server; `serveNbd` makes it. */
export class NbdService implements AsyncDisposable {
  readonly #server: NbdServer;
  readonly #plane: DataPlane | null;
  readonly #tls: NbdTls | null;
  readonly #addresses: NbdAddress[] = [];
  #closed: Promise<boolean> | null = null;

  constructor(mapper: DeviceMapper, options: ServeNbdOptions) {
    const plane = createPlane(options);
    const { tls, limits, onEvent } = options;
    this.#plane = plane;
    this.#tls = tls ? { verifyPeer: true, ...options.clientTls } : null;
    this.#server = new NbdServer({
      exports: mapperExports(mapper.engine, options),
      ...(tls && { tls }),
      ...(limits && { limits }),
      ...(onEvent && { onEvent }),
      ...(plane && { adopt: plane.adopt }),
    });
  }

  /** Where it listens, in the order asked for. */
  get addresses(): readonly NbdAddress[] {
    return this.#addresses;
  }

  /** Of the Unix socket, if there is one. */
  get socketPath(): string | null {
    const address = this.#addresses.find(({ kind }) => kind === 'unix');
    return address?.kind === 'unix' ? address.path : null;
  }

  get connectionCount(): number {
    return this.#server.status().connections.length;
  }

  /** Connections that have a thread of their own now. */
  get threadCount(): number {
    return this.#plane?.busyThreadCount ?? 0;
  }

  /** Under which a client finds the device, one for each address. */
  uris(name: string): string[] {
    return this.#addresses.map((address) =>
      formatNbdUri({ address, exportName: name, tls: this.#tls }),
    );
  }

  /** Called by `serveNbd`. */
  async listen(options: ServeNbdOptions): Promise<void> {
    const { socketPath, listening, host, port, insecure = false } = options;
    if (listening !== undefined) {
      await this.#server.listenDescriptor(listening.fd);
      this.#addresses.push({ kind: 'unix', path: resolve(listening.path) });
    }
    if (socketPath !== undefined) {
      const path = await this.#listenUnix([socketPath].flat());
      this.#addresses.push({ kind: 'unix', path });
    }
    if (host !== undefined || port !== undefined) {
      const address = { host: host ?? 'localhost', port: port ?? DEFAULT_PORT, insecure };
      const boundPort = await this.#server.listenTcp(address);
      this.#addresses.push({ kind: 'tcp', host: reachableHost(address.host), port: boundPort });
    }
    if (this.#addresses.length === 0) {
      throw new DmError('EINVAL', 'Cannot serve: expected a socket path, or a host or port');
    }
  }

  async #listenUnix(paths: readonly string[]): Promise<string> {
    for (const path of paths) {
      try {
        await this.#server.listenUnix(path);
        return resolve(path);
      } catch (error) {
        const isTaken = error instanceof DmError && error.code === 'EBUSY';
        if (!isTaken || path === paths.at(-1)) throw error;
      }
    }
    throw new DmError('EINVAL', 'Cannot serve: the list of socket paths is empty');
  }

  /**
   * Accepts nobody any more, finishes the requests under way, hangs up, flushes. After `timeoutMs` (default 30,000) it stops
   * waiting for what is under way, and resolves with false. Throws `DmError` when the last flush failed.
   */
  close(options: { timeoutMs?: number } = {}): Promise<boolean> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  async #close(options: { timeoutMs?: number }): Promise<boolean> {
    this.#plane?.shutDown();
    try {
      return await this.#server.close(options);
    } finally {
      await this.#plane?.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function createPlane({ threads, spinMicroseconds }: ServeNbdOptions): DataPlane | null {
  const system = loadSystem();
  if (system === null || threads === false || threads === 0) return null;
  return new DataPlane({
    system,
    ...(threads !== undefined && { maxThreads: threads }),
    ...(spinMicroseconds !== undefined && { spinMicroseconds }),
  });
}

/** An address that means all addresses is none to connect to. */
function reachableHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}
