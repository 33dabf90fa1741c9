/** What a server must not get away with once requests flow: each lie costs the connection, and, told twice, the bio. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Op } from '../../core/bio.ts';
import { ExtentList } from '../../core/extents.ts';
import { encodeHole } from '../../protocols/nbd/chunk.ts';
import { ChunkType } from '../../protocols/nbd/constants.ts';
import { startBio } from '../../testing/device-io.ts';
import {
  type FakeConnection,
  FakeNbdServer,
  type FakeRequest,
  type FakeServerSettings,
} from '../../testing/fake-nbd-server.ts';
import { NbdDevice } from './device.ts';
import { parseNbdUri } from './uri.ts';

type Answer = (connection: FakeConnection, request: FakeRequest) => void;

const STALE = 0x5a;

/** Runs one bio of 4 sectors against a server that always answers so; what it ended with, and the reports. */
async function ask(answer: Answer, op: Op, settings: Partial<FakeServerSettings> = {}) {
  const clock = new SimulatedClock();
  const reports: string[] = [];
  const server = new FakeNbdServer({
    onRequest: (connection, request) => {
      answer(connection, request);
      return true;
    },
    ...settings,
  });
  const device = await NbdDevice.connect({
    uri: parseNbdUri('nbd://fake/disk'),
    clock,
    connect: server.connect,
    number: { major: 251, minor: 0 },
    readOnly: false,
    report: (message) => reports.push(message),
  });
  const data = new Uint8Array(2048).fill(STALE);
  const fields = op === Op.flush ? { op } : { op, sector: 4, sectorCount: 4, data };
  const { bio, ended } = startBio(device, { ...fields, extents: new ExtentList() });
  await clock.advance(200_000);
  const errno = await ended;
  expect(bio.endCount).toBe(1);
  server.settings.onRequest = () => false;
  await clock.advance(6000);
  const after = startBio(device, {
    op: Op.read,
    sector: 0,
    sectorCount: 1,
    data: new Uint8Array(512),
  });
  await clock.advance(100);
  expect(await after.ended).toBe(0);
  const closing = device.close();
  await clock.advance(3000);
  await closing;
  expect(clock.pendingCount).toBe(0);
  return { errno, data, reports: reports.join('\n'), requestCount: server.requests.length - 1 };
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const data = (lengthBytes: number) => new Uint8Array(lengthBytes).fill(1);

/** A chunk whose header lies about the length of what follows. */
const chunk =
  (type: number, payload: Uint8Array, payloadBytes = payload.length, flags = 1): Answer =>
  (connection, request) =>
    connection.sendChunk(
      request,
      { type, payloadBytes, flags },
      payload as Uint8Array<ArrayBuffer>,
    );

describe('lies cost the connection', () => {
  test.each<[string, Op, Answer, RegExp]>([
    [
      'a foreign magic number',
      Op.read,
      (c) => c.send(hex('deadbeef 00000000')),
      /magic .*got 0xdeadbeef/,
    ],
    [
      'an unknown cookie',
      Op.read,
      (c, r) => c.sendOk({ ...r, cookieLow: 77 }),
      /cookie .* request in flight/,
    ],
    [
      'a cookie beyond all slots',
      Op.read,
      (c, r) => c.sendOk({ ...r, cookieLow: 0xffffffff }),
      /cookie/,
    ],
    [
      'an old cookie',
      Op.read,
      (c, r) => c.sendOk({ ...r, cookieHigh: r.cookieHigh + 1 }),
      /cookie/,
    ],
    [
      'an extended reply nobody agreed to',
      Op.read,
      (c) => c.send(hex('6e8a278c'), data(28)),
      /expected a structured reply, got a extended one/,
    ],
    [
      'a simple reply with data',
      Op.read,
      (c, r) => c.sendSimple(r, 0, data(2048)),
      /a structured reply to a read/,
    ],
    ['nothing for a read', Op.read, (c, r) => c.sendOk(r), /all 2048 bytes of the read/],
    ['too little data', Op.read, (c, r) => c.sendData(r, data(2047)), /all 2048 bytes/],
    [
      'too much data',
      Op.read,
      (c, r) => c.sendData(r, data(2049)),
      /length .*9 to 2056 bytes, got 2057/,
    ],
    ['data of no length', Op.read, (c, r) => c.sendData(r, data(0)), /length/],
    [
      'data before the request',
      Op.read,
      (c, r) => c.sendData(r, data(512), { at: r.offsetBytes - 1 }),
      /offset .*a range within 2048 bytes from 2048/,
    ],
    [
      'data behind the request',
      Op.read,
      (c, r) => c.sendData(r, data(512), { at: r.offsetBytes + 1537 }),
      /a range within/,
    ],
    [
      'data at 2^64 - 1',
      Op.read,
      chunk(ChunkType.offsetData, hex('ffffffffffffffff 00')),
      /a range within/,
    ],
    [
      'the same data twice',
      Op.read,
      (c, r) => {
        c.sendData(r, data(1024), { flags: 0 });
        c.sendData(r, data(1024));
      },
      /every byte once/,
    ],
    [
      'a hole over data',
      Op.read,
      (c, r) => {
        c.sendData(r, data(2048), { flags: 0 });
        chunk(ChunkType.offsetHole, encodeHole({ offsetBytes: 2048, lengthBytes: 1 }))(c, r);
      },
      /every byte once/,
    ],
    [
      'a hole too large',
      Op.read,
      chunk(ChunkType.offsetHole, encodeHole({ offsetBytes: 2048, lengthBytes: 0xffffffff })),
      /a range within/,
    ],
    ['a hole of no length', Op.read, chunk(ChunkType.offsetHole, data(8 + 4).fill(0)), /hole size/],
    [
      'a hole chunk too long',
      Op.read,
      chunk(ChunkType.offsetHole, data(13)),
      /length .*expected 12 bytes, got 13/,
    ],
    ['an unknown chunk', Op.read, chunk(99, data(4)), /type .*a known chunk type, got 99/],
    [
      'an empty chunk that goes on',
      Op.write,
      chunk(ChunkType.none, data(0), 0, 0),
      /flags .*the last chunk/,
    ],
    [
      'an empty chunk with content',
      Op.write,
      chunk(ChunkType.none, data(8)),
      /length .*expected 0 bytes, got 8/,
    ],
    ['data for a write', Op.write, (c, r) => c.sendData(r, data(16)), /one that fits command 1/],
    ['data for a flush', Op.flush, (c, r) => c.sendData(r, data(16)), /one that fits command 3/],
    [
      'an error of 0',
      Op.write,
      chunk(ChunkType.error, hex('00000000 0000')),
      /error at byte .*an error number, got 0/,
    ],
    ['an error chunk too short', Op.write, chunk(ChunkType.error, hex('0000')), /error chunk/],
    [
      'an error message longer than its chunk',
      Op.write,
      chunk(ChunkType.error, hex('00000005 00ff 41')),
      /message/,
    ],
    [
      'an error chunk of 4 GB',
      Op.write,
      chunk(ChunkType.error, data(0), 0xfffffff0),
      /length .*1 to 8192 bytes/,
    ],
    [
      'an error elsewhere',
      Op.write,
      chunk(ChunkType.errorOffset, hex('00000005 0000 0000000000ffffff')),
      /error offset/,
    ],
    [
      'status for a read',
      Op.read,
      (c, r) => c.sendStatus(r, [{ lengthBytes: 1, flags: 0 }]),
      /fits command 0/,
    ],
    [
      'status of another context',
      Op.blockStatus,
      (c, r) => c.sendStatus(r, [{ lengthBytes: 512, flags: 0 }], 8),
      /context id .*expected 7, got 8/,
    ],
    [
      'status of no extents',
      Op.blockStatus,
      chunk(ChunkType.blockStatus, hex('00000007')),
      /length/,
    ],
    [
      'status with a partial extent',
      Op.blockStatus,
      chunk(ChunkType.blockStatus, hex('00000007 00000200')),
      /length/,
    ],
    [
      'status of no length',
      Op.blockStatus,
      chunk(ChunkType.blockStatus, hex('00000007 00000000 00000000')),
      /extent length/,
    ],
    [
      'status twice',
      Op.blockStatus,
      (c, r) => {
        const s = hex('00000007 00000200 00000000');
        chunk(5, s, s.length, 0)(c, r);
        chunk(5, s)(c, r);
      },
      /one status chunk per context/,
    ],
    ['status of 4 GB', Op.blockStatus, chunk(ChunkType.blockStatus, data(0), 0xfffffff0), /length/],
    [
      'extended status nobody agreed to',
      Op.blockStatus,
      chunk(ChunkType.blockStatusExt, data(24)),
      /type .*a known chunk type/,
    ],
    ['no status', Op.blockStatus, (c, r) => c.sendOk(r), /the status that was asked for/],
    [
      'a hang-up in a header',
      Op.read,
      (c) => {
        c.send(hex('668e33ef 0001'));
        c.hangUp();
      },
      /closed the connection in the middle of a reply/,
    ],
  ])('%s', async (_name, op, answer, reason) => {
    const { errno, reports, requestCount } = await ask(answer, op);
    expect(errno).toBe(Errno.EIO);
    expect(reports).toMatch(reason);
    expect(requestCount).toBe(2);
  });

  test.each<[string, Op, Answer, RegExp]>([
    ['a simple reply', Op.write, (c, r) => c.sendSimple(r), /a extended reply, got a simple one/],
    [
      'a structured reply',
      Op.write,
      (c) => c.send(hex('668e33ef'), data(40)),
      /got a structured one/,
    ],
    [
      'another offset',
      Op.write,
      (c, r) => c.sendOk({ ...r, offsetLow: 1 }),
      /offset .*the request's/,
    ],
    [
      'a length of 2^64 - 1',
      Op.read,
      (c, r) => {
        c.sendData(r, data(1));
      },
      /all 2048 bytes/,
    ],
    [
      'compact status',
      Op.blockStatus,
      chunk(ChunkType.blockStatus, hex('00000007 00000200 00000000')),
      /type/,
    ],
    [
      'a count that lies',
      Op.blockStatus,
      chunk(ChunkType.blockStatusExt, hex('00000007 00000009 0000000000000200 0000000000000000')),
      /descriptor count/,
    ],
  ])('with extended headers: %s', async (_name, op, answer, reason) => {
    const { errno, reports } = await ask(answer, op, { replies: 'extended' });
    expect(errno).toBe(Errno.EIO);
    expect(reports).toMatch(reason);
  });

  test('two answers: the first counts', async () => {
    const { errno, reports } = await ask((c, r) => {
      c.sendOk(r);
      c.sendOk(r);
    }, Op.write);
    expect(errno).toBe(0);
    expect(reports).toMatch(/connection lost: .*cookie .* request in flight/);
  });

  test('with simple replies: a structured one', async () => {
    const { errno, reports } = await ask((c) => c.send(hex('668e33ef'), data(40)), Op.read, {
      replies: 'simple',
    });
    expect(errno).toBe(Errno.EIO);
    expect(reports).toMatch(/a simple reply, got a structured one/);
  });
});

describe('what looks odd but is allowed', () => {
  test('data in any order, cut anywhere', async () => {
    const {
      errno,
      data: read,
      requestCount,
    } = await ask((c, r) => {
      c.sendData(r, data(1000).fill(3), { at: r.offsetBytes + 1048, flags: 0 });
      chunk(
        ChunkType.offsetHole,
        encodeHole({ offsetBytes: r.offsetBytes, lengthBytes: 48 }),
        12,
        0,
      )(c, r);
      c.sendData(r, data(1000).fill(2), { at: r.offsetBytes + 48 });
    }, Op.read);
    expect([errno, requestCount]).toEqual([0, 1]);
    expect([0, 47, 48, 1047, 1048, 2047].map((at) => read[at])).toEqual([0, 0, 2, 2, 3, 3]);
  });

  test('an error among data', async () => {
    const { errno, requestCount } = await ask((c, r) => {
      c.sendData(r, data(10), { flags: 0 });
      const payload = hex('0000001c 0003 616263 0000000000000900');
      chunk(ChunkType.errorOffset, payload, payload.length, 0)(c, r);
      // The first one counts.
      chunk(ChunkType.error, hex('00000005 0000'), 6, 0)(c, r);
      c.sendOk(r);
    }, Op.read);
    expect([errno, requestCount]).toEqual([Errno.ENOSPC, 1]);
  });

  test('an error chunk of a later version, with more in it', async () => {
    const { errno, requestCount } = await ask(
      chunk(0x8abc, hex('00000016 0001 41 ffffffff')),
      Op.write,
    );
    expect([errno, requestCount]).toEqual([Errno.EINVAL, 1]);
  });

  test('simple replies where no data comes', async () => {
    expect((await ask((c, r) => c.sendSimple(r), Op.write)).errno).toBe(0);
    expect((await ask((c, r) => c.sendSimple(r, 28), Op.read)).errno).toBe(Errno.ENOSPC);
  });
});
