import { describe, expect, it } from 'vitest';
import { SlowDisk } from './slow-disk.ts';

const MIB = 1024 * 1024;

/** A disk and its time, used as a worker does: own calls while it is trusted, the main thread's answers while it is not. */
class Use {
  readonly disk = new SlowDisk();
  nowMs = 0;
  ownCount = 0;
  blockedMs = 0;

  request(durationMs: number, lengthBytes = 4096): 'own' | 'main' {
    if (this.disk.isSuspected(this.nowMs)) {
      this.nowMs += durationMs;
      this.disk.noteAnswer(durationMs, lengthBytes);
      return 'main';
    }
    this.nowMs += durationMs;
    this.ownCount += 1;
    this.blockedMs += durationMs;
    this.disk.noteCall(durationMs, lengthBytes, this.nowMs);
    return 'own';
  }
}

describe('SlowDisk', () => {
  it('is suspected after one call that is very slow, or three in a row that are slow', () => {
    const very = new Use();
    expect([200, 1].map((ms) => very.request(ms))).toEqual(['own', 'main']);
    const somewhat = new Use();
    expect([5, 0, 5, 5, 0, 5, 5, 5, 0].map((ms) => somewhat.request(ms))).toEqual([
      ...Array.from({ length: 8 }, () => 'own'),
      'main',
    ]);
  });

  it('is never tried while the main thread waits for it', () => {
    const use = new Use();
    for (let i = 0; i < 1000; i += 1) use.request(200);
    expect(use.ownCount).toBe(1);
  });

  it('is trusted again once answers come quickly', () => {
    const use = new Use();
    use.request(200);
    const kinds = Array.from({ length: 200 }, () => use.request(1));
    expect(kinds.indexOf('own')).toBeGreaterThan(0);
    expect(kinds.lastIndexOf('main')).toBe(kinds.indexOf('own') - 1);
  });

  it('that is slow now and then holds the worker up ever more rarely', () => {
    const use = new Use();
    // Cached nine times out of ten.
    for (let i = 0; i < 100_000; i += 1) use.request(i % 10 === 9 ? 200 : 0.5);
    expect(use.blockedMs / use.nowMs).toBeLessThan(0.05);
  });

  it('is forgiven when it was good for long', () => {
    const use = new Use();
    for (let i = 0; i < 5; i += 1) {
      while (use.request(1) !== 'own');
      use.request(200);
    }
    while (use.request(1) !== 'own');
    for (let i = 0; i < 200_000; i += 1) use.request(1);
    use.request(200);
    const startMs = use.nowMs;
    while (use.request(1) !== 'own');
    expect(use.nowMs - startMs).toBeLessThan(60);
  });

  it('may take longer for more bytes', () => {
    const use = new Use();
    for (let i = 0; i < 10; i += 1) expect(use.request(30, 32 * MIB)).toBe('own');
    expect(use.request(200, 32 * MIB)).toBe('own');
    expect(use.request(1, 32 * MIB)).toBe('main');
  });
});
