import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Mapper } from '../../core/mapper.ts';
import { createTargetRegistry } from '../../core/target.ts';
import { type BlockStatus, decodeBlockStatus } from '../../protocols/nbd/chunk.ts';
import { ChunkType, Command, CommandFlag, NbdError } from '../../protocols/nbd/constants.ts';
import { encodeBlockStatusPayload } from '../../protocols/nbd/request.ts';
import { linear } from '../../targets/linear.ts';
import { TestDisks } from '../../testing/test-disk.ts';
import {
  type ExecutorFixture,
  errorOf,
  executorOver,
  parse,
  send,
  type TestSessionOptions,
  testSession,
} from '../../testing/test-session.ts';
import { Executor } from './executor.ts';

describe('block status', () => {
  const status = { command: Command.blockStatus };
  const sectors = (count: number) => count * 512;
  const statuses = (bytes: Uint8Array): BlockStatus[] =>
    parse(bytes).map(({ type, payload }) => decodeBlockStatus(type, payload));

  /** 64 sectors, data in sectors 8 to 15 and 40 to 63. */
  function sparse(options: TestSessionOptions = {}): ExecutorFixture {
    const made = executorOver(options);
    made.disk.bytes.fill(0);
    made.disk.bytes.fill(1, sectors(8), sectors(16));
    made.disk.bytes.fill(1, sectors(40));
    return made;
  }

  test.each([
    ['structured', ChunkType.blockStatus],
    ['extended', ChunkType.blockStatusExt],
  ] as const)('tells holes from data (%s)', async (replies, type) => {
    const { executor } = sparse({ replies });
    const bytes = await send(executor, { ...status, offsetBytes: 2048, lengthBytes: sectors(40) });
    expect(parse(bytes)).toMatchObject([{ type, last: true }]);
    expect(statuses(bytes)).toEqual([
      {
        contextId: 1,
        extents: [
          { lengthBytes: sectors(4), flags: 3 },
          { lengthBytes: sectors(8), flags: 0 },
          { lengthBytes: sectors(24), flags: 3 },
          { lengthBytes: sectors(4), flags: 0 },
        ],
      },
    ]);
  });

  test('one extent only, no longer than the request', async () => {
    const { executor } = sparse();
    const request = { ...status, flags: CommandFlag.reqOne, lengthBytes: sectors(64) };
    expect(statuses(await send(executor, request))[0]!.extents).toEqual([
      { lengthBytes: sectors(8), flags: 3 },
    ]);
    const inside = { ...request, offsetBytes: 512, lengthBytes: 1024 };
    expect(statuses(await send(executor, inside))[0]!.extents).toEqual([
      { lengthBytes: 1024, flags: 3 },
    ]);
  });

  test('of a device that cannot tell is data', async () => {
    const { disk, executor } = sparse();
    disk.failure = () => Errno.EIO;
    const [answer] = statuses(await send(executor, { ...status, lengthBytes: sectors(64) }));
    expect(answer!.extents).toEqual([{ lengthBytes: sectors(64), flags: 0 }]);
  });

  test('of a huge range is bounded, and asked window by window', async () => {
    const { disk, executor } = executorOver({ replies: 'extended' }, { sizeSectors: 2 ** 40 });
    const asked: number[] = [];
    disk.submit = (bio) => {
      asked.push(bio.sectorCount);
      bio.extents!.add(0, bio.sectorCount, 3);
      bio.end(0);
    };
    const [answer] = statuses(await send(executor, { ...status, lengthBytes: 2 ** 49 }));
    expect(answer!.extents).toEqual([{ lengthBytes: 2 ** 34, flags: 3 }]);
    expect(asked).toEqual(Array.from({ length: 256 }, () => 2 ** 17));
  });

  test('of a shredded image is cut off', async () => {
    const { disk, executor } = executorOver({ replies: 'extended' }, { sizeSectors: 2 ** 40 });
    disk.submit = (bio) => {
      for (let at = 0; at < bio.sectorCount; at += 2) bio.extents!.add(at, 1, 3);
      bio.end(0);
    };
    const [answer] = statuses(await send(executor, { ...status, lengthBytes: 2 ** 40 }));
    expect(answer!.extents).toHaveLength(16384);
    expect(answer!.extents[16383]).toEqual({ lengthBytes: 512, flags: 0 });
  });

  describe('of the contexts a payload names', () => {
    const { payloadLength } = CommandFlag;
    const ask = async (contextIds: number[], lengthBytes = 512) => {
      const { executor } = await mapped('extended');
      const payload = encodeBlockStatusPayload({ lengthBytes, contextIds });
      const header = { ...status, flags: payloadLength, lengthBytes: payload.length };
      return send(executor, header, payload);
    };

    test.each([[[1]], [[2]], [[2, 1]]])('%j', async (contextIds) => {
      const answers = statuses(await ask(contextIds));
      expect(answers.map(({ contextId }) => contextId)).toEqual(
        contextIds.toSorted((a, b) => a - b),
      );
      expect(answers[0]!.extents[0]!.lengthBytes).toBe(512);
    });

    test.each([
      ['none', [], 512],
      ['an unknown one', [3], 512],
      ['one twice', [1, 1], 512],
      ['a range beyond the end', [1], sectors(129)],
      ['an empty range', [1], 0],
    ])('refused: %s', async (_name, contextIds, lengthBytes) => {
      expect(errorOf(await ask(contextIds, lengthBytes))).toBe(NbdError.EINVAL);
    });

    test('refused: a payload that was too large to keep', async () => {
      const { executor } = await mapped('extended');
      const header = { ...status, flags: payloadLength, lengthBytes: 8192 };
      expect(errorOf(await send(executor, header))).toBe(NbdError.EINVAL);
    });
  });

  async function mapped(replies: 'structured' | 'extended') {
    const opener = new TestDisks({ A: { sizeSectors: 64 }, B: { sizeSectors: 64 } });
    const mapper = new Mapper({ registry: createTargetRegistry([linear]), opener });
    const device = mapper.create({ name: 'disk' });
    await mapper.load(device, [
      { start: 0, length: 64, type: 'linear', params: 'A 0' },
      { start: 64, length: 32, type: 'linear', params: 'B 0' },
      { start: 96, length: 32, type: 'linear', params: 'B 32' },
    ]);
    await device.resume();
    return { mapper, device, executor: new Executor(testSession(device, { replies })) };
  }

  test('devmapper:target numbers the rows, as the live table has them', async () => {
    const { mapper, device, executor } = await mapped('structured');
    const request = { ...status, offsetBytes: sectors(60), lengthBytes: sectors(50) };
    const rows = async (flags = 0) =>
      statuses(await send(executor, { ...request, flags })).find(
        ({ contextId }) => contextId === 2,
      )!.extents;
    expect(await rows()).toEqual([
      { lengthBytes: sectors(4), flags: 0 },
      { lengthBytes: sectors(32), flags: 1 },
      { lengthBytes: sectors(14), flags: 2 },
    ]);
    expect(await rows(CommandFlag.reqOne)).toEqual([{ lengthBytes: sectors(4), flags: 0 }]);
    await mapper.load(device, [{ start: 0, length: 110, type: 'linear', params: 'C 0' }]);
    await device.resume();
    expect(await rows()).toEqual([{ lengthBytes: sectors(50), flags: 0 }]);
  });
});
