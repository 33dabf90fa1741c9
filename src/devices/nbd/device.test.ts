import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { BioFlag, Op } from '../../core/bio.ts';
import { ExtentFlag, ExtentList } from '../../core/extents.ts';
import { Command, CommandFlag, NbdError, TransmissionFlag } from '../../protocols/nbd/constants.ts';
import { runBio } from '../../testing/device-io.ts';
import { describeDevice } from '../../testing/device-laws.ts';
import {
  ALL_FLAGS,
  FakeNbdServer,
  type FakeServerSettings,
  isFua,
} from '../../testing/fake-nbd-server.ts';
import { NbdDevice } from './device.ts';
import { parseNbdUri } from './uri.ts';

async function connect(settings: Partial<FakeServerSettings> = {}, readOnly = false) {
  const server = new FakeNbdServer(settings);
  const device = await NbdDevice.connect({
    uri: parseNbdUri('nbd://fake/disk'),
    clock: new SimulatedClock(),
    connect: server.connect,
    number: { major: 251, minor: 0 },
    readOnly,
  });
  return { server, device };
}

const pattern = (lengthBytes: number) => Uint8Array.from({ length: lengthBytes }, (_, i) => i * 7);

for (const replies of ['simple', 'structured', 'extended'] as const) {
  describeDevice(`fake server, ${replies} replies`, {
    create: async (sizeSectors) => {
      const flags = ALL_FLAGS | (replies === 'structured' ? TransmissionFlag.canMultiConn : 0);
      const { server, device } = await connect({
        bytes: new Uint8Array(sizeSectors * 512),
        replies,
        flags,
      });
      const failNext = (errno: number) => {
        server.settings.onRequest = (connection, request) => {
          server.settings.onRequest = () => false;
          connection.sendError(request, errno);
          return true;
        };
      };
      return { device, failNext };
    },
  });
}

describe('a device over a server that lacks things', () => {
  test('emulates FUA by a flush', async () => {
    const { server, device } = await connect({ flags: ALL_FLAGS & ~TransmissionFlag.sendFua });
    const data = pattern(512);
    const write = { op: Op.write, sector: 1, sectorCount: 1, data };
    expect(await runBio(device, { ...write, flags: BioFlag.fua })).toBe(0);
    expect(server.commands()).toEqual([Command.write, Command.flush]);
    expect(server.requests.some(isFua)).toBe(false);
  });

  test('a write that failed is not flushed', async () => {
    const { server, device } = await connect({
      flags: ALL_FLAGS & ~TransmissionFlag.sendFua,
      onRequest: (connection, request) => {
        connection.sendError(request, NbdError.ENOSPC);
        return true;
      },
    });
    const write = { op: Op.write, sector: 1, sectorCount: 1, data: pattern(512) };
    expect(await runBio(device, { ...write, flags: BioFlag.fua })).toBe(Errno.ENOSPC);
    expect(server.commands()).toEqual([Command.write]);
  });

  test('uses FUA where it is', async () => {
    const { server, device } = await connect();
    for (const op of [Op.write, Op.writeZeroes, Op.discard]) {
      const data = op === Op.write ? pattern(512) : new Uint8Array(0);
      await runBio(device, { op, sector: 1, sectorCount: 1, data, flags: BioFlag.fua });
    }
    expect(server.commands()).toEqual([Command.write, Command.writeZeroes, Command.trim]);
    expect(server.requests.every(isFua)).toBe(true);
  });

  test('emulates write zeroes by writes, FUA included', async () => {
    const bytes = pattern(1024 * 1024);
    const flags = TransmissionFlag.hasFlags | TransmissionFlag.sendFlush;
    const { server, device } = await connect({ bytes, flags });
    const fields = { op: Op.writeZeroes, sector: 1, sectorCount: 2046, flags: BioFlag.fua };
    expect(await runBio(device, fields)).toBe(0);
    expect(bytes.subarray(512, -512).every((byte) => byte === 0)).toBe(true);
    expect(bytes[511]).toBe((511 * 7) & 255);
    expect(server.commands().at(-1)).toBe(Command.flush);
    expect(server.requests.at(-2)!.command).toBe(Command.write);
  });

  test('fast zero is refused where it would not be fast', async () => {
    const { server, device } = await connect({ flags: ALL_FLAGS & ~TransmissionFlag.sendFastZero });
    const fields = { op: Op.writeZeroes, sector: 0, sectorCount: 8, flags: BioFlag.fastZero };
    expect(await runBio(device, fields)).toBe(Errno.ENOTSUP);
    expect(server.requests).toHaveLength(0);
  });

  test('flags of write zeroes are passed on', async () => {
    const { server, device } = await connect();
    const flags = BioFlag.fastZero | BioFlag.noUnmap;
    await runBio(device, { op: Op.writeZeroes, sector: 0, sectorCount: 8, flags });
    expect(server.requests[0]!.flags).toBe(CommandFlag.fastZero | CommandFlag.noHole);
  });

  test('discard is refused, prefetch and flush are nothing', async () => {
    const { server, device } = await connect({ flags: TransmissionFlag.hasFlags });
    const range = { sector: 0, sectorCount: 8 };
    expect(device.limits.discardGranularityBytes).toBe(0);
    expect(await runBio(device, { op: Op.discard, ...range })).toBe(Errno.ENOTSUP);
    expect(await runBio(device, { op: Op.read, ...range, flags: BioFlag.prefetch })).toBe(0);
    expect(await runBio(device, { op: Op.flush })).toBe(0);
    expect(server.requests).toHaveLength(0);
  });

  test('prefetch becomes CACHE', async () => {
    const { server, device } = await connect();
    const fields = { op: Op.read, sector: 0, sectorCount: 8, flags: BioFlag.prefetch };
    expect(await runBio(device, fields)).toBe(0);
    expect(server.commands()).toEqual([Command.cache]);
  });

  test('without block status everything is data', async () => {
    const { server, device } = await connect({ metaContexts: false });
    const extents = new ExtentList();
    expect(await runBio(device, { op: Op.blockStatus, sector: 0, sectorCount: 8, extents })).toBe(
      0,
    );
    expect(extents.normalized(8)).toEqual([{ offsetSectors: 0, lengthSectors: 8, flags: 0 }]);
    expect(server.requests).toHaveLength(0);
  });
});

