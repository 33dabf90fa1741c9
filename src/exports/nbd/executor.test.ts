import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { decodeErrorChunk } from '../../protocols/nbd/chunk.ts';
import { ChunkType, Command, CommandFlag, NbdError } from '../../protocols/nbd/constants.ts';
import { createRequest, type Request } from '../../protocols/nbd/request.ts';
import type { TestDiskOptions } from '../../testing/test-disk.ts';
import {
  errorOf,
  executorOver,
  parse,
  send,
  type TestSessionOptions,
} from '../../testing/test-session.ts';

const MIB = 2 ** 20;

describe('a read', () => {
  test('in a simple reply', async () => {
    const { disk, executor } = executorOver({ replies: 'simple' });
    const bytes = await send(executor, { offsetBytes: 512, lengthBytes: 1024 });
    expect(bytes).toHaveLength(16 + 1024);
    expect(errorOf(bytes)).toBe(0);
    expect(bytes.subarray(16)).toEqual(Buffer.from(disk.bytes.subarray(512, 1536)));
  });

  test.each(['structured', 'extended'] as const)('in a %s reply', async (replies) => {
    const { disk, executor } = executorOver({ replies });
    const chunks = parse(await send(executor, { offsetBytes: 512, lengthBytes: 1024 }));
    expect(chunks).toMatchObject([{ type: ChunkType.offsetData, last: true }]);
    const payload = Buffer.from(chunks[0]!.payload);
    expect(payload.readBigUInt64BE(0)).toBe(512n);
    expect(payload.subarray(8)).toEqual(Buffer.from(disk.bytes.subarray(512, 1536)));
  });

  test('an extended reply repeats the offset of its request, whatever it is', async () => {
    const { executor } = executorOver({ replies: 'extended' });
    const request = { ...createRequest(), offsetBytes: Number.POSITIVE_INFINITY };
    Object.assign(request, { offsetHigh: 0xffff_ffff, offsetLow: 0xffff_fe00, lengthBytes: 512 });
    const chunks = await new Promise<Uint8Array[]>((resolve) => {
      executor.execute(request, null, resolve);
    });
    const bytes = Buffer.concat(chunks);
    expect(bytes.toString('hex', 16, 24)).toBe('fffffffffffffe00');
    expect(errorOf(bytes)).toBe(NbdError.EINVAL);
  });

  test('of nothing', async () => {
    const { disk, executor } = executorOver();
    const chunks = parse(await send(executor, { offsetBytes: 512 }));
    expect(chunks).toMatchObject([{ type: ChunkType.none, last: true }]);
    expect(disk.recorded).toEqual([]);
  });

  test('that fails says so, and sends no data', async () => {
    const { disk, executor } = executorOver();
    disk.failure = () => Errno.EIO;
    const [chunk, ...rest] = parse(await send(executor, { lengthBytes: 4096 }));
    expect([chunk!.last, rest]).toEqual([true, []]);
    expect(decodeErrorChunk(chunk!.type, chunk!.payload)).toEqual({
      error: NbdError.EIO,
      message: 'read of 4096 bytes at offset 0 failed: EIO',
    });
  });
});

describe('what becomes of a request', () => {
  const payload = Buffer.alloc(1024, 7);
  const range = { offsetBytes: 1024, lengthBytes: 1024 };
  const sectors = { sector: 2, sectorCount: 2 };
  const { fua, noHole, fastZero } = CommandFlag;

  test.each<[string, Partial<Request>, object[]]>([
    ['write', { command: Command.write }, [{ op: 'write', flags: 0, ...sectors }]],
    ['write, durable', { command: Command.write, flags: fua }, [{ op: 'write', flags: 1 }]],
    ['flush', { command: Command.flush, offsetBytes: 0, lengthBytes: 0 }, [{ op: 'flush' }]],
    ['flush with a range, which means nothing', { command: Command.flush }, [{ op: 'flush' }]],
    ['trim', { command: Command.trim }, [{ op: 'discard', flags: 0, ...sectors }]],
    ['trim, durable', { command: Command.trim, flags: fua }, [{ op: 'discard' }, { op: 'flush' }]],
    ['cache', { command: Command.cache }, [{ op: 'read', flags: 8, ...sectors }]],
    ['zeroes', { command: Command.writeZeroes }, [{ op: 'write-zeroes', flags: 0, ...sectors }]],
    [
      'zeroes with every flag',
      { command: Command.writeZeroes, flags: fua | noHole | fastZero },
      [{ op: 'write-zeroes', flags: 7 }],
    ],
    ['read with FUA, which means nothing', { flags: fua }, [{ op: 'read', flags: 0 }]],
    ['read, unfragmented', { flags: CommandFlag.df }, [{ op: 'read', flags: 0 }]],
  ])('%s', async (_name, fields, expected) => {
    const { disk, executor } = executorOver();
    const request = { ...range, ...fields };
    const reply = await send(executor, request, fields.command === Command.write ? payload : null);
    expect(errorOf(reply)).toBe(0);
    expect(disk.recorded).toMatchObject(expected);
    expect(disk.recorded).toHaveLength(expected.length);
  });

  test('a write changes what it says and no more', async () => {
    const { disk, executor } = executorOver();
    const before = Buffer.from(disk.bytes);
    await send(executor, { command: Command.write, ...range }, payload);
    payload.copy(before, 1024);
    expect(Buffer.from(disk.bytes)).toEqual(before);
  });

  test('caching the whole export reads no more than one request may', async () => {
    const { disk, executor } = executorOver({}, { sizeSectors: 2 ** 30 });
    await send(executor, { command: Command.cache, lengthBytes: 2 ** 31 });
    expect(disk.recorded).toMatchObject([{ op: 'read', sectorCount: 65536 }]);
  });

  test('zeroes may be as long as the export', async () => {
    const { disk, executor } = executorOver({ replies: 'extended' }, { sizeSectors: 2 ** 40 });
    const request = { command: Command.writeZeroes, lengthBytes: 2 ** 49 };
    expect(errorOf(await send(executor, request))).toBe(0);
    expect(disk.recorded).toMatchObject([{ op: 'write-zeroes', sectorCount: 2 ** 40 }]);
  });
});

