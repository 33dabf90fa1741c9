import { afterEach, describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { Command, NbdError, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import { type StartedBio, startBio } from '../../testing/device-io.ts';
import {
  ALL_FLAGS,
  type FakeConnection,
  FakeNbdServer,
  type FakeRequest,
  type FakeServerSettings,
} from '../../testing/fake-nbd-server.ts';
import { NbdDevice } from './device.ts';
import { parseNbdUri } from './uri.ts';

const TIMEOUT_MS = 30_000;
const MULTI = ALL_FLAGS | TransmissionFlag.canMultiConn;

/** A device, its server, and time that passes when told. */
class Rig {
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
async function rig(settings: Partial<FakeServerSettings> = {}): Promise<Rig> {
  const made = await new Rig(settings).connect();
  rigs.push(made);
  return made;
}

afterEach(async () => {
  for (const { device, clock, server } of rigs.splice(0)) {
    server.kill();
    server.down = true;
    const closing = device.close();
    await clock.advance(10 * TIMEOUT_MS);
    await closing;
    expect(clock.pendingCount).toBe(0);
  }
});

const filled = (value: number) => new Uint8Array(512).fill(value);

describe('a lost connection', () => {
  test('in-flight requests go out again, once, and end well', async () => {
    const r = await rig();
    const { server } = r;
    r.holds = true;
    const bios = [
      r.start(Op.read, { sector: 3 }),
      r.start(Op.write, { sector: 4, data: filled(7) }),
      r.start(Op.flush),
    ];
    await r.settle();
    expect(r.held).toHaveLength(3);
    r.holds = false;
    await r.restart();
    expect(await Promise.all(bios.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    expect(server.requests).toHaveLength(6);
    expect(server.settings.bytes.subarray(4 * 512, 5 * 512)).toEqual(filled(7));
    expect(r.reports).toContain('connected again');
  });

  test('lost again, they fail with EIO, and the device goes on', async () => {
    const r = await rig();
    r.holds = true;
    const bio = r.start(Op.read);
    await r.settle();
    await r.restart();
    expect(r.held).toHaveLength(2);
    expect(bio.bio.endCount).toBe(0);
    await r.restart();
    expect(await bio.ended).toBe(Errno.EIO);
    r.holds = false;
    await r.pass(1000);
    expect(r.server.requests).toHaveLength(2);
    expect(await r.run(Op.read)).toBe(0);
  });

  test('what was never sent does not count as replayed', async () => {
    const r = await rig();
    r.server.kill();
    await r.settle();
    r.holds = true;
    const bio = r.start(Op.write, { data: filled(1) });
    await r.pass(200);
    expect(r.held).toHaveLength(1);
    await r.restart();
    r.answerHeld();
    r.holds = false;
    await r.restart();
    await r.settle();
    expect(await bio.ended).toBe(Errno.EIO);
    expect(r.server.requests).toHaveLength(2);
  });

  test('a reply cut in two is a loss, and the read is whole after the replay', async () => {
    const bytes = Uint8Array.from({ length: 65536 }, (_, i) => i * 3);
    let cut = true;
    const r = await rig({
      bytes,
      onRequest: (connection, request) => {
        if (!cut) return false;
        cut = false;
        const half = new Uint8Array(20 + 8 + 256).fill(0xaa);
        connection.sendData(request, half.subarray(0, 256), { flags: 0 });
        connection.close();
        return true;
      },
    });
    const data = new Uint8Array(512);
    const bio = r.start(Op.read, { sector: 9, data });
    await r.pass(500);
    expect(await bio.ended).toBe(0);
    expect(data).toEqual(bytes.subarray(9 * 512, 10 * 512));
  });

  test('with another connection up, replays go there at once', async () => {
    const r = await rig({ flags: MULTI });
    expect(r.device.remote.connectionCount).toBe(4);
    r.holds = true;
    const bio = r.start(Op.write, { data: filled(5) });
    await r.settle();
    r.holds = false;
    r.held[0]!.connection.close();
    await r.settle();
    expect(await bio.ended).toBe(0);
    expect(r.device.remote.connectionCount).toBe(3);
    await r.pass(200);
    expect(r.device.remote.connectionCount).toBe(4);
  });

  test('a server that says it is shutting down is left, and the request goes to the next', async () => {
    let refuse = true;
    const r = await rig({
      onRequest: (connection, request) => {
        if (!refuse) return false;
        refuse = false;
        connection.sendError(request, NbdError.ESHUTDOWN);
        return true;
      },
    });
    const bio = r.start(Op.write, { data: filled(3) });
    await r.pass(500);
    expect(await bio.ended).toBe(0);
    expect(r.server.connections).toHaveLength(2);
  });
});

describe('pauses between attempts', () => {
  test('double up to five seconds and start over after an answer', async () => {
    const r = await rig();
    r.server.down = true;
    r.server.kill();
    await r.pass(60_000);
    const failures = r.reports.filter((text) => text.includes('nobody listens'));
    // 100, 200, 400 ... 3200, then every 5000 ms
    expect(failures).toHaveLength(6 + Math.floor((60_000 - 6300) / 5000));
    r.server.down = false;
    await r.pass(5000);
    expect(await r.run(Op.read)).toBe(0);
    r.reports.length = 0;
    r.server.kill();
    await r.pass(150);
    expect(r.reports).toContain('connected again');
  });

  test('a server that accepts and hangs up is not hammered', async () => {
    const r = await rig({
      onRequest: (connection) => {
        connection.close();
        return true;
      },
    });
    for (let round = 0; round < 100; round += 1) {
      r.start(Op.read);
      await r.pass(500);
    }
    expect(r.server.connections.length).toBeLessThan(25);
  });
});

describe('a server that stays away', () => {
  test('bios wait, then fail with ETIMEDOUT; later ones fail at once, until it is back', async () => {
    const r = await rig();
    r.server.down = true;
    r.server.kill();
    const waiting = [r.start(Op.read), r.start(Op.write, { data: filled(1) })];
    await r.pass(TIMEOUT_MS - 2000);
    const late = r.start(Op.flush);
    expect(waiting.every(({ bio }) => bio.endCount === 0)).toBe(true);
    await r.pass(3000);
    expect(await Promise.all([...waiting, late].map(({ ended }) => ended))).toEqual([
      Errno.ETIMEDOUT,
      Errno.ETIMEDOUT,
      Errno.ETIMEDOUT,
    ]);
    expect(await r.run(Op.read)).toBe(Errno.EIO);
    r.server.down = false;
    await r.pass(5000);
    expect(await r.run(Op.read)).toBe(0);
  });

  test('idle, it may be away for long: the time counts from the first bio', async () => {
    const r = await rig();
    r.server.down = true;
    r.server.kill();
    await r.pass(100 * TIMEOUT_MS);
    const bio = r.start(Op.read);
    await r.pass(TIMEOUT_MS - 6000);
    r.server.down = false;
    await r.pass(5500);
    expect(await bio.ended).toBe(0);
  });

  test('one that stops answering without hanging up is a loss too', async () => {
    const r = await rig();
    r.holds = true;
    const bio = r.start(Op.read);
    await r.pass(TIMEOUT_MS + 2000);
    expect(await bio.ended).toBe(Errno.ETIMEDOUT);
    expect(r.reports.join()).toMatch(/the server stopped answering/);
    r.holds = false;
    await r.pass(1000);
    expect(await r.run(Op.read)).toBe(0);
  });

  test('one that answers others but never this one is a loss in the end', async () => {
    const r = await rig();
    r.server.settings.onRequest = (_connection, { offsetBytes }) => offsetBytes === 0;
    const neglected = r.start(Op.read, { sector: 0 });
    for (let second = 0; second < 150 && neglected.bio.endCount === 0; second += 1) {
      expect(await r.run(Op.read, { sector: 1 })).toBe(0);
      await r.pass(1000);
    }
    expect(await neglected.ended).toBe(Errno.ETIMEDOUT);
  });

  test('an idle connection is never judged silent', async () => {
    const r = await rig();
    await r.pass(100 * TIMEOUT_MS);
    expect(r.server.connections).toHaveLength(1);
    expect(r.reports).toEqual([]);
  });
});

describe('flush after a loss', () => {
  test('fails once when writes were acknowledged and not flushed', async () => {
    const r = await rig();
    expect(await r.run(Op.write, { data: filled(1) })).toBe(0);
    await r.restart();
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
    expect(r.server.commands()).toEqual([Command.write]);
    expect(await r.run(Op.flush)).toBe(0);
  });

  test.each([
    ['nothing was written', async () => {}],
    [
      'everything was flushed',
      async (r: Rig) => {
        await r.run(Op.write, { data: filled(1) });
        await r.run(Op.flush);
      },
    ],
    [
      'all writes had FUA',
      async (r: Rig) => {
        await r.run(Op.write, { data: filled(1), flags: BioFlag.fua });
      },
    ],
    [
      'only reads were done',
      async (r: Rig) => {
        await r.run(Op.read);
      },
    ],
  ])('succeeds when %s', async (_name, before) => {
    const r = await rig();
    await before(r);
    await r.restart();
    expect(await r.run(Op.flush)).toBe(0);
  });

  test('succeeds for writes that were replayed, since they went to the new server', async () => {
    const r = await rig();
    r.holds = true;
    const bio = r.start(Op.write, { data: filled(2) });
    await r.settle();
    r.holds = false;
    await r.restart();
    expect(await bio.ended).toBe(0);
    expect(await r.run(Op.flush)).toBe(0);
  });

  test('a flush that does not cover the write does not absolve it', async () => {
    const r = await rig();
    r.holds = true;
    const flush = r.start(Op.flush);
    await r.settle();
    r.holds = false;
    expect(await r.run(Op.write, { data: filled(1) })).toBe(0);
    r.answerHeld();
    await r.settle();
    expect(await flush.ended).toBe(0);
    await r.restart();
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
  });

  test('one in flight at the loss fails too', async () => {
    const r = await rig();
    await r.run(Op.write, { data: filled(1) });
    r.holds = true;
    const flush = r.start(Op.flush);
    await r.settle();
    r.holds = false;
    await r.restart();
    expect(await flush.ended).toBe(Errno.EIO);
  });

  test('a failed FUA write does not use up the report', async () => {
    const r = await rig({ flags: ALL_FLAGS & ~TransmissionFlag.sendFua });
    await r.run(Op.write, { data: filled(1) });
    await r.restart();
    expect(await r.run(Op.write, { data: filled(1), flags: BioFlag.fua })).toBe(Errno.EIO);
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
    expect(await r.run(Op.flush)).toBe(0);
    expect(await r.run(Op.write, { data: filled(1), flags: BioFlag.fua })).toBe(0);
  });

  test('a flush that the server fails leaves the writes uncovered', async () => {
    const r = await rig();
    await r.run(Op.write, { data: filled(1) });
    r.server.settings.onRequest = (connection, request) => {
      r.server.settings.onRequest = () => false;
      connection.sendError(request, NbdError.EIO);
      return true;
    };
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
    await r.restart();
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
    expect(await r.run(Op.flush)).toBe(0);
  });

  test('with several connections, one that outlived the writes can vouch for them', async () => {
    const r = await rig({ flags: MULTI });
    await r.run(Op.write, { data: filled(1) });
    r.server.openConnections[0]!.close();
    await r.pass(200);
    expect(await r.run(Op.flush)).toBe(0);
  });

  test('with several connections, none that is new can', async () => {
    const r = await rig({ flags: MULTI });
    await r.run(Op.write, { data: filled(1) });
    const old = [...r.server.openConnections];
    for (const connection of old) {
      connection.close();
      await r.pass(300);
      expect(await r.run(Op.read)).toBe(0);
    }
    expect(r.device.remote.connectionCount).toBe(4);
    expect(await r.run(Op.flush)).toBe(Errno.EIO);
    expect(await r.run(Op.flush)).toBe(0);
  });
});

describe('an export that comes back changed', () => {
  test.each<[string, Partial<FakeServerSettings>, RegExp]>([
    ['larger', { bytes: new Uint8Array(128 * 1024) }, /its size was 65536 bytes .* and is 131072/],
    ['smaller', { bytes: new Uint8Array(512) }, /its size was 65536/],
    ['read-only', { flags: ALL_FLAGS | TransmissionFlag.readOnly }, /it became read-only/],
    ['without flush', { flags: ALL_FLAGS & ~TransmissionFlag.sendFlush }, /it lost flush/],
    ['without block status', { metaContexts: false }, /it lost block status/],
    [
      'with larger blocks',
      {
        blockSize: { minimumBytes: 4096, preferredBytes: 4096, maxPayloadBytes: 1 << 25 },
      },
      /minimum block size was 512 and is 4096/,
    ],
    [
      'with smaller payloads',
      {
        blockSize: { minimumBytes: 512, preferredBytes: 4096, maxPayloadBytes: 4096 },
      },
      /maximum payload was 33554432 and is 4096/,
    ],
  ])('%s: fails for good with ENXIO', async (_name, change, reason) => {
    const r = await rig();
    r.holds = true;
    const bio = r.start(Op.write, { data: filled(9) });
    await r.settle();
    r.holds = false;
    Object.assign(r.server.settings, change);
    const written = r.server.requests.length;
    await r.restart();
    expect(await bio.ended).toBe(Errno.ENXIO);
    expect(await r.run(Op.read)).toBe(Errno.ENXIO);
    expect(r.device.remote.failure?.message).toMatch(reason);
    await r.pass(60_000);
    expect(r.server.requests).toHaveLength(written);
    expect(r.server.openConnections).toHaveLength(0);
  });

  test('with more features than before: goes on', async () => {
    const r = await rig({ flags: ALL_FLAGS & ~TransmissionFlag.sendTrim });
    r.server.settings.flags = ALL_FLAGS;
    await r.restart();
    expect(await r.run(Op.read)).toBe(0);
  });
});

describe('closing while things go wrong', () => {
  test('waits for bios that wait for the server, which end in time', async () => {
    const r = await rig();
    r.server.down = true;
    r.server.kill();
    const bio = r.start(Op.read);
    const closing = r.device.close();
    await r.pass(TIMEOUT_MS + 2000);
    expect(await bio.ended).toBe(Errno.ETIMEDOUT);
    await closing;
  });

  test('does not wait long for a server that never hangs up', async () => {
    const r = await rig();
    const [connection] = r.server.connections;
    Object.assign(connection!, { close: () => {} });
    const closing = r.device.close();
    await r.pass(2500);
    await closing;
  });
});
