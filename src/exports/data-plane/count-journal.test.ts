import { expect, test } from 'vitest';
import { Bio, Op } from '../../core/bio.ts';
import { IoStatistics, STATISTICS_BYTES } from '../../core/statistics.ts';
import { CountJournal, ReplicaStatistics } from './count-journal.ts';

function finish(statistics: IoStatistics, op: Op, sectorCount: number, error = 0): void {
  const bio = new Bio();
  Object.assign(bio, { op, sectorCount, error, startMs: 1, endMs: 3 });
  statistics.begin();
  statistics.finish(bio);
}

test('a request that is taken back was never counted, on any device', () => {
  const journal = new CountJournal();
  const memory = new SharedArrayBuffer(2 * STATISTICS_BYTES);
  const [top, below] = [0, STATISTICS_BYTES].map(
    (at) => new ReplicaStatistics(memory, at, journal),
  ) as [ReplicaStatistics, ReplicaStatistics];
  finish(below, Op.write, 4);
  finish(top, Op.write, 4);
  const kept = [...top.counters, ...below.counters];
  journal.clear();
  finish(below, Op.write, 8);
  finish(below, Op.read, 8);
  finish(top, Op.write, 16, 11);
  expect([...top.counters, ...below.counters]).not.toEqual(kept);
  journal.takeBack();
  expect([...top.counters, ...below.counters]).toEqual(kept);
  journal.takeBack();
  expect([...top.counters, ...below.counters]).toEqual(kept);
});

test('what fails in a worker is not counted there and not in flight', () => {
  const statistics = new ReplicaStatistics(
    new SharedArrayBuffer(STATISTICS_BYTES),
    0,
    new CountJournal(),
  );
  finish(statistics, Op.read, 4, 11);
  expect([...statistics.counters]).toEqual([...new IoStatistics().counters]);
});
