import { afterEach, describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import { NbdError } from '../../protocols/nbd/constants.ts';
import type { StartedBio } from '../../testing/device-io.ts';
import { closeRigs, filled, MULTI, rig, TIMEOUT_MS } from '../../testing/nbd-rig.ts';

afterEach(closeRigs);

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

  test('with others up, what was in flight waits for the next attempt to connect', async () => {
    const r = await rig({ flags: MULTI });
    expect(r.device.remote.connectionCount).toBe(4);
    r.holds = true;
    const bio = r.start(Op.write, { data: filled(5) });
    await r.settle();
    r.holds = false;
    r.held[0]!.connection.close();
    await r.pass(50);
    expect(r.device.remote.connectionCount).toBe(3);
    expect(await r.run(Op.read)).toBe(0);
    expect(bio.bio.endCount).toBe(0);
    await r.pass(100);
    expect(await bio.ended).toBe(0);
    expect(r.device.remote.connectionCount).toBe(4);
  });

  test('when that attempt fails, those that are up have proved themselves', async () => {
    const r = await rig({ flags: MULTI });
    r.holds = true;
    const bios = [r.start(Op.write, { data: filled(5) }), r.start(Op.flush)];
    await r.settle();
    r.holds = false;
    r.server.down = true;
    for (const { connection } of r.held) connection.close();
    await r.pass(150);
    expect(await Promise.all(bios.map(({ ended }) => ended))).toEqual([0, 0]);
  });

  test('when all connections go one after the other, that is one loss', async () => {
    const r = await rig({ flags: MULTI });
    r.holds = true;
    const bios = Array.from({ length: 12 }, (_, sector) => r.start(Op.read, { sector }));
    await r.settle();
    r.holds = false;
    for (const connection of r.server.openConnections) {
      connection.close();
      await r.settle();
    }
    await r.pass(200);
    expect(await Promise.all(bios.map(({ ended }) => ended))).toEqual(bios.map(() => 0));
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

  test('nor are idle connections while others are busy', async () => {
    const r = await rig({ flags: MULTI });
    r.holds = true;
    const bios: StartedBio[] = [];
    for (let second = 0; second < 100; second += 1) {
      const before = r.held.splice(0);
      bios.push(r.start(Op.read));
      await r.settle();
      for (const { connection, request } of before) connection.answer(request);
      await r.pass(1000);
    }
    r.answerHeld();
    await r.settle();
    expect(await Promise.all(bios.map(({ ended }) => ended))).toEqual(bios.map(() => 0));
    expect(r.server.connections).toHaveLength(4);
  });

  test('an idle connection is never judged silent', async () => {
    const r = await rig();
    await r.pass(100 * TIMEOUT_MS);
    expect(r.server.connections).toHaveLength(1);
    expect(r.reports).toEqual([]);
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
