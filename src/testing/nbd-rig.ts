/** An NBD device, the fake server below it, and time that passes when told: what tests of losses and returns stand on. */

import { expect } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Op } from '../core/bio.ts';
import { NbdDevice } from '../devices/nbd/device.ts';
import { parseNbdUri } from '../devices/nbd/uri.ts';
import { TransmissionFlag } from '../protocols/nbd/constants.ts';
import { type StartedBio, startBio } from './device-io.ts';
import {
  ALL_FLAGS,
  type FakeConnection,
  FakeNbdServer,
  type FakeRequest,
  type FakeServerSettings,
} from './fake-nbd-server.ts';

export const TIMEOUT_MS = 30_000;
export const MULTI = ALL_FLAGS | TransmissionFlag.canMultiConn;

/** A device, its server, and time that passes when told. */
export class Rig {
  readonly clock = new SimulatedClock();
  readonly reports: string[] = [];
  readonly server: FakeNbdServer;
  device!: NbdDevice;
  /** Requests that the server keeps for itself while `holds` is on. */
  held: { connection: FakeConnection; request: FakeRequest }[] = [];
  holds = false;

  constructor(settings: Partial<FakeServerSettings> = {}) {
    this.server = new FakeNbdServer({
      onRequest: (connection, request) => {
        if (this.holds) this.held.push({ connection, request });
        return this.holds;
      },
      ...settings,
    });
  }

  async connect(): Promise<this> {
    this.device = await NbdDevice.connect({
      uri: parseNbdUri('nbd://fake/disk'),
      clock: this.clock,
      connect: this.server.connect,
      number: { major: 251, minor: 0 },
      readOnly: false,
      timeoutMs: TIMEOUT_MS,
      report: (message) => this.reports.push(message),
    });
    await this.settle();
    return this;
  }

  /** A pipe's byte takes a turn or two; time stands still. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(0);
  }

  async pass(durationMs: number): Promise<void> {
    await this.clock.advance(durationMs);
    await this.settle();
  }

  start(op: Op, fields: { sector?: number; data?: Uint8Array; flags?: number } = {}): StartedBio {
    const sectorCount = op === Op.flush ? 0 : 1;
    const data = op === Op.flush ? new Uint8Array(0) : new Uint8Array(512);
    return startBio(this.device, { op, sectorCount, data, ...fields });
  }

  async run(op: Op, fields: Parameters<Rig['start']>[1] = {}): Promise<number> {
    const { ended } = this.start(op, fields);
    await this.settle();
    return ended;
  }

  answerHeld(): void {
    for (const { connection, request } of this.held.splice(0)) connection.answer(request);
  }

  async restart(): Promise<void> {
    this.server.kill();
    await this.settle();
    await this.pass(200);
  }
}

const rigs: Rig[] = [];
export async function rig(settings: Partial<FakeServerSettings> = {}): Promise<Rig> {
  const made = await new Rig(settings).connect();
  rigs.push(made);
  return made;
}

/** Closes every rig of the test, and finds timers that were left behind. */
export async function closeRigs(): Promise<void> {
  for (const { device, clock, server } of rigs.splice(0)) {
    server.kill();
    server.down = true;
    const closing = device.close();
    await clock.advance(10 * TIMEOUT_MS);
    await closing;
    expect(clock.pendingCount).toBe(0);
  }
}

export const filled = (value: number) => new Uint8Array(512).fill(value);
