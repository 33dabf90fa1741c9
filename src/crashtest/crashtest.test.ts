import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectNbd } from '../mapper/nbd-client.ts';
import { type CrashtestDisk, type CrashtestOptions, crashtest } from './crashtest.ts';

const SIZE = 64 * 1024;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-library-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const page = (number: number, lengthBytes = 4096) => new Uint8Array(lengthBytes).fill(number);

interface Mistakes {
  noFlushBeforeHeader?: boolean;
  promiseBeforeFlush?: boolean;
  headerBytes?: number;
}

/** Pages one after another, and a header that counts them. */
function counted(mistakes: Mistakes = {}): CrashtestOptions {
  const { noFlushBeforeHeader, promiseBeforeFlush, headerBytes = 512 } = mistakes;
  return {
    sizeBytes: SIZE,
    async workload(disk, { mark }) {
      for (let number = 1; number <= 5; number += 1) {
        await disk.write({ offsetBytes: number * 4096, data: page(number) });
        if (!noFlushBeforeHeader) await disk.flush();
        await disk.write({ offsetBytes: 0, data: page(number, headerBytes) });
        if (promiseBeforeFlush) mark(String(number));
        await disk.flush();
        mark(String(number));
      }
    },
    async check(disk, { mark }) {
      const header = await disk.read({ offsetBytes: 0, lengthBytes: headerBytes });
      const count = header[0]!;
      if (header.some((byte) => byte !== count)) throw new Error('half a header');
      if (count < Number(mark)) throw new Error(`${mark} pages were promised, not ${count}`);
      for (let number = 1; number <= count; number += 1) {
        const data = await disk.read({ offsetBytes: number * 4096, lengthBytes: 4096 });
        if (data.some((byte) => byte !== number)) throw new Error(`page ${number} is lost`);
      }
    },
  };
}