describe('a read-only export', () => {
  test('is refused for writing and serves reads', async () => {
    const flags = ALL_FLAGS | TransmissionFlag.readOnly;
    await expect(connect({ flags })).rejects.toMatchObject({ code: 'EROFS' });
    const { device } = await connect({ flags }, true);
    expect(device.readOnly).toBe(true);
    expect(() => device.upgrade()).toThrow(/the export is read-only/);
    const fields = { sector: 0, sectorCount: 1, data: new Uint8Array(512) };
    expect(await runBio(device, { op: Op.write, ...fields })).toBe(Errno.EROFS);
    expect(await runBio(device, { op: Op.read, ...fields })).toBe(0);
  });

  test('a writable export opened read-only can be upgraded', async () => {
    const { device } = await connect({}, true);
    const fields = { op: Op.write, sector: 0, sectorCount: 1, data: pattern(512) };
    expect(await runBio(device, fields)).toBe(Errno.EROFS);
    device.upgrade();
    expect(await runBio(device, fields)).toBe(0);
  });
});

describe('sizes', () => {
  test('block sizes become limits, and a partial block at the end is left out', async () => {
    const { device } = await connect({
      bytes: new Uint8Array(4096 * 3 + 1000),
      blockSize: { minimumBytes: 4096, preferredBytes: 65536, maxPayloadBytes: 0xffffffff },
    });
    expect(device.limits).toMatchObject({ logicalBlockBytes: 4096, ioMinBytes: 65536 });
    expect(device.sizeSectors).toBe(24);
  });

  test('a size that is no multiple of 512 is rounded down', async () => {
    const { device } = await connect({ bytes: new Uint8Array(1025) });
    expect(device.sizeSectors).toBe(2);
  });

  test.each(['structured', 'extended'] as const)(
    'large bios are cut to the maximum payload (%s)',
    async (replies) => {
      const bytes = pattern(64 * 1024);
      const { server, device } = await connect({
        bytes,
        replies,
        blockSize: { minimumBytes: 1, preferredBytes: 512, maxPayloadBytes: 1500 },
      });
      const data = new Uint8Array(20 * 512 + 100);
      const fields = { op: Op.read, sector: 3, sectorCount: 20, data, dataOffset: 100 };
      expect(await runBio(device, fields)).toBe(0);
      expect(data.subarray(100)).toEqual(bytes.subarray(3 * 512, 23 * 512));
      expect(server.requests.map(({ lengthBytes }) => lengthBytes)).toEqual(
        Array.from({ length: 10 }, () => 1024),
      );
      const zeroes = { op: Op.writeZeroes, sector: 0, sectorCount: 128 };
      expect(await runBio(device, zeroes)).toBe(0);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    },
  );

  test('a failing piece fails the bio once, and no more pieces go out', async () => {
    const { server, device } = await connect({
      blockSize: { minimumBytes: 1, preferredBytes: 512, maxPayloadBytes: 512 },
      onRequest: (connection, request) => {
        if (request.offsetBytes < 5 * 512) return false;
        connection.sendError(request, NbdError.ENOSPC, 'full');
        return true;
      },
    });
    const fields = { op: Op.write, sector: 0, sectorCount: 100, data: pattern(51200) };
    expect(await runBio(device, fields)).toBe(Errno.ENOSPC);
    expect(server.requests.length).toBeLessThan(40);
  });

  test.each([
    [{ minimumBytes: 3, preferredBytes: 512, maxPayloadBytes: 4096 }, /minimum .*power of 2/],
    [{ minimumBytes: 131072, preferredBytes: 131072, maxPayloadBytes: 1 << 20 }, /minimum/],
    [{ minimumBytes: 0, preferredBytes: 512, maxPayloadBytes: 4096 }, /minimum .*got 0 bytes/],
    [{ minimumBytes: 1024, preferredBytes: 512, maxPayloadBytes: 4096 }, /preferred/],
    [{ minimumBytes: 4096, preferredBytes: 4096, maxPayloadBytes: 512 }, /maximum/],
    [{ minimumBytes: 1, preferredBytes: 1, maxPayloadBytes: 0 }, /maximum/],
  ])('refuses block sizes %j', async (blockSize, message) => {
    await expect(connect({ blockSize })).rejects.toThrow(message);
  });
});

