import { describe, expect, it } from 'vitest';
import { Command } from '../../../protocols/nbd/constants.ts';
import { createRequest, type Request } from '../../../protocols/nbd/request.ts';
import { SlowDisk } from '../../data-plane/slow-disk.ts';
import { Forwarding } from './forwarding.ts';

const MIB = 1024 * 1024;
const LIMITS = {
  maxPayloadBytes: 32 * MIB,
  maxForwardedRequests: 10,
  maxForwardedBytes: 64 * MIB,
  lingerMs: 0,
};

function request(command: number, lengthBytes: number): Request {
  return { ...createRequest(), command, lengthBytes };
}

/** How many of these fit. */
function room(command: number, lengthBytes: number, payloadBytes = 0): number {
  const forwarding = new Forwarding({ ...LIMITS, maxForwardedRequests: 1000 });
  let count = 0;
  for (; !forwarding.isFull && count < 1000; count += 1) {
    forwarding.add(request(command, lengthBytes), payloadBytes, null);
  }
  return count;
}

describe('Forwarding', () => {
  it('is full of requests, and has room again when one is answered', () => {
    const forwarding = new Forwarding(LIMITS);
    const ids = Array.from({ length: 10 }, () => {
      expect(forwarding.isFull).toBe(false);
      return forwarding.add(request(Command.flush, 0), 0, null);
    });
    expect(forwarding.isFull).toBe(true);
    expect(new Set(ids).size).toBe(10);
    forwarding.answered(ids[3]!, 1);
    expect(forwarding.isFull).toBe(false);
    forwarding.answered(ids[3]!, 1);
    for (const id of ids) forwarding.answered(id, 1);
    expect(forwarding.isIdle).toBe(true);
    expect(forwarding.totalCount).toBe(10);
  });

  it('is full of memory: payloads that came and answers that will be', () => {
    expect(room(Command.write, 32 * MIB, 32 * MIB)).toBe(2);
    expect(room(Command.read, 32 * MIB)).toBe(2);
    expect(room(Command.blockStatus, 2 ** 40)).toBe(64);
    expect(room(Command.writeZeroes, 2 ** 31)).toBe(1000);
    expect(room(Command.read, 2 ** 31)).toBe(1000);
  });

  it('tells the disk that was the reason how long it took', () => {
    const forwarding = new Forwarding(LIMITS);
    const disk = new SlowDisk();
    disk.noteCall(200, 512, 0);
    for (let i = 0; i < 3; i += 1) {
      expect(disk.isSuspected(10_000)).toBe(true);
      forwarding.answered(forwarding.add(request(Command.read, 512), 0, disk), 1);
    }
    expect(disk.isSuspected(10_000)).toBe(false);
  });
});
