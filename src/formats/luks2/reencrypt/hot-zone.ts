/**
 * The data of one hot zone: protected, rewritten, recovered.
 *
 * Order of one step, each part durable before the next begins; `Stage` keeps it:
 *
 *   1. protect    checksums of what is on the disk, or a copy of it, go to the area in the header's key slots
 *   2. announce   the header names the hot zone (run.ts)
 *   3. rewrite    the data, encrypted anew
 *   4. settle     the header names the zone as new (run.ts)
 *
 * A crash before 2 leaves all old and the header clean; the area means nothing then. A crash between 2 and 4 leaves, sector by sector, old or new:
 *   checksum  a block whose checksum is that of the old one is old and done again, every other one is new
 *   journal   everything is written again, from the copy
 *   source    everything is written again, from where it was read, which the step does not overwrite
 * and recovery may itself be killed and begun anew. With `none` 1 and 2 are left out, and a crash costs the zone.
 */

import { assert } from '../../../base/assert.ts';
import { DmError } from '../../../base/errors.ts';
import type { HashAlgorithm } from '../../../crypto/hash.ts';
import { CHUNK_BYTES, type Chunk, readChunks, WriteBehind } from './chunks.ts';
import type { SideCipher } from './side-cipher.ts';
import { malformed, type ReencryptState } from './state.ts';
import { protectionBytes, type Step } from './step.ts';
import type { ReencryptDisks } from './types.ts';

type Stage = 'idle' | 'protected' | 'announced' | 'rewritten';

export interface ZoneParts {
  disks: ReencryptDisks;
  state: ReencryptState;
  old: SideCipher;
  new: SideCipher;
  /** Of the checksums; null where none are made. */
  hash: HashAlgorithm | null;
}

export class HotZone {
  readonly #parts: ZoneParts;
  readonly #step: Step;
  #stage: Stage = 'idle';
  /** What was read, as it lies on the disk; not for `source`, which reads twice. */
  #raw: Chunk[] = [];

  constructor(parts: ZoneParts, step: Step) {
    checkStep(parts, step);
    this.#parts = parts;
    this.#step = step;
  }

