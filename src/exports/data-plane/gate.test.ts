import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Gate, Signal } from './gate.ts';

describe('Gate', () => {
  it('is shut until opened', () => {
    const gate = new Gate();
    expect(gate.enter()).toBe(false);
    gate.open();
    expect(gate.enter()).toBe(true);
    gate.leave();
  });

  it('lets nobody in who has an old plan', () => {
    const gate = new Gate();
    gate.signal(Signal.plan);
    gate.open();
    expect(gate.signalled).toBe(true);
    expect(gate.enter()).toBe(false);
    gate.clearSignal();
    expect(gate.enter()).toBe(true);
    gate.leave();
    gate.signal(Signal.message);
    expect(gate.signalled).toBe(true);
    expect(gate.enter()).toBe(true);
  });

  it('shuts when whoever was inside is dead', async () => {
    const gate = new Gate();
    gate.open();
    expect(gate.enter()).toBe(true);
    const shutting = gate.shut();
    gate.abandon();
    await shutting;
    expect(gate.enter()).toBe(false);
  });

  it('shuts only once the worker is outside', async () => {
    const gate = new Gate();
    gate.open();
    expect(gate.enter()).toBe(true);
    let shut = false;
    const shutting = gate.shut().then(() => {
      shut = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(shut).toBe(false);
    gate.leave();
    await shutting;
    expect(gate.enter()).toBe(false);
  });

  it('keeps a busy thread out after every shut', async () => {
    const gate = new Gate();
    const shared = new Int32Array(new SharedArrayBuffer(8));
    // The worker's side in plain JavaScript: enter, touch the guarded word twice, leave.
    const code = `
      const { workerData } = require('node:worker_threads');
      const gate = new Int32Array(workerData.gate), shared = new Int32Array(workerData.shared);
      while (Atomics.load(shared, 1) === 0) {
        Atomics.store(gate, 1, 1);
        if (Atomics.load(gate, 0) === 1) { shared[0] += 1; shared[0] += 1; }
        Atomics.store(gate, 1, 0);
        if (Atomics.load(gate, 0) === 0) Atomics.notify(gate, 1);
      }`;
    const workerData = { gate: gate.memory, shared: shared.buffer };
    const worker = new Worker(code, { eval: true, workerData });
    gate.open();
    while (Atomics.load(shared, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let round = 0; round < 200; round += 1) {
      gate.open();
      await new Promise((resolve) => setImmediate(resolve));
      await gate.shut();
      const before = Atomics.load(shared, 0);
      expect(before % 2).toBe(0);
      let moved = false;
      for (let i = 0; i < 10_000; i += 1) moved ||= Atomics.load(shared, 0) !== before;
      expect(moved).toBe(false);
    }
    Atomics.store(shared, 1, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(Atomics.load(shared, 0)).toBeGreaterThan(0);
  });
});
