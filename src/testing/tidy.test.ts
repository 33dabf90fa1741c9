import { expect, test } from 'vitest';
import { findOffences } from '../../scripts/tidy.ts';

/** Each line alone in a file of that path must give one offence whose advice contains the words, at that line. */
const offences: [path: string, line: string, advice: string][] = [
  ['src/core/x.ts', "const size = parseInt('12', 10);", 'parseInt'],
  ['src/cli/x.ts', "const size = Number.parseInt('12');", 'parseInt'],
  ['src/core/x.ts', 'const seed = Math.random();', 'Prng'],
  ['src/core/x.ts', 'const now = Date.now();', 'wallMs'],
  ['src/core/x.ts', 'const now = new Date();', 'wallMs'],
  ['src/core/x.ts', 'const now = performance.now();', 'nowMs'],
  ['src/exports/x.ts', 'setTimeout(() => done(), 5);', 'clock.after'],
  ['src/exports/x.ts', 'globalThis.setTimeout(done, 5);', 'clock.after'],
  ['src/exports/x.ts', 'setInterval(done, 5);', 'clock.after'],
  ['src/core/x.ts', "console.log('mapped');", 'print'],
  ['src/core/x.ts', 'try { run(); } catch {}', 'handle the error'],
  ['src/core/x.ts', 'try { run(); } catch (error) { }', 'handle the error'],
  ['src/core/x.ts', '// TODO: wrap around', 'TODO(#number)'],
  ['src/core/x.ts', '/* FIXME */ run();', 'TODO(#number)'],
  ['src/core/x.test.ts', "test.only('one', () => {});", '.only'],
  ['src/core/x.test.ts', "describe.skip('one', () => {});", '.skip'],
  ['src/core/x.test.ts', "test.skip.each([1])('one', () => {});", '.skip'],
  ['src/core/x.test.ts', "describe.skipIf(true)('one', () => {});", '.skipIf'],
  ['src/core/x.test.ts', "test.todo('one');", '.todo'],
];

test.each(offences)('%s: %s', (path, line, advice) => {
  const found = findOffences(path, `\n${line}\n`);
  expect(found).toEqual([{ line: 2, advice: expect.stringContaining(advice) }]);
});

const clean: [path: string, line: string][] = [
  ['src/base/prng.ts', 'const seed = Math.random();'],
  ['src/base/clock.ts', 'setTimeout(done, 5);'],
  ['src/core/x.test.ts', 'setTimeout(done, 5);'],
  ['bench/run.mjs', 'const now = performance.now();'],
  ['src/core/x.ts', 'const day = new Date(clock.wallMs());'],
  ['src/core/x.ts', 'clock.setTimeout(done, 5);'],
  ['src/core/x.ts', "const text = 'parseInt(1) // TODO';"],
  ['src/core/x.ts', '// parseInt(1) would stop at the first bad character'],
  ['src/core/x.ts', '// TODO(#12): wrap around'],
  ['src/core/x.ts', 'try { run(); } catch { /* closed already */ }'],
  ['src/cli/x.ts', "console.log('mapped');"],
  ['src/core/x.ts', 'queue.skip(3);'],
];

test.each(clean)('%s may: %s', (path, line) => {
  expect(findOffences(path, `${line}\n`)).toEqual([]);
});

test('a file has at most 400 lines', () => {
  const lines = (count: number) => 'run();\n'.repeat(count);
  expect(findOffences('src/core/x.ts', lines(400))).toEqual([]);
  const [offence] = findOffences('src/core/x.ts', lines(401));
  expect(offence).toEqual({ line: 401, advice: expect.stringContaining('401 lines') });
});
