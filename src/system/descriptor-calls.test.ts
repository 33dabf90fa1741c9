import { fstatSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { loadSystem, type System } from './index.ts';
import { IoVector } from './io-vector.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { MessageFlag } from './socket-calls.ts';

const system = loadSystem();
if (system) describe('descriptor calls', () => descriptorTests(system));
else it('has no descriptor calls without koffi', () => expect(system).toBeNull());

function pairOf({ sockets }: System): [number, number] {
  const pair = sockets.createPair();
  if (typeof pair === 'number') throw new Error(`socketpair failed: ${pair}`);
  return pair;
}

function descriptorTests(system: System): void {
  const { descriptors, sockets } = system;
  const buffer = PinnedBuffer.allocate(64);

  it('waits for any of several descriptors', () => {
    const [left, right] = pairOf(system);
    const event = descriptors.createEvent();
    expect(descriptors.waitReadable([right, event], 0)).toBe(0);
    expect(descriptors.waitReadable([right, event], 5)).toBe(0);
    descriptors.eventAdd(event, 1);
    expect(descriptors.waitReadable([right, event], -1)).toBe(0b10);
    sockets.send(left, buffer, 0, 1, MessageFlag.none);
    expect(descriptors.waitReadable([right, event], -1)).toBe(0b11);
    expect(descriptors.waitWritable(left, -1)).toBe(1);
    for (const fd of [left, right, event]) descriptors.close(fd);
    expect(descriptors.waitReadable([left], 0)).toBe(1);
  });

  it('counts events', () => {
    const event = descriptors.createEvent({ nonblocking: true });
    expect(descriptors.eventTake(event)).toBe(-Errno.EAGAIN);
    for (let round = 0; round < 3; round++) {
      expect(descriptors.eventAdd(event, 0x7fffffff)).toBe(0);
    }
    expect(descriptors.eventTake(event)).toBe(3 * 0x7fffffff);
    expect(descriptors.eventTake(event)).toBe(-Errno.EAGAIN);
    descriptors.close(event);
    expect(descriptors.eventAdd(event, 1)).toBe(-Errno.EBADF);
  });

  it('reads and writes what has no position', () => {
    const [left, right] = pairOf(system);
    buffer.bytes.set([1, 2, 3, 4, 5]);
    expect(descriptors.write(left, buffer, 0, 2)).toBe(2);
    const vector = new IoVector();
    vector.append(buffer, 3, 2);
    vector.append(buffer, 2, 1);
    expect(descriptors.writeVector(left, vector)).toBe(3);
    expect(descriptors.read(right, buffer, 10, 20)).toBe(5);
    expect([...buffer.bytes.subarray(10, 15)]).toEqual([1, 2, 4, 5, 3]);
    descriptors.close(left);
    descriptors.close(right);
  });

  it('duplicates a descriptor and closes one of the two', () => {
    const [left, right] = pairOf(system);
    const copy = descriptors.duplicate(left);
    expect(fstatSync(copy).ino).toBe(fstatSync(left).ino);
    expect(descriptors.close(left)).toBe(0);
    expect(descriptors.close(left)).toBe(-Errno.EBADF);
    expect(sockets.send(copy, buffer, 0, 1, MessageFlag.none)).toBe(1);
    descriptors.close(copy);
    descriptors.close(right);
  });

  it('switches between waiting and not', () => {
    const [left, right] = pairOf(system);
    expect(descriptors.setBlocking(right, false)).toBe(0);
    expect(sockets.recv(right, buffer, 0, 1, MessageFlag.none)).toBe(-Errno.EAGAIN);
    expect(descriptors.setBlocking(right, true)).toBe(0);
    sockets.send(left, buffer, 0, 1, MessageFlag.none);
    expect(sockets.recv(right, buffer, 0, 1, MessageFlag.none)).toBe(1);
    descriptors.close(left);
    descriptors.close(right);
  });

  it('refuses wrong arguments', () => {
    expect(() => descriptors.waitReadable([-1], 0)).toThrow(AssertionError);
    expect(() => descriptors.waitReadable([0], -2)).toThrow(AssertionError);
    expect(() => descriptors.waitReadable(new Array(9).fill(0), 0)).toThrow(AssertionError);
    expect(() => descriptors.close(-1)).toThrow(AssertionError);
    expect(() => descriptors.eventAdd(0, 0)).toThrow(AssertionError);
  });
}