describe('a test with power cuts', () => {
  test('finds nothing wrong with a careful writer', async () => {
    const result = await crashtest({ ...counted(), tearBytes: 4096 });
    expect(result).toMatchObject({ failures: [], ended: 'exhausted' });
    expect(result.reachedPointCount).toBe(result.pointCount);
    expect(result.text).toMatch(/^no bad state in \d+ states of a disk of 64 KiB/);
  });

  test.each<[Mistakes, RegExp, number]>([
    [{ noFlushBeforeHeader: true }, /page \d is lost/, 1],
    [{ promiseBeforeFlush: true }, /\d pages were promised, not \d/, 1],
    [{ headerBytes: 1024 }, /half a header/, 1],
  ])(
    'finds %j with a small budget, and the one write that does it',
    async (mistake, said, count) => {
      const result = await crashtest({ ...counted(mistake), budget: { stateCount: 60 } });
      expect(result.failures).toHaveLength(1);
      const [failure] = result.failures;
      expect((failure!.error as Error).message).toMatch(said);
      expect(failure![failure!.smallest]).toHaveLength(count);
      expect(result.text).toMatch(said);
      expect(result.stateCount).toBeLessThan(100);
    },
  );

  test('keeps the log of a bad state, and brings the state back without the workload', async () => {
    const log = join(folder, 'kept.log');
    const { check, ...rest } = counted({ noFlushBeforeHeader: true });
    const found = await crashtest({ ...rest, check, keepLog: log });
    const { state } = found.failures[0]!;
    expect(found.text).toContain(JSON.stringify({ log, state }));
    const again = await crashtest({ log, sizeBytes: SIZE, state, check });
    expect(again.failures).toMatchObject([{ state, error: found.failures[0]!.error }]);
    const other = await crashtest({ log, sizeBytes: SIZE, state: '0:none', check });
    expect(other).toMatchObject({ failures: [], stateCount: 1 });
  });

  test('cuts the power only after the setup, over an image that stays as it is', async () => {
    const image = join(folder, 'image');
    writeFileSync(image, page(9, SIZE));
    const marks = new Set<string | null>();
    const result = await crashtest({
      image,
      tearBytes: 4096,
      setup: async (disk, { mark }) => {
        mark('made');
        await disk.write({ offsetBytes: 0, data: page(1) });
      },
      workload: (disk) => disk.write({ offsetBytes: 4096, data: page(2) }),
      check: async (disk, { mark }) => {
        marks.add(mark);
        const data = await disk.read({ offsetBytes: 0, lengthBytes: 12_288 });
        expect([1, 2, 9]).toContain(data[4096]);
        expect([data[0], data[8192]]).toEqual([1, 9]);
        await disk.write({ offsetBytes: 0, data: page(5) }); // Gone with the next state.
      },
    });
    expect(result.failures).toEqual([]);
    expect([...marks]).toEqual(['made']);
  });

  test('offers the disks over NBD too', async () => {
    const first = async (disk: CrashtestDisk) => {
      await using client = await connectNbd(disk.nbdUri);
      return (await client.read({ offsetBytes: 0, lengthBytes: 512 }))[0]!;
    };
    const seen = new Set<number>();
    await crashtest({
      sizeBytes: SIZE,
      tearBytes: null,
      workload: async (disk) => {
        await using client = await connectNbd(disk.nbdUri);
        await client.write({ offsetBytes: 0, data: page(3) });
        expect(await first(disk)).toBe(3);
      },
      check: async (disk) => void seen.add(await first(disk)),
    });
    expect([...seen].toSorted((a, b) => a - b)).toEqual([0, 3]);
  });

  test('takes a check that does not end for a failure, and its disk from it', async () => {
    let late: CrashtestDisk | null = null;
    const { failures } = await crashtest({
      ...counted(),
      checkTimeoutMs: 30,
      check: (disk, { mark }) => {
        if (mark !== '3') return true;
        late = disk;
        return new Promise(() => {});
      },
    });
    expect(failures).toMatchObject([{ mark: '3', output: 'The check did not end within 0.03 s' }]);
    await expect(late!.flush()).rejects.toThrow('it was closed');
  });

  test('can be interrupted, in the workload and in a check', async () => {
    const interrupt = new AbortController();
    const hang = () => {
      setImmediate(() => interrupt.abort(new Error('enough')));
      return new Promise(() => {});
    };
    const { signal } = interrupt;
    const result = await crashtest({ ...counted(), check: hang, signal });
    expect(result).toMatchObject({ ended: 'interrupted', stateCount: 0, failures: [] });
    await expect(crashtest({ ...counted(), workload: hang, signal })).rejects.toThrow('enough');
  });

  test('throws what the workload throws, and leaves nothing behind', async () => {
    const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('devmapper-crash'));
    const before = left();
    const failing = crashtest({ ...counted(), workload: () => Promise.reject(new Error('no')) });
    await expect(failing).rejects.toThrow('no');
    expect(left()).toEqual(before);
  });

  test('that writes nothing does not pass', async () => {
    const setup: CrashtestOptions['setup'] = (disk) =>
      disk.write({ offsetBytes: 0, data: page(1) });
    const idle = crashtest({ ...counted(), setup, workload: (_, { mark }) => mark('done') });
    await expect(idle).rejects.toThrow('nothing was written to the disk');
  });

  test('says so where the check does not even take the disk as it was before', async () => {
    const { failures, text } = await crashtest({ ...counted(), check: () => false });
    expect(failures).toMatchObject([{ state: '0:none', output: 'The check answered false' }]);
    expect(text).toMatch(/^BAD: The check fails on the disk as it was before anything was written/);
  });

  test.each<[Partial<CrashtestOptions>, RegExp]>([
    [{ sizeBytes: 1000 }, /multiple of 512 above 0, not 1000/],
    [{ sizeBytes: 0 }, /multiple of 512/],
    [{ image: '/x' }, /a size of its own/],
    [{ log: '/x' }, /workload or log/],
    [{ state: '1:all' }, /expected log/],
    [{ jobs: 0 }, /jobs must be a whole number above 0/],
    [{ budget: { stateCount: 0 } }, /stateCount must be a whole number above 0/],
    [{ budget: { timeMs: Number.NaN } }, /timeMs must be above 0, not NaN/],
  ])('refuses %j', async (options, message) => {
    await expect(crashtest({ ...counted(), ...options })).rejects.toThrow(message);
  });
});
