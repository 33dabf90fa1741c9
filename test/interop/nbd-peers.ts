/** Real NBD servers for tests of our client: nbdkit and qemu-nbd in a temporary folder, killed and started again at will. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { NbdDevice } from '../../src/devices/nbd/device.ts';
import type { RemoteExportOptions } from '../../src/devices/nbd/remote-export.ts';
import { parseNbdUri } from '../../src/devices/nbd/uri.ts';
import { toolEnvironment } from '../../src/testing/tools.ts';

const START_MS = 10_000;

/** A server process on a Unix socket, or on a TCP port. */
export class RealServer implements AsyncDisposable {
  readonly socketPath: string;
  readonly port: number | null;
  /** Written as soon as the server listens. */
  readonly #pidPath: string;
  readonly #command: string;
  readonly #words: readonly string[];
  #child!: ChildProcess;
  #stderr = '';

  private constructor(command: string, folder: string, words: readonly string[], port?: number) {
    this.#command = command;
    this.socketPath = join(folder, `${command}.sock`);
    this.#pidPath = join(folder, `${command}.pid`);
    this.port = port ?? null;
    this.#words = words;
  }

  static async nbdkit(folder: string, words: readonly string[]): Promise<RealServer> {
    const place = ['--unix', join(folder, 'nbdkit.sock')];
    return RealServer.#started(new RealServer('nbdkit', folder, [...place, ...words]));
  }

  static async nbdkitTcp(folder: string, words: readonly string[]): Promise<RealServer> {
    const port = await freePort();
    const place = ['--ipaddr', '127.0.0.1', '--port', `${port}`];
    return RealServer.#started(new RealServer('nbdkit', folder, [...place, ...words], port));
  }

  static async qemu(folder: string, words: readonly string[]): Promise<RealServer> {
    const place = ['--socket', join(folder, 'qemu-nbd.sock'), '--persistent', '--shared', '8'];
    return RealServer.#started(new RealServer('qemu-nbd', folder, [...place, ...words]));
  }

  static async #started(server: RealServer): Promise<RealServer> {
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    // What a killed server leaves behind would be taken for the new one.
    for (const path of [this.socketPath, this.#pidPath]) rmSync(path, { force: true });
    const [foreground, pid] =
      this.#command === 'nbdkit' ? ['--foreground', '--pidfile'] : ['', '--pid-file'];
    const words = [foreground, pid, this.#pidPath, ...this.#words].filter((word) => word !== '');
    const child = spawn(this.#command, words, {
      env: toolEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    for (let waitedMs = 0; !existsSync(this.#pidPath); waitedMs += 10) {
      if (child.exitCode !== null || waitedMs > START_MS) {
        throw new Error(`${this.#command} ${this.#words.join(' ')} did not start: ${this.#stderr}`);
      }
      await sleep(systemClock, 10);
    }
  }

  /** Resolves when the process is gone. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** There, but silent. One thread takes the signal and stops the others once it runs: until then they may answer. */
  async pause(): Promise<void> {
    const folder = `/proc/${this.#child.pid}/task`;
    this.#child.kill('SIGSTOP');
    const isStopped = (thread: string) =>
      /^State:\s*T/m.test(readFileSync(join(folder, thread, 'status'), 'utf8'));
    while (!readdirSync(folder).every(isStopped)) await sleep(systemClock, 5);
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  uri(exportName = '', parameters = ''): string {
    const scheme = parameters === '' ? 'nbd' : 'nbds';
    return `${scheme}+unix:///${exportName}?socket=${this.socketPath}${parameters}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

type ConnectOptions = Partial<Omit<RemoteExportOptions, 'uri'>> & { readOnly?: boolean };

export function connectDevice(uri: string, options: ConnectOptions = {}): Promise<NbdDevice> {
  return NbdDevice.connect({
    clock: systemClock,
    number: { major: 251, minor: 0 },
    readOnly: false,
    ...options,
    uri: parseNbdUri(uri),
  });
}

/** Closes the device when the block that holds it is left. */
export async function openDevice(uri: string, options: ConnectOptions = {}) {
  const device = await connectDevice(uri, options);
  return { device, [Symbol.asyncDispose]: () => device.close() };
}
