import { describe, expect, it } from 'vitest';
import { Errno } from '../../../base/errors.ts';
import { createPrng } from '../../../base/prng.ts';
import type { PinnedBuffer } from '../../../system/pinned-buffer.ts';
import { FileRanges } from '../../data-plane/file-ranges.ts';
import { Gate } from '../../data-plane/gate.ts';
import { FileSender, type FileSenderOptions } from './file-sender.ts';
import { OutputBuffer } from './output-buffer.ts';

const FILE_BYTES = 64 * 1024;
const SOCKET_FD = 3;
const CAPACITY_BYTES = 10_000;
/** More waits than any of these transfers needs. */
const WAIT_LIMIT = 100;
const header = new TextEncoder().encode('header: ');

/** A socket that holds little, with a client that takes it when the sender waits, over two files. */
class Scene {
  readonly gate = new Gate();
  readonly ranges = new FileRanges();
  readonly files = [11, 12].map((seed) => createPrng(seed).fill(new Uint8Array(FILE_BYTES)));
  /** All that the client got. */
  readonly received: number[] = [];
  /** Each call and whether it was made inside the gate. */
  readonly calls: string[] = [];
  /** Called with the number of each wait; the client takes what there is unless it answers false. */
  onWait: (count: number) => boolean = () => true;
  sendFileError = 0;
  sendError = 0;
  readonly output: OutputBuffer;
  readonly #words: Int32Array;
  readonly #sender: FileSender;
  #queuedBytes = 0;
  #waitCount = 0;

  constructor() {
    this.#words = new Int32Array(this.gate.memory);
    const system = this.#createSystem();
    const pinned = OutputBuffer.allocate(2 * FILE_BYTES);
    this.output = new OutputBuffer(system, { fd: SOCKET_FD, pinned });
    const { gate, output } = this;
    this.#sender = new FileSender({ system, socketFd: SOCKET_FD, gate, output });
    gate.open();
  }

  #createSystem(): FileSenderOptions['system'] {
    const system = {
      sockets: {
        send: (_fd: number, buffer: PinnedBuffer, at: number, length: number) =>
          this.sendError === 0
            ? this.#take('send', buffer.bytes.subarray(at, at + length))
            : -this.sendError,
        sendFile: (_fd: number, file: number, position: number, length: number) =>
          this.sendFileError === 0
            ? this.#take('sendFile', this.files[file]!.subarray(position, position + length))
            : -this.sendFileError,
      },
      files: {
        read: (file: number, into: PinnedBuffer, at: number, length: number, position: number) => {
          this.#note('read');
          const bytes = this.files[file]!.subarray(position, position + length);
          into.bytes.set(bytes, at);
          return bytes.length;
        },
      },
      descriptors: {
        waitWritable: (_fd: number, timeoutMs: number) => {
          this.#note(timeoutMs > 1 ? 'wait' : 'wait briefly');
          this.#waitCount += 1;
          if (this.#waitCount > WAIT_LIMIT) throw new Error('The sender waits for ever');
          if (this.onWait(this.#waitCount)) this.#queuedBytes = 0;
          return 1;
        },
      },
    };
    return system as unknown as FileSenderOptions['system'];
  }

  get isInside(): boolean {
    return Atomics.load(this.#words, 1) === 1;
  }

  #note(call: string): void {
    this.calls.push(`${call} ${this.isInside ? 'inside' : 'outside'}`);
  }

  #take(call: string, bytes: Uint8Array): number {
    this.#note(call);
    const count = Math.min(bytes.length, CAPACITY_BYTES - this.#queuedBytes);
    if (count === 0 && bytes.length > 0) return -Errno.EAGAIN;
    this.#queuedBytes += count;
    for (const byte of bytes.subarray(0, count)) this.received.push(byte);
    return count;
  }

  /** Sends the header and three ranges of two files; answers how many bytes are missing. */
  send(): number {
    expect(this.gate.enter()).toBe(true);
    this.ranges.begin();
    this.ranges.add(0, 100, 9000);
    this.ranges.add(1, 0, 20_000);
    this.ranges.add(0, 40_000, 500);
    this.ranges.end();
    this.output.pinned.bytes.set(header);
    this.output.commit(header.length);
    const missingBytes = this.#sender.send(this.ranges);
    expect(this.isInside).toBe(false);
    return missingBytes;
  }

  /** What the client should get. */
  get whole(): number[] {
    const [first, second] = this.files as [Uint8Array, Uint8Array];
    const data = [
      first.subarray(100, 9100),
      second.subarray(0, 20_000),
      first.subarray(40_000, 40_500),
    ];
    return [header, ...data].flatMap((bytes) => [...bytes]);
  }
}

describe('FileSender', () => {
  it('sends the header and every range, waiting for the client inside the gate', () => {
    const scene = new Scene();
    expect(scene.send()).toBe(0);
    expect(scene.received).toEqual(scene.whole);
    expect(scene.calls.filter((call) => call.endsWith('outside'))).toEqual([]);
    expect(scene.calls.filter((call) => call.startsWith('read'))).toEqual([]);
    expect(scene.gate.isLent).toBe(true);
  });

  it.each([1, 2])('leaves with a copy when the gate shuts during wait %i', async (which) => {
    const scene = new Scene();
    const shutting: Promise<void>[] = [];
    scene.onWait = (count) => {
      if (count === which) shutting.push(scene.gate.shut());
      return count !== which;
    };
    expect(scene.send()).toBe(0);
    await Promise.all(shutting);
    expect(scene.received).toEqual(scene.whole);
    // One wait for the client with the gate shutting, and none before the last call inside.
    expect(scene.calls.filter((call) => call === 'wait briefly inside').length).toBe(which);
    const outside = scene.calls.filter((call) => call.endsWith('outside'));
    expect(new Set(outside)).toEqual(new Set(['send outside', 'wait outside']));
    expect(scene.calls.slice(-outside.length)).toEqual(outside);
  });

  it('copies where a file cannot be sent from', () => {
    const scene = new Scene();
    scene.sendFileError = Errno.EINVAL;
    expect(scene.send()).toBe(0);
    expect(scene.received).toEqual(scene.whole);
    expect(scene.gate.isLent).toBe(false);
  });

  it.each([0, 5000, 19_999])('says what is missing when a file ends after %i bytes', (length) => {
    const scene = new Scene();
    const { whole } = scene;
    scene.files[1] = scene.files[1]!.subarray(0, length);
    // What comes behind the gap is not sent: it would stand in the wrong place.
    expect(scene.send()).toBe(20_000 - length + 500);
    scene.output.send();
    expect(scene.received).toEqual(whole.slice(0, header.length + 9000 + length));
  });

  it.each([Errno.EPIPE, Errno.ECONNRESET])('gives up on a client that is gone: %i', (error) => {
    const early = new Scene();
    early.sendError = error;
    expect(early.send()).toBe(0);
    expect(early.output.error).toBe(error);
    const late = new Scene();
    late.onWait = () => {
      late.sendFileError = error;
      return false;
    };
    expect(late.send()).toBe(0);
    expect(late.output.error).toBe(error);
    expect(late.calls.filter((call) => call.startsWith('read'))).toEqual([]);
  });
});
