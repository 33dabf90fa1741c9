/** The work of `devmapper serve`: build the devices, serve them, and on a signal give everything back in order. */

import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { DmError } from '../base/errors.ts';
import type { NbdServerEvent } from '../exports/nbd/server.ts';
import { DeviceMapper } from '../mapper/device-mapper.ts';
import { type NbdService, type ServeNbdOptions, serveNbd } from '../mapper/serve-nbd.ts';
import { because, CommandError, FAILURE_STATUS, usageError } from './failure.ts';
import { buildDevice } from './serve-build.ts';
import type { ServeOptions } from './serve-command.ts';
import { listenOptions } from './serve-listen.ts';
import { type PlannedDevice, planDevices } from './serve-plan.ts';
import { formatJson, formatText, type ServedState } from './serve-report.ts';
import { listenForStop } from './stop-signals.ts';
import { terminalStyle } from './style.ts';
import { readStandardInput } from './table-source.ts';

/** Resolves with the exit status, after a signal. */
export async function serve(words: readonly string[], options: ServeOptions): Promise<number> {
  checkLuksWords(options);
  const plan = planDevices({
    operands: words,
    names: options.name ?? [],
    tables: options.table ?? [],
    luks: options.luks ?? [],
  });
  const listening = listenOptions(options);
  if (options.table?.includes('-')) readStandardInput();
  const mapper = new DeviceMapper({ lock: options.lock, report: say });
  // A signal ends this at once: nothing was written yet that needs more, and a key that is being derived could not be given up.
  await buildAll(mapper, plan, options);
  // From before the first socket is taken, so that there is no moment at which a signal leaves one behind.
  let service: NbdService | null = null;
  const signals = listenForStop({
    say,
    waitingFor: () => describeWork(mapper, service),
    force: () => forceEnd(mapper, service, options),
  });
  try {
    service = await listen(mapper, { ...listening, ...(options.verbose && { onEvent }) });
    announce(mapper, service, options);
    say(`${await signals.stopped}: stopping (${describeWork(mapper, service)})`);
    if (!(await service.close())) say('note: hung up on clients that did not come to an end');
    await mapper.close();
    say(`flushed ${plan.map(({ name }) => name).join(', ')}; stopped`);
    return 0;
  } catch (error) {
    // The error that is on its way says more than what ending after it may find.
    await service?.close().catch(() => undefined);
    await mapper.close().catch(() => undefined);
    throw error;
  } finally {
    signals.dispose();
    if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true });
  }
}

async function buildAll(
  mapper: DeviceMapper,
  plan: readonly PlannedDevice[],
  options: ServeOptions,
): Promise<void> {
  try {
    for (const device of plan) await buildDevice(mapper, device, { ...options, say });
  } catch (error) {
    await mapper.close().catch(() => undefined);
    throw error;
  }
}

/** Options of --luks mean nothing without it; a key file that is not used would be a surprise. */
function checkLuksWords(options: ServeOptions): void {
  if (options.luks !== undefined) return;
  const { keyFile, keyfileOffset, keyfileSize, header, keySlot, allowDiscards } = options;
  const words = [keyFile, keyfileOffset, keyfileSize, header, keySlot, allowDiscards];
  if (words.every((word) => word === undefined)) return;
  throw usageError(
    'Cannot use --key-file, --header, --key-slot or --allow-discards without --luks',
    'devmapper serve --luks IMAGE --key-file FILE',
  );
}

async function listen(mapper: DeviceMapper, options: ServeNbdOptions): Promise<NbdService> {
  try {
    return await serveNbd(mapper, options);
  } catch (error) {
    if (!(error instanceof DmError) || error.code !== 'EPERM') throw error;
    const advice = 'Give keys (--tls-cert or --tls-psk), or let everybody in with --insecure';
    throw new CommandError(error.message, { details: [advice], cause: error });
  }
}

/** For people; standard output stays for what programs read. */
function say(line: string): void {
  process.stderr.write(`devmapper: ${line}\n`);
}

function onEvent(event: NbdServerEvent): void {
  const reason = 'reason' in event && event.reason !== null ? `: ${event.reason}` : '';
  const target =
    'exportName' in event && event.exportName !== null ? ` from ${event.exportName}` : '';
  say(`client ${event.peer} ${event.kind}${target}${reason}`);
}

function announce(mapper: DeviceMapper, service: NbdService, options: ServeOptions): void {
  try {
    if (options.pidFile !== undefined) writeFileSync(options.pidFile, `${process.pid}\n`);
    const state = servedState(mapper, service);
    process.stdout.write(options.json ? formatJson(state) : formatText(state, terminalStyle()));
    if (options.readyFd !== undefined) writeSync(options.readyFd, 'ready\n');
  } catch (error) {
    throw new CommandError(`Cannot tell that the devices are served: ${because(error)}`, {
      cause: error,
    });
  }
}

function servedState(mapper: DeviceMapper, service: NbdService): ServedState {
  const devices = mapper.list().map((name) => {
    const { sizeSectors, readOnly } = mapper.info(name);
    return { name, sizeSectors, readOnly, rows: mapper.table(name), uris: service.uris(name) };
  });
  return { devices, socketPath: service.socketPath, pid: process.pid };
}

/** `2 connections, disk: 3 requests` */
function describeWork(mapper: DeviceMapper, service: NbdService | null): string {
  const parts = [plural(service?.connectionCount ?? 0, 'connection')];
  for (const name of mapper.list()) {
    const { inFlight } = mapper.statistics(name);
    if (inFlight > 0) parts.push(`${name}: ${plural(inFlight, 'request')} under way`);
  }
  return parts.join(', ');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function forceEnd(mapper: DeviceMapper, service: NbdService | null, options: ServeOptions): void {
  say(`gave up on ${describeWork(mapper, service)}; what was not flushed may be lost`);
  for (const path of [service?.socketPath, options.pidFile]) {
    if (path) rmSync(path, { force: true });
  }
  // Node's exit waits for its threads, and one that is asleep in a system call for an answer does not wake up for that.
  if (service !== null && service.threadCount > 0) process.kill(process.pid, 'SIGKILL');
  process.exit(FAILURE_STATUS);
}
