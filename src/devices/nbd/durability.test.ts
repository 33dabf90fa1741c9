import { afterEach, describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { Command, NbdError, Option, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import { ALL_FLAGS, type FakeServerSettings } from '../../testing/fake-nbd-server.ts';
import { closeRigs, filled, MULTI, type Rig, rig } from '../../testing/nbd-rig.ts';

afterEach(closeRigs);

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

  test('a connection that came late but before any loss vouches for all writes', async () => {
    const r: Rig = await rig({
      flags: MULTI,
      onOption: (connection, option) => {
        // Only the first connection gets through.
        if (option === Option.go) connection.server.down = true;
        return false;
      },
    });
    expect(r.device.remote.connectionCount).toBe(1);
    await r.run(Op.write, { data: filled(1) });
    r.server.settings.onOption = () => false;
    r.server.down = false;
    await r.pass(300);
    expect(r.device.remote.connectionCount).toBe(4);
    r.server.connections[0]!.close();
    await r.settle();
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

  test('seen by one connection of several: the others are given up too', async () => {
    const r = await rig({ flags: MULTI });
    r.holds = true;
    const bios = Array.from({ length: 4 }, (_, sector) => r.start(Op.read, { sector }));
    await r.settle();
    r.server.settings.bytes = new Uint8Array(512);
    r.held[0]!.connection.close();
    await r.pass(200);
    expect(await Promise.all(bios.map(({ ended }) => ended))).toEqual(bios.map(() => Errno.ENXIO));
    expect(r.server.openConnections).toHaveLength(0);
    await r.pass(60_000);
    expect(r.server.connections).toHaveLength(5);
  });

  test('with more features than before: goes on', async () => {
    const r = await rig({ flags: ALL_FLAGS & ~TransmissionFlag.sendTrim });
    r.server.settings.flags = ALL_FLAGS;
    await r.restart();
    expect(await r.run(Op.read)).toBe(0);
  });
});