describe('refusals before the device', () => {
  const { write, trim, cache, writeZeroes, blockStatus, flush } = Command;
  const size = 64 * 512;

  test.each<[string, Partial<Request>, number, TestSessionOptions?, TestDiskOptions?]>([
    ['an unknown command', { command: 42 }, NbdError.EINVAL],
    ['resize, which nobody offered', { command: 8 }, NbdError.EINVAL],
    ['an unknown flag', { flags: 1 << 9, lengthBytes: 512 }, NbdError.EINVAL],
    [
      'DF with simple replies',
      { flags: 4, lengthBytes: 512 },
      NbdError.EINVAL,
      { replies: 'simple' },
    ],
    ['DF of a write', { command: write, flags: 4, lengthBytes: 512 }, NbdError.EINVAL],
    ['NO_HOLE of a write', { command: write, flags: 2, lengthBytes: 512 }, NbdError.EINVAL],
    ['FAST_ZERO of a trim', { command: trim, flags: 16, lengthBytes: 512 }, NbdError.EINVAL],
    ['REQ_ONE of a read', { flags: 8, lengthBytes: 512 }, NbdError.EINVAL],
    ['flags of a flush', { command: flush, flags: 2 }, NbdError.EINVAL],
    ['a payload flag without extended headers', { flags: 32, lengthBytes: 512 }, NbdError.EINVAL],
    [
      'a payload of a read',
      { flags: 32, lengthBytes: 512 },
      NbdError.EINVAL,
      { replies: 'extended' },
    ],
    [
      'an extended write without a payload',
      { command: write, lengthBytes: 512 },
      NbdError.EINVAL,
      { replies: 'extended' },
    ],
    ['a read beyond the end', { offsetBytes: size, lengthBytes: 512 }, NbdError.EINVAL],
    ['a read across the end', { offsetBytes: size - 512, lengthBytes: 1024 }, NbdError.EINVAL],
    [
      'a read at 2^53',
      { offsetBytes: Number.POSITIVE_INFINITY, lengthBytes: 512 },
      NbdError.EINVAL,
    ],
    ['nothing at 2^53', { offsetBytes: Number.POSITIVE_INFINITY }, NbdError.EINVAL],
    [
      'a write beyond the end',
      { command: write, offsetBytes: size, lengthBytes: 512 },
      NbdError.ENOSPC,
    ],
    ['zeroes beyond the end', { command: writeZeroes, lengthBytes: size + 512 }, NbdError.ENOSPC],
    ['a trim beyond the end', { command: trim, lengthBytes: size + 512 }, NbdError.EINVAL],
    ['a cache beyond the end', { command: cache, lengthBytes: size + 512 }, NbdError.EINVAL],
    ['status beyond the end', { command: blockStatus, lengthBytes: size + 512 }, NbdError.EINVAL],
    ['an odd offset', { offsetBytes: 1, lengthBytes: 512 }, NbdError.EINVAL],
    ['an odd length', { lengthBytes: 511 }, NbdError.EINVAL],
    [
      'half a block of 4096 bytes',
      { offsetBytes: 512, lengthBytes: 4096 },
      NbdError.EINVAL,
      {},
      { limits: { logicalBlockBytes: 4096 } },
    ],
    [
      'a write, read-only',
      { command: write, lengthBytes: 512 },
      NbdError.EPERM,
      { readOnly: true },
    ],
    ['a trim, read-only', { command: trim, lengthBytes: 512 }, NbdError.EPERM, { readOnly: true }],
    [
      'zeroes, read-only',
      { command: writeZeroes, lengthBytes: 512 },
      NbdError.EPERM,
      { readOnly: true },
    ],
    [
      'a write to a read-only device',
      { command: write, lengthBytes: 512 },
      NbdError.EPERM,
      {},
      { readOnly: true },
    ],
    [
      'a trim that was not offered',
      { command: trim, lengthBytes: 512 },
      NbdError.EINVAL,
      {},
      { limits: { discardGranularityBytes: 0 } },
    ],
    [
      'status without a context',
      { command: blockStatus, lengthBytes: 512 },
      NbdError.EINVAL,
      { contexts: false },
    ],
    ['status of nothing', { command: blockStatus }, NbdError.EINVAL],
    [
      'a huge read, structured',
      { lengthBytes: 33 * MIB },
      NbdError.EOVERFLOW,
      {},
      { sizeSectors: 2 ** 30 },
    ],
    [
      'a huge read, simple',
      { lengthBytes: 33 * MIB },
      NbdError.EINVAL,
      { replies: 'simple' },
      { sizeSectors: 2 ** 30 },
    ],
    [
      'a huge write',
      { command: write, lengthBytes: 33 * MIB },
      NbdError.EINVAL,
      {},
      { sizeSectors: 2 ** 30 },
    ],
  ])('%s', async (_name, fields, error, options = {}, diskOptions = {}) => {
    const { disk, executor } = executorOver(options, diskOptions);
    expect(errorOf(await send(executor, fields))).toBe(error);
    expect(disk.recorded).toEqual([]);
    expect(executor.inFlightCount).toBe(0);
  });

  test('of a table that shrank under the client', async () => {
    const { disk, executor } = executorOver();
    disk.sizeSectors = 8;
    expect(errorOf(await send(executor, { offsetBytes: 4096, lengthBytes: 512 }))).toBe(22);
    expect(errorOf(await send(executor, { offsetBytes: 3584, lengthBytes: 512 }))).toBe(0);
  });
});

