import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Bio, BioFlag, Op } from '../core/bio.ts';
import { beginPlug, endPlug } from '../core/plug.ts';
import type { CallDone, PoolCalls } from './pool-calls.ts';
import { TransferQueue } from './transfer-queue.ts';

interface Call {
  name: string;
  position: number;
  lengths: number[];
  done: CallDone;
}

function createQueue(limit = 4) {
  const calls: Call[] = [];
  const syncs: ((errno: number) => void)[] = [];
  const record = (name: string, position: number, lengths: number[], done: CallDone) =>
    calls.push({ name, position, lengths, done });
  const lengthsOf = (pieces: Uint8Array[]) => pieces.map((piece) => piece.byteLength);
  const pool: PoolCalls = {
    read: (_fd, _memory, length, position, done) => record('read', position, [length], done),
    write: (_fd, _memory, length, position, done) => record('write', position, [length], done),
    readVector: (_fd, pieces, position, done) => record('readv', position, lengthsOf(pieces), done),
    writeVector: (_fd, pieces, position, done) =>
      record('writev', position, lengthsOf(pieces), done),
    syncData: (_fd, done) => done(null),
  };
  const ends: string[] = [];
  const queue = new TransferQueue({
    fd: () => 3,
    calls: pool,
    limit,
    cached: null,
    sync: (done) => syncs.push(done),
    end: (bio, errno) => ends.push(`${bio.sector} ${errno}`),
  });
  const submit = (op: Op, sector: number, sectorCount: number, flags = 0) => {
    const data = new Uint8Array(sectorCount * 512);
    queue.submit(Object.assign(new Bio(), { op, sector, sectorCount, flags, data }));
  };
  return { calls, ends, submit, syncs };
}

function plugged(action: () => void): void {
  beginPlug();
  action();
  endPlug();
}

const shapes = (calls: Call[]) => calls.map(({ name, position }) => `${name} ${position / 512}`);

describe('limit', () => {
  test('so many are in the pool, the others follow in order', () => {
    const { calls, ends, submit } = createQueue(2);
    for (let sector = 0; sector < 5; sector += 1) submit(Op.read, sector * 10, 1);
    expect(shapes(calls)).toEqual(['read 0', 'read 10']);
    calls[1]!.done(null, 512);
    expect(shapes(calls)).toEqual(['read 0', 'read 10', 'read 20']);
    calls[0]!.done(null, 512);
    calls[2]!.done(null, 512);
    expect(shapes(calls).slice(3)).toEqual(['read 30', 'read 40']);
    expect(ends).toEqual(['10 0', '0 0', '20 0']);
  });
});

describe('joining', () => {
  test('neighbours under a plug are one call', () => {
    const { calls, ends, submit } = createQueue();
    plugged(() => {
      submit(Op.read, 8, 8);
      submit(Op.read, 16, 4);
      submit(Op.read, 20, 1);
      expect(calls).toEqual([]);
    });
    expect(calls).toMatchObject([{ name: 'readv', position: 8 * 512, lengths: [4096, 2048, 512] }]);
    calls[0]!.done(null, 13 * 512);
    expect(ends).toEqual(['8 0', '16 0', '20 0']);
  });

  test('a gap, another operation or another promise starts a call of its own', () => {
    const { calls, submit } = createQueue(10);
    plugged(() => {
      submit(Op.write, 0, 8);
      submit(Op.write, 9, 1);
      submit(Op.read, 10, 1);
      submit(Op.read, 9, 1);
      submit(Op.write, 10, 1);
      submit(Op.write, 11, 1, BioFlag.fua);
    });
    expect(shapes(calls)).toEqual([
      'write 0',
      'write 9',
      'read 10',
      'read 9',
      'write 10',
      'write 11',
    ]);
  });

  test('without a plug nothing waits', () => {
    const { calls, submit } = createQueue();
    submit(Op.write, 0, 1);
    submit(Op.write, 1, 1);
    expect(shapes(calls)).toEqual(['write 0', 'write 1']);
  });
});

describe('short calls', () => {
  test('what is missing is asked for again, from within a piece', () => {
    const { calls, ends, submit } = createQueue();
    plugged(() => {
      submit(Op.write, 0, 2);
      submit(Op.write, 2, 2);
      submit(Op.write, 4, 1);
    });
    calls[0]!.done(null, 1024 + 100);
    expect(calls[1]).toMatchObject({ name: 'writev', position: 1124, lengths: [924, 512] });
    calls[1]!.done(null, 924);
    expect(calls[2]).toMatchObject({ name: 'write', position: 2048, lengths: [512] });
    expect(ends).toEqual([]);
    calls[2]!.done(null, 512);
    expect(ends).toEqual(['0 0', '2 0', '4 0']);
  });

  test('the end of the file is an I/O error for what lies behind it', () => {
    const { calls, ends, submit } = createQueue();
    plugged(() => {
      submit(Op.read, 0, 2);
      submit(Op.read, 2, 2);
      submit(Op.read, 4, 1);
    });
    calls[0]!.done(null, 1024 + 512);
    calls[1]!.done(null, 0);
    expect(ends).toEqual(['0 0', '2 5', '4 5']);
  });

  test('an error after a part fails the rest, and the next in line goes on', () => {
    const { calls, ends, submit } = createQueue(1);
    plugged(() => {
      submit(Op.write, 0, 1);
      submit(Op.write, 1, 1);
    });
    submit(Op.write, 50, 1);
    calls[0]!.done(null, 700);
    calls[1]!.done(Object.assign(new Error('full'), { errno: -Errno.ENOSPC, code: 'ENOSPC' }), 0);
    expect(ends).toEqual(['0 0', '1 28']);
    calls[2]!.done(null, 512);
    expect(ends.at(-1)).toBe('50 0');
  });
});

describe('FUA', () => {
  test('ends after a sync that began when the write was done', () => {
    const { calls, ends, submit, syncs } = createQueue();
    submit(Op.write, 0, 1, BioFlag.fua);
    expect(syncs).toHaveLength(0);
    calls[0]!.done(null, 512);
    expect(ends).toEqual([]);
    syncs[0]!(0);
    expect(ends).toEqual(['0 0']);
  });

  test('fails when the sync fails', () => {
    const { calls, ends, submit, syncs } = createQueue();
    submit(Op.write, 0, 1, BioFlag.fua);
    calls[0]!.done(null, 512);
    syncs[0]!(Errno.EIO);
    expect(ends).toEqual(['0 5']);
  });
});
