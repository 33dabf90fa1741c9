/** One request of the kernel, as it was read, and how its answer looks to the operations. */

import { createHeader, decodeHeader, type FuseHeader } from '../../protocols/fuse/request.ts';

export class FuseRequest {
  readonly header: FuseHeader = createHeader();
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly countBytes: number;

  /** Exactly one request; FormatError otherwise. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.countBytes = bytes.byteLength;
    decodeHeader(this.view, this.countBytes, this.header);
  }

  get nodeId(): number {
    return this.header.nodeId;
  }
}

/** A reply with room for its header, a positive errno, or null where the kernel expects no reply. */
export type Answer = Uint8Array | number | null;

export type Operation = (request: FuseRequest) => Answer | Promise<Answer>;

/** By opcode. */
export type Operations = Readonly<Record<number, Operation>>;
