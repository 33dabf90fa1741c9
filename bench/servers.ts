/** The servers compared: how each is told to serve the joined volume on a Unix socket, started, watched and stopped. */

import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../src/base/clock.ts';
import { SECTOR_BYTES } from '../src/base/units.ts';
import type { Images } from './images.ts';
import { readUsage, type Usage } from './process-usage.ts';

export const OURS = 'devmapper';
export const PEERS = ['nbdkit-split', 'nbdkit-file', 'qemu-nbd'] as const;
export type ServerName = typeof OURS | (typeof PEERS)[number];

export const DEVMAPPER = fileURLToPath(new URL('../bin/devmapper', import.meta.url));
/** The first start in a checkout builds the program. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 20;

export function serverCommand(name: ServerName, images: Images, socket: string): string[] {
  switch (name) {
    case 'devmapper':
      return serveCommand(socket, [{ name: 'disk', lines: linearVolume(images) }]);
    case 'nbdkit-split':
      return ['nbdkit', '-f', '-U', socket, 'split', images.first, images.second];
    case 'nbdkit-file':
      return ['nbdkit', '-f', '-U', socket, 'file', images.joined];
    case 'qemu-nbd':
      return [
        ...['qemu-nbd', '-f', 'raw', '--cache=writeback', '-e', '8', '--persistent'],
        ...['-x', 'disk', '-k', socket, images.joined],
      ];
  }
}

function linearVolume({ first, second, diskBytes }: Images): string[] {
  const sectors = diskBytes / SECTOR_BYTES;
  return [`0 ${sectors} linear ${first} 0`, `${sectors} ${sectors} linear ${second} 0`];
}

/** `devmapper serve` with some devices; the tables go through files beside the socket, since a long one fits no argument. */
export function serveCommand(
  socket: string,
  devices: readonly { name: string; lines: readonly string[] }[],
): string[] {
  const args = devices.flatMap(({ name, lines }) => {
    const path = `${socket}.${name}.table`;
    writeFileSync(path, `${lines.join('\n')}\n`);
    return ['--name', name, '--table', path];
  });
  return [DEVMAPPER, 'serve', ...args, '--socket', socket];
}

const running = new Set<ChildProcess>();

/** For a benchmark that is interrupted. */
export function killServers(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** A server that answers on its socket. */
export class RunningServer {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #socket: string;

  private constructor(name: string, child: ChildProcess, socket: string) {
    this.name = name;
    this.#child = child;
    this.#socket = socket;
  }

  static async start(name: string, command: readonly string[], socket: string) {
    rmSync(socket, { force: true });
    const [program, ...args] = command as [string, ...string[]];
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    running.add(child);
    child.once('exit', () => running.delete(child));
    let complaint = '';
    child.stderr.on('data', (text) => {
      complaint = `${complaint}${text}`.slice(-4000);
    });
    child.on('error', (error) => {
      complaint += error.message;
    });
    const server = new RunningServer(name, child, socket);
    const limitMs = systemClock.nowMs() + START_LIMIT_MS;
    while (!(await answers(socket))) {
      if (hasEnded(child) || child.pid === undefined)
        throw new Error(`Cannot start ${name}: ${command.join(' ')}\n${complaint}`);
      if (systemClock.nowMs() > limitMs) {
        await server.stop();
        throw new Error(`Cannot start ${name}: no answer on ${socket}\n${complaint}`);
      }
      await sleep(systemClock, POLL_MS);
    }
    return server;
  }

  uri(exportName = 'disk'): string {
    return `nbd+unix:///${exportName}?socket=${this.#socket}`;
  }

  usage(): Usage {
    if (hasEnded(this.#child)) throw new Error(`${this.name} ended while it was measured`);
    return readUsage(this.#child.pid!);
  }

  async stop(): Promise<void> {
    if (hasEnded(this.#child)) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = systemClock.after(STOP_LIMIT_MS, () => this.#child.kill('SIGKILL'));
    await ended;
    timer.cancel();
    rmSync(this.#socket, { force: true });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether an NBD server greets on the socket; that it exists is not enough. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.on('data', (bytes) => {
      resolve(bytes.subarray(0, 8).toString('latin1') === 'NBDMAGIC');
      socket.destroy();
    });
  });
}

export function socketPath(folder: string, name: string): string {
  return join(folder, `${name}.sock`);
}
