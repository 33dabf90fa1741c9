import { expect, test } from 'vitest';
import { RUN_BYTES } from '../kernels/cipher-memory.ts';
import { createJob } from './job.ts';
import { SharedWords } from './shared-words.ts';

/** Both sides of the same memory. */
function pair(): { worker: SharedWords; assistant: SharedWords } {
  const worker = new SharedWords();
  return { worker, assistant: new SharedWords(worker.memory) };
}

function jobOf(pieces: number, sector = 0) {
  return { ...createJob(3), lengthBytes: pieces * RUN_BYTES - 512, sector };
}

test('every piece is drawn once, by one or the other', () => {
  const { worker, assistant } = pair();
  worker.publish(jobOf(4));
  assistant.enter();
  expect([worker.draw(), assistant.draw(), assistant.draw(), worker.draw()]).toEqual([0, 1, 2, 3]);
  expect([worker.draw(), assistant.draw()]).toEqual([-1, -1]);
  assistant.leave();
  expect(worker.finish()).toBe(true);
});

test('whoever draws sees the words of the job it drew from', () => {
  const { worker, assistant } = pair();
  worker.publish(jobOf(1, 2 ** 40 + 8));
  assistant.enter();
  expect(assistant.draw()).toBe(0);
  const seen = createJob();
  assistant.read(seen);
  expect(seen).toEqual(jobOf(1, 2 ** 40 + 8));
});

test('an assistant that wakes late finds no ticket, whatever comes next', () => {
  const { worker, assistant } = pair();
  worker.publish(jobOf(2));
  worker.draw();
  worker.draw();
  expect(worker.finish()).toBe(true);
  assistant.enter();
  expect(assistant.draw()).toBe(-1);
  worker.publish(jobOf(8));
  expect([assistant.draw(), worker.draw()]).toEqual([0, 1]);
});

test('before the first job there is no ticket', () => {
  const { assistant } = pair();
  assistant.enter();
  expect(assistant.draw()).toBe(-1);
});

test('a piece that failed, or whose thread ended, is not taken for done', () => {
  const failed = pair();
  failed.worker.publish(jobOf(1));
  failed.assistant.fail();
  expect(failed.worker.finish()).toBe(false);

  const gone = pair();
  gone.assistant.begin();
  gone.worker.publish(jobOf(1));
  gone.assistant.enter();
  gone.assistant.draw();
  gone.assistant.noteGone();
  expect(gone.worker.finish()).toBe(false);
  expect(gone.worker.isReady).toBe(false);
  gone.worker.waitClosed(1);
});