describe("a device's errors", () => {
  const { read, write, trim, writeZeroes } = Command;

  test.each<[string, number, Partial<Request>, number]>([
    ['EIO', Errno.EIO, { command: read }, NbdError.EIO],
    ['an error without a number on the wire', Errno.ENXIO, { command: read }, NbdError.EIO],
    ['ENOSPC', Errno.ENOSPC, { command: write }, NbdError.ENOSPC],
    ['EDQUOT', Errno.EDQUOT, { command: write }, NbdError.ENOSPC],
    ['EFBIG', Errno.EFBIG, { command: write }, NbdError.ENOSPC],
    ['EROFS', Errno.EROFS, { command: write }, NbdError.EPERM],
    ['EACCES', Errno.EACCES, { command: write }, NbdError.EPERM],
    [
      'ENOTSUP of fast zeroes',
      Errno.ENOTSUP,
      { command: writeZeroes, flags: 16 },
      NbdError.ENOTSUP,
    ],
    ['ENOTSUP of other zeroes', Errno.ENOTSUP, { command: writeZeroes }, NbdError.EIO],
    ['ENOTSUP of a trim, which is a hint', Errno.ENOTSUP, { command: trim }, 0],
    ['EIO of a trim', Errno.EIO, { command: trim }, NbdError.EIO],
  ])('%s', async (_name, errno, fields, expected) => {
    const { disk, executor } = executorOver({ replies: 'simple' });
    disk.failure = () => errno;
    const payload = fields.command === write ? Buffer.alloc(512) : null;
    expect(errorOf(await send(executor, { lengthBytes: 512, ...fields }, payload))).toBe(expected);
  });

  test('of the flush behind a durable trim', async () => {
    const { disk, executor } = executorOver();
    disk.failure = (bio) => (bio.op === 2 ? Errno.EIO : 0);
    const request = { command: trim, flags: CommandFlag.fua, lengthBytes: 512 };
    expect(errorOf(await send(executor, request))).toBe(NbdError.EIO);
  });
});

describe('the end', () => {
  test('requests under way finish, later ones get ESHUTDOWN, and drained says when', async () => {
    const { disk, executor } = executorOver();
    const waiting: (() => void)[] = [];
    disk.answer = (finish) => waiting.push(finish);
    const reply = send(executor, { lengthBytes: 512 });
    expect(executor.underWay()).toMatchObject([
      { command: 'read', offsetBytes: 0, lengthBytes: 512 },
    ]);
    executor.close();
    let drained = false;
    const drain = executor.drained().then(() => {
      drained = true;
    });
    expect(errorOf(await send(executor, { lengthBytes: 512 }))).toBe(NbdError.ESHUTDOWN);
    expect(drained).toBe(false);
    waiting[0]!();
    expect(errorOf(await reply)).toBe(0);
    await drain;
    expect(executor.underWay()).toEqual([]);
  });
});
