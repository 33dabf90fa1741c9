import { expect, test } from 'vitest';
import type { System } from '../../system/index.ts';
import { FuseThread } from './fuse-thread.ts';
import type { FromWorker, StartMessage } from './messages.ts';
import { createSeats, type Seat } from './seats.ts';

const [FUSE_FD, EVENT_FD] = [1001, 1002];

/** A thread that does what the test does with `port`, and what became of its requests and descriptors. */
function createRig() {
  const closed: number[] = [];
  const executed: string[] = [];
  const ports: StartMessage['port'][] = [];
  const thread: Seat['thread'] = {
    onEnd: () => {},
    serve: (start) => ports.push((start as StartMessage).port),
    end: () => Promise.resolve(),
  };
  const descriptors = { close: (fd: number) => closed.push(fd), eventAdd: () => 0 };
  const system = { descriptors } as unknown as System;
  const fuseThread = new FuseThread(
    { thread, fuseFd: FUSE_FD, eventFd: EVENT_FD },
    {
      system,
      spinMicroseconds: 0,
      execute: (bytes, reply) => {
        executed.push(String(bytes));
        // As an operation that ends later.
        queueMicrotask(() => executed.push(`taken: ${reply(new Uint8Array(16))}`));
      },
      report: (message) => executed.push(message),
    },
  );
  const post = (message: FromWorker) => ports[0]!.postMessage(message);
  return { fuseThread, thread, post, closed, executed };
}

test('a thread that dies is heard to the end, and its descriptors are closed once', async () => {
  const { fuseThread, thread, post, closed, executed } = createRig();
  post({ kind: 'request', bytes: Uint8Array.of(1), id: null });
  post({ kind: 'request', bytes: Uint8Array.of(2), id: 5 });
  thread.onEnd(new Error('out of memory'));
  expect(executed).toEqual(['1', '2']);
  expect(await fuseThread.ended).toBe('a thread of the mount died: out of memory');
  expect(executed).toEqual(['1', '2', 'taken: false', 'taken: false']);
  await fuseThread.close();
  expect(closed).toEqual([FUSE_FD, EVENT_FD]);
});

test('a reply that the kernel refuses is reported', async () => {
  const { fuseThread, thread, post, executed } = createRig();
  post({ kind: 'request', bytes: Uint8Array.of(1), id: null });
  while (executed.length < 3) await new Promise((resolve) => setImmediate(resolve));
  expect(executed).toEqual(['1', '/dev/fuse refuses a reply: EBADF', 'taken: false']);
  thread.onEnd(null);
  await fuseThread.ended;
});

test('without descriptors there are no threads, and the mount keeps its own', () => {
  const closed: number[] = [];
  const descriptors = { createEvent: () => -24, close: (fd: number) => closed.push(fd) };
  expect(createSeats({ descriptors } as unknown as System, FUSE_FD, 4)).toEqual([]);
  expect(closed).toEqual([]);
});
