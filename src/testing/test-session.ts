/** Sessions of the NBD server without a handshake, for tests of what comes after it. */

import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import type { BlockDevice } from '../core/device.ts';
import { listContexts } from '../exports/nbd/contexts.ts';
import { Executor } from '../exports/nbd/executor.ts';
import type { NbdExport } from '../exports/nbd/exports.ts';
import { type NbdSession, openSession } from '../exports/nbd/session.ts';
import { decodeErrorChunk } from '../protocols/nbd/chunk.ts';
import { ChunkType } from '../protocols/nbd/constants.ts';
import { createReply, decodeReply } from '../protocols/nbd/reply.ts';
import { createRequest, type Request } from '../protocols/nbd/request.ts';
import { type TestDisk, type TestDiskOptions, TestDisks } from './test-disk.ts';

export interface TestSessionOptions {
  /** What the client agreed on; extended headers come with it. Default structured. */
  replies?: 'simple' | 'structured' | 'extended';
  readOnly?: boolean;
  /** All that the export has, by default. */
  contexts?: boolean;
  onRelease?: () => void;
}

export function testSession(device: BlockDevice, options: TestSessionOptions = {}): NbdSession {
  const { replies = 'structured', readOnly = false, contexts = true, onRelease } = options;
  const item: NbdExport = {
    name: 'disk',
    description: '',
    device,
    readOnly,
    open: () => onRelease ?? (() => {}),
  };
  const agreement = {
    structuredReplies: replies !== 'simple',
    extendedHeaders: replies === 'extended',
    contexts: contexts && replies !== 'simple' ? listContexts(item, []) : [],
    contextExport: item,
  };
  return openSession(item, agreement, { tls: false });
}

export interface ExecutorFixture {
  disk: TestDisk;
  executor: Executor;
}

/** An executor over a disk of 64 sectors, with a pattern on it. */
export function executorOver(
  options: TestSessionOptions = {},
  diskOptions: TestDiskOptions = {},
): ExecutorFixture {
  const disk = new TestDisks().add('A', { sizeSectors: 64, ...diskOptions });
  disk.bytes.forEach((_, index) => {
    disk.bytes[index] = index % 251;
  });
  return { disk, executor: new Executor(testSession(disk, options)) };
}

export const cookie = { cookieHigh: 1, cookieLow: 0xffff_fffe };

/** Runs a request and answers the bytes of its reply. */
export function send(
  executor: Executor,
  fields: Partial<Request>,
  payload: Uint8Array | null = null,
): Promise<Uint8Array> {
  const request = { ...createRequest(), ...cookie, ...fields };
  request.offsetLow = (fields.offsetBytes ?? 0) % 2 ** 32;
  return new Promise((resolve) => {
    executor.execute(request, payload, (chunks) => resolve(Buffer.concat(chunks)));
    // Nothing of the request may be needed any more.
    Object.assign(request, createRequest(), { command: 99, cookieLow: 7 });
  });
}

/** The chunks of a structured or extended reply: type, flags, payload. */
export function parse(bytes: Uint8Array): { type: number; last: boolean; payload: Uint8Array }[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; ) {
    const reply = createReply();
    at += decodeReply(bytes, at, reply);
    assert(reply.cookieLow === cookie.cookieLow, 'a reply has the cookie of its request');
    const payload = bytes.subarray(at, at + reply.payloadBytes);
    chunks.push({ type: reply.type, last: reply.flags === 1, payload });
    at += reply.payloadBytes;
  }
  return chunks;
}

/** 0, or the error a reply carries. */
export function errorOf(bytes: Uint8Array): number {
  const reply = createReply();
  const headerBytes = decodeReply(bytes, 0, reply);
  if (reply.kind === 'simple') return reply.error;
  if (reply.type !== ChunkType.error) return 0;
  return decodeErrorChunk(reply.type, bytes.subarray(headerBytes)).error;
}