describe('errors of the server', () => {
  test.each([
    [NbdError.EIO, Errno.EIO],
    [NbdError.ENOSPC, Errno.ENOSPC],
    [NbdError.EPERM, Errno.EPERM],
    [NbdError.ENOTSUP, Errno.ENOTSUP],
    [4711, Errno.EIO],
  ])('NBD error %i ends the bio with %i', async (error, errno) => {
    for (const replies of ['simple', 'structured', 'extended'] as const) {
      const { device } = await connect({
        replies,
        onRequest: (connection, request) => {
          connection.sendError(request, error, 'a reason');
          return true;
        },
      });
      const fields = { sector: 0, sectorCount: 1, data: new Uint8Array(512) };
      expect(await runBio(device, { op: Op.read, ...fields })).toBe(errno);
      expect(await runBio(device, { op: Op.write, ...fields })).toBe(errno);
    }
  });
});

describe('block status', () => {
  test.each(['structured', 'extended'] as const)(
    'is gathered from partial answers (%s)',
    async (replies) => {
      const { server, device } = await connect({
        replies,
        onRequest: (connection, request) => {
          if (request.command !== Command.blockStatus) return false;
          const isFirst = request.offsetBytes === 1024;
          connection.sendStatus(
            request,
            isFirst
              ? [{ lengthBytes: 1024, flags: 3 }]
              : [
                  { lengthBytes: 700, flags: 0 },
                  { lengthBytes: 1 << 30, flags: 2 },
                ],
          );
          return true;
        },
      });
      const extents = new ExtentList();
      const fields = { op: Op.blockStatus, sector: 2, sectorCount: 10, extents };
      expect(await runBio(device, fields)).toBe(0);
      expect(extents.normalized(10)).toEqual([
        { offsetSectors: 0, lengthSectors: 2, flags: ExtentFlag.hole | ExtentFlag.zero },
        { offsetSectors: 2, lengthSectors: 2, flags: 0 },
        { offsetSectors: 4, lengthSectors: 6, flags: ExtentFlag.zero },
      ]);
      expect(server.requests.map(({ offsetBytes }) => offsetBytes)).toEqual([1024, 2048]);
    },
  );

  test('a range of many gigabytes is asked about piece by piece', async () => {
    const sizeBytes = 5 * 2 ** 30;
    const { server, device } = await connect({ bytes: { length: sizeBytes } as Uint8Array });
    const extents = new ExtentList();
    const fields = { op: Op.blockStatus, sector: 0, sectorCount: sizeBytes / 512, extents };
    expect(await runBio(device, fields)).toBe(0);
    expect(server.requests.map(({ offsetBytes }) => offsetBytes / 2 ** 30)).toEqual([
      0, 1, 2, 3, 4,
    ]);
  });

  test('a server that answers in crumbs is asked only so often', async () => {
    const { server, device } = await connect({
      bytes: new Uint8Array(8 * 1024 * 1024),
      onRequest: (connection, request) => {
        connection.sendStatus(request, [{ lengthBytes: 1, flags: 3 }]);
        return true;
      },
    });
    const extents = new ExtentList();
    const fields = { op: Op.blockStatus, sector: 0, sectorCount: 16384, extents };
    expect(await runBio(device, fields)).toBe(0);
    expect(server.requests).toHaveLength(4096);
    expect(extents.normalized(16384)).toEqual([
      { offsetSectors: 0, lengthSectors: 16384, flags: 0 },
    ]);
  });
});

