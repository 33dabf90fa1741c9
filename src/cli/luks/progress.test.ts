import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Progress } from './progress.ts';

const MIB = 1024 * 1024;

async function run(isTerminal: boolean, json = false): Promise<string> {
  const clock = new SimulatedClock();
  let text = '';
  const target = { isTerminal, write: (more: string) => (text += more) };
  const progress = new Progress({ device: 'disk.img', json, target, clock, everyMs: 1000 });
  for (const done of [0, 25, 50, 75]) {
    progress.report(done * MIB, 100 * MIB);
    await clock.advance(1000);
  }
  progress.report(100 * MIB, 100 * MIB);
  progress.finish(100 * MIB);
  return text;
}

test('a line now and then where nobody watches', async () => {
  expect((await run(false)).split('\n')).toEqual([
    'Progress:  25.0%, ETA 00m03s, 25 MiB written, speed 25 MiB/s',
    'Progress:  50.0%, ETA 00m02s, 50 MiB written, speed 25 MiB/s',
    'Progress:  75.0%, ETA 00m01s, 75 MiB written, speed 25 MiB/s',
    'Progress: 100.0%, ETA 00m00s, 100 MiB written, speed 25 MiB/s',
    'Finished, time 00m04s, 100 MiB written, speed 25 MiB/s',
    '',
  ]);
});

test('a bar that is drawn over on a terminal', async () => {
  const text = await run(true);
  expect(text.split('\r\x1b[K')[1]).toBe(
    '[######..................]  25.0%, ETA 00m03s, 25 MiB written, speed 25 MiB/s',
  );
  expect(text.endsWith('\r\x1b[KFinished, time 00m04s, 100 MiB written, speed 25 MiB/s\n')).toBe(
    true,
  );
});

test('lines of JSON with the members of cryptsetup', async () => {
  const [first] = (await run(false, true)).split('\n');
  expect(JSON.parse(first!)).toEqual({
    device: 'disk.img',
    device_bytes: String(25 * MIB),
    device_size: String(100 * MIB),
    speed: String(25 * MIB),
    eta_ms: '3000',
    time_ms: '1000',
  });
});