  /** Reads the zone and makes what a crash would need durable. */
  async protect(): Promise<void> {
    this.#advance('idle', 'protected');
    const { disks, hash, state } = this.#parts;
    const { protection, readBytes, lengthBytes } = this.#step;
    if (protection === 'source') return;
    const { blockBytes, areaOffsetBytes } = state.protection;
    const isHashed = protection === 'checksum';
    const digestBytes = hash?.digestBytes ?? 0;
    const checksums = new Uint8Array(
      isHashed ? protectionBytes(state, this.#step, digestBytes) : 0,
    );
    const journal = new WriteBehind(disks.header);
    for await (const chunk of readChunks(disks.data, readBytes, lengthBytes)) {
      if (isHashed && hash) hashBlocks(hash, blockBytes, chunk, checksums);
      if (protection === 'journal') {
        await journal.write(areaOffsetBytes + chunk.atBytes, chunk.bytes.slice());
      }
      this.#raw.push(chunk);
    }
    if (isHashed) await journal.write(areaOffsetBytes, checksums);
    if (protection !== 'none') await journal.end();
  }

  /** The header names the zone now, durably. */
  announced(): void {
    this.#advance('protected', 'announced');
  }

  /** Everything new is durable when it resolves. */
  async rewrite(): Promise<void> {
    this.#advance(this.#step.protection === 'none' ? 'protected' : 'announced', 'rewritten');
    const { disks } = this.#parts;
    const writer = new WriteBehind(disks.data);
    const { readBytes, lengthBytes } = this.#step;
    const isSource = this.#step.protection === 'source';
    const chunks = isSource ? readChunks(disks.data, readBytes, lengthBytes) : this.#raw;
    for await (const chunk of chunks) await this.#convert(writer, chunk);
    this.#raw = [];
    await writer.end();
  }

  /** After a crash: everything new is durable when it resolves. */
  async recover(): Promise<void> {
    this.#advance('idle', 'rewritten');
    const { disks, state } = this.#parts;
    const { protection, lengthBytes, readBytes } = this.#step;
    const writer = new WriteBehind(disks.data);
    if (protection === 'checksum') {
      await this.#recoverBlocks(writer);
    } else {
      assert(protection !== 'none', 'without protection no header names a hot zone');
      const source =
        protection === 'journal'
          ? readChunks(disks.header, state.protection.areaOffsetBytes, lengthBytes)
          : readChunks(disks.data, readBytes, lengthBytes);
      for await (const chunk of source) await this.#convert(writer, chunk);
    }
    await writer.end();
  }

  get isRewritten(): boolean {
    return this.#stage === 'rewritten';
  }

  async #recoverBlocks(writer: WriteBehind): Promise<void> {
    const { disks, state, hash } = this.#parts;
    assert(hash, 'checksums have a hash');
    const { areaOffsetBytes, blockBytes } = state.protection;
    const { writeBytes, lengthBytes } = this.#step;
    const areaBytes = protectionBytes(state, this.#step, hash.digestBytes);
    const wanted = await disks.header.read(areaOffsetBytes, areaBytes);
    const found = new Uint8Array(areaBytes);
    for await (const chunk of readChunks(disks.data, writeBytes, lengthBytes)) {
      hashBlocks(hash, blockBytes, chunk, found);
      const digests = { wanted, found, digestBytes: hash.digestBytes };
      for (const run of oldRuns(chunk, blockBytes, digests)) await this.#convert(writer, run);
    }
  }

  /** In place; from old to new. */
  async #convert(writer: WriteBehind, { atBytes, bytes }: Chunk): Promise<void> {
    const logicalBytes = this.#step.logicalBytes + atBytes;
    this.#parts.old.decrypt(bytes, logicalBytes);
    this.#parts.new.encrypt(bytes, logicalBytes);
    await writer.write(this.#step.writeBytes + atBytes, bytes);
  }

  #advance(from: Stage, to: Stage): void {
    assert(this.#stage === from, `a hot zone is ${from} before it is ${to}, not ${this.#stage}`);
    this.#stage = to;
  }
}

function hashBlocks(
  hash: HashAlgorithm,
  blockBytes: number,
  { atBytes, bytes }: Chunk,
  digests: Uint8Array,
): void {
  let digestOffset = (atBytes / blockBytes) * hash.digestBytes;
  for (let at = 0; at < bytes.byteLength; at += blockBytes) {
    const digest = digests.subarray(digestOffset, digestOffset + hash.digestBytes);
    hash.digestInto(digest, bytes.subarray(at, at + blockBytes));
    digestOffset += hash.digestBytes;
  }
}

interface Digests {
  wanted: Uint8Array;
  found: Uint8Array;
  digestBytes: number;
}

/** The longest pieces all of whose blocks are as they were before the step. */
function* oldRuns(chunk: Chunk, blockBytes: number, digests: Digests): Generator<Chunk> {
  const { bytes, atBytes } = chunk;
  let start = 0;
  for (let at = 0; at < bytes.byteLength; at += blockBytes) {
    if (isOld(digests, (atBytes + at) / blockBytes)) continue;
    if (start < at) yield { atBytes: atBytes + start, bytes: bytes.subarray(start, at) };
    start = at + blockBytes;
  }
  if (start < bytes.byteLength) {
    yield { atBytes: atBytes + start, bytes: bytes.subarray(start) };
  }
}

function isOld({ wanted, found, digestBytes }: Digests, block: number): boolean {
  const from = block * digestBytes;
  for (let at = from; at < from + digestBytes; at += 1) if (wanted[at] !== found[at]) return false;
  return true;
}

/** What the metadata say may be anything; nothing is written that a step could not have meant. */
function checkStep({ disks, state, hash }: ZoneParts, step: Step): void {
  const { data } = disks;
  const { blockBytes, areaLengthBytes } = state.protection;
  const sectorBytes = Math.max(state.old.sectorBytes, state.new.sectorBytes);
  if (step.logicalBytes % sectorBytes !== 0 || step.lengthBytes % sectorBytes !== 0) {
    throw malformed('in-reencryption', `multiples of ${sectorBytes} bytes`, describe(step));
  }
  for (const offsetBytes of [step.readBytes, step.writeBytes]) {
    if (offsetBytes + step.lengthBytes <= data.sizeBytes) continue;
    throw new DmError(
      'EINVAL',
      `Cannot re-encrypt "${data.name}": device is too small for ${describe(step)}`,
    );
  }
  if (step.protection === 'checksum') {
    const isSound = blockBytes >= sectorBytes && CHUNK_BYTES % blockBytes === 0;
    if (!isSound) throw malformed('area.sector_size', `at least ${sectorBytes}`, blockBytes);
  }
  const neededBytes = protectionBytes(state, step, hash?.digestBytes ?? 0);
  if (neededBytes > areaLengthBytes) {
    throw malformed('area.size', `at least ${neededBytes}`, areaLengthBytes);
  }
}

const describe = (step: Step) => `${step.lengthBytes} bytes at ${step.writeBytes}`;