describe('several connections', () => {
  test('are made when the server promises coherence, and share the load', async () => {
    const waiting: (() => void)[] = [];
    const { server, device } = await connect({
      flags: ALL_FLAGS | TransmissionFlag.canMultiConn,
      onRequest: (connection, request) => {
        waiting.push(() => connection.answer(request));
        perConnection.set(connection, (perConnection.get(connection) ?? 0) + 1);
        return true;
      },
    });
    const perConnection = new Map<unknown, number>();
    await new Promise(setImmediate);
    expect(device.remote.connectionCount).toBe(4);
    const reads = Array.from({ length: 12 }, (_, sector) =>
      runBio(device, { op: Op.read, sector, sectorCount: 1, data: new Uint8Array(512) }),
    );
    await new Promise(setImmediate);
    expect([...perConnection.values()]).toEqual([3, 3, 3, 3]);
    for (const answer of waiting) answer();
    expect(await Promise.all(reads)).toEqual(reads.map(() => 0));
    await device.close();
    expect(server.openConnections).toHaveLength(0);
  });

  test('one otherwise', async () => {
    const { server } = await connect();
    await new Promise(setImmediate);
    expect(server.connections).toHaveLength(1);
  });
});

test('more requests than a connection takes wait their turn', async () => {
  const { server, device } = await connect();
  let mostWaiting = 0;
  let waiting: (() => void)[] = [];
  server.settings.onRequest = (connection, request) => {
    waiting.push(() => connection.answer(request));
    mostWaiting = Math.max(mostWaiting, waiting.length);
    return true;
  };
  const reads = Array.from({ length: 500 }, () =>
    runBio(device, { op: Op.read, sector: 0, sectorCount: 1, data: new Uint8Array(512) }),
  );
  for (let round = 0; round < 10; round += 1) {
    await new Promise(setImmediate);
    const answers = waiting;
    waiting = [];
    for (const answer of answers) answer();
  }
  expect(await Promise.all(reads)).toEqual(reads.map(() => 0));
  expect(mostWaiting).toBe(128);
});

describe('close', () => {
  test('waits for what is in flight and says goodbye', async () => {
    const { server, device } = await connect();
    let answer = () => {};
    server.settings.onRequest = (connection, request) => {
      answer = () => connection.answer(request);
      return true;
    };
    const read = runBio(device, {
      op: Op.read,
      sector: 0,
      sectorCount: 1,
      data: new Uint8Array(512),
    });
    let closed = false;
    const closing = device.close().then(() => {
      closed = true;
    });
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    expect(await runBio(device, { op: Op.flush })).toBe(Errno.EIO);
    answer();
    expect(await read).toBe(0);
    await closing;
    await device.close();
    expect(server.openConnections).toHaveLength(0);
  });
});
