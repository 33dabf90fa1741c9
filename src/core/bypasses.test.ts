import { expect, test } from 'vitest';
import { type Bypass, Bypasses } from './bypasses.ts';

/** Comes to rest when told. */
class SlowBypass implements Bypass {
  readonly calls: string[] = [];
  rest: () => void = () => {};
  readonly #rested = new Promise<void>((resolve) => {
    this.rest = resolve;
  });

  quiesce(): Promise<void> {
    this.calls.push('quiesce');
    return this.#rested;
  }

  release(): void {
    this.calls.push('release');
  }

  statistics() {
    return undefined;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test('all rest before any is let go, those too that come meanwhile', async () => {
  const bypasses = new Bypasses();
  const [first, second] = [new SlowBypass(), new SlowBypass()];
  bypasses.add(first, false);
  const renewed = bypasses.renew(() => false);
  bypasses.add(second, false);
  expect(second.calls).toEqual(['quiesce']);
  first.rest();
  await settle();
  expect([...first.calls, ...second.calls]).not.toContain('release');
  second.rest();
  await renewed;
  expect(first.calls.at(-1)).toBe('release');
  expect(second.calls.at(-1)).toBe('release');
});

test('one that comes to a blocked device rests from the start, to another it does not', () => {
  const bypasses = new Bypasses();
  const [first, second] = [new SlowBypass(), new SlowBypass()];
  bypasses.add(first, true);
  bypasses.add(second, false);
  expect([first.calls, second.calls]).toEqual([['quiesce'], []]);
});

test('one that goes is asked nothing more', async () => {
  const bypasses = new Bypasses();
  const bypass = new SlowBypass();
  bypasses.add(bypass, false);
  expect([bypasses.delete(bypass), bypasses.delete(bypass)]).toEqual([true, false]);
  await bypasses.renew(() => false);
  expect(bypass.calls).toEqual([]);
});

test('renewals that overlap let go once, and none of a device that was blocked meanwhile', async () => {
  const bypasses = new Bypasses();
  const bypass = new SlowBypass();
  bypasses.add(bypass, false);
  const both = [bypasses.renew(() => false), bypasses.renew(() => false)];
  bypass.rest();
  await Promise.all(both);
  expect(bypass.calls).toEqual(['quiesce', 'quiesce', 'release']);
  await bypasses.renew(() => true);
  expect(bypass.calls.at(-1)).toBe('quiesce');
});
