import { describe, expect, it } from 'vitest';
import { benchmarkPbkdf, type PbkdfMachine } from './benchmark.ts';
import type { Pbkdf, PbkdfRequest } from './pbkdf.ts';

/** Takes exactly this long for each unit of work. */
class Machine implements PbkdfMachine {
  processors = 8;
  memoryKiB = 64 * 1024 * 1024;
  /** Iterations, or KiB times iterations. */
  workPerMs = 2000;
  readonly runs: Pbkdf[] = [];

  measureMs(pbkdf: Pbkdf): Promise<number> {
    this.runs.push(pbkdf);
    const work = pbkdf.name === 'pbkdf2' ? pbkdf.iterations : pbkdf.iterations * pbkdf.memoryKiB;
    return Promise.resolve(work / this.workPerMs);
  }
}

function fitted(request: PbkdfRequest, machine: Partial<Machine> = {}): Promise<Pbkdf> {
  return benchmarkPbkdf(request, 64, Object.assign(new Machine(), machine));
}

describe('benchmarkPbkdf', () => {
  it('gives argon2id all the memory that 2 seconds allow, at 4 iterations', async () => {
    expect(await fitted({})).toEqual({
      name: 'argon2id',
      hash: 'sha256',
      iterations: 4,
      memoryKiB: 1_000_000,
      parallel: 4,
    });
  });

  it('gives more iterations where memory is at its limit', async () => {
    const pbkdf = await fitted({}, { workPerMs: 20_000 });
    expect(pbkdf).toMatchObject({ memoryKiB: 1_048_576, iterations: 38 });
  });

  it('takes at most half of the memory, and a thread for each processor', async () => {
    const pbkdf = await fitted({ name: 'argon2i' }, { memoryKiB: 100_000, processors: 2 });
    expect(pbkdf).toMatchObject({
      name: 'argon2i',
      memoryKiB: 50_000,
      parallel: 2,
      iterations: 80,
    });
  });

  it('takes four threads at most', async () => {
    const pbkdf = await fitted({ parallel: 5 });
    expect(pbkdf.parallel).toBe(4);
  });

  it('stays at the least there may be on a slow machine', async () => {
    const pbkdf = await fitted({ iterTimeMs: 1 }, { workPerMs: 10 });
    expect(pbkdf).toMatchObject({ memoryKiB: 32, iterations: 4 });
    const slow = await fitted({ name: 'pbkdf2', iterTimeMs: 1 }, { workPerMs: 10 });
    expect(slow.iterations).toBe(1000);
  });

  it('counts pbkdf2 iterations', async () => {
    const pbkdf = await fitted({ name: 'pbkdf2', hash: 'sha512', iterTimeMs: 125 });
    expect(pbkdf).toEqual({
      name: 'pbkdf2',
      hash: 'sha512',
      iterations: 250_000,
      memoryKiB: 0,
      parallel: 0,
    });
  });

  it('does not measure what is forced', async () => {
    const machine = new Machine();
    const request = { forceIterations: 5, memoryKiB: 4096, parallel: 3 };
    expect(await benchmarkPbkdf(request, 64, machine)).toMatchObject({
      iterations: 5,
      memoryKiB: 4096,
      parallel: 3,
    });
    expect(machine.runs).toEqual([]);
  });

  it('takes the fastest of several runs', async () => {
    const machine = new Machine();
    machine.measureMs = (pbkdf) => {
      machine.workPerMs = machine.runs.length === 2 ? 2000 : 500;
      return Machine.prototype.measureMs.call(machine, pbkdf);
    };
    const pbkdf = await benchmarkPbkdf({ name: 'pbkdf2' }, 64, machine);
    expect(pbkdf.iterations).toBe(4_000_000);
  });

  it.each<[PbkdfRequest, RegExp]>([
    [{ iterTimeMs: 0 }, /Requested PBKDF target time cannot be zero.* got 0/],
    [{ iterTimeMs: Number.NaN }, /got NaN/],
    [{ forceIterations: 3 }, /Forced iteration count is too low for argon2id \(minimum is 4\)/],
    [
      { name: 'pbkdf2', forceIterations: 999 },
      /Forced iteration count is too low for pbkdf2 \(minimum is 1000\), got 999/,
    ],
    [{ forceIterations: 4.5 }, /iterations must be an integer .* got 4.5/],
    [{ memoryKiB: 31 }, /Forced memory cost is too low for argon2id \(minimum is 32 kilobytes\)/],
    [
      { memoryKiB: 5_000_000 },
      /Requested maximum PBKDF memory cost is too high \(maximum is 4194304 kilobytes\)/,
    ],
    [{ parallel: 0 }, /Requested PBKDF parallel threads cannot be zero/],
    [{ parallel: -1 }, /parallel threads must be an integer from 1 to 4, got -1/],
    [{ name: 'pbkdf2', hash: 'nohash' }, /Requested hash nohash is not supported/],
  ])('refuses %j', async (request, message) => {
    await expect(fitted(request)).rejects.toThrow(message);
  });
});
