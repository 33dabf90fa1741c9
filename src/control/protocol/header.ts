/**
 * struct dm_ioctl: what every request and every reply begins with. A view: fields are read from and written to its bytes.
 *
 * | offset | field | |
 * |---|---|---|
 * | 0 | version | 3 x u32 |
 * | 12 | data_size | u32: in: the caller's memory, out: what the answer takes |
 * | 16 | data_start | u32: where the payload begins |
 * | 20 | target_count | u32 |
 * | 24 | open_count | s32 |
 * | 28 | flags | u32 |
 * | 32 | event_nr | u32; in a request that makes a uevent: the udev cookie |
 * | 36 | padding | u32 |
 * | 40 | dev | u64, as huge_encode_dev makes it |
 * | 48 | name | 128 bytes |
 * | 176 | uuid | 129 bytes |
 * | 305 | data | 7 bytes of padding; an answer without payload ends before them |
 */

import { assert } from '../../base/assert.ts';
import type { DeviceNumber } from '../../core/device.ts';
import { NAME_BYTES, UUID_BYTES } from './commands.ts';
import { decodeDeviceNumber, encodeDeviceNumber } from './device-number.ts';
import { bufferOf, readNumber64, readText, writeNumber64, writeText } from './text.ts';

const Offset = {
  version: 0,
  dataSize: 12,
  dataStart: 16,
  targetCount: 20,
  openCount: 24,
  flags: 28,
  eventNumber: 32,
  dev: 40,
  name: 48,
  uuid: 176,
} as const;

export const VERSION_BYTES = 12;
/** Up to `data`: what an answer without payload takes, and the least that a request has. */
export const HEADER_BYTES = 305;
/** sizeof(struct dm_ioctl): where payloads begin. */
export const PAYLOAD_START = 312;

export type Version = readonly [major: number, minor: number, patch: number];

export class Header {
  readonly #bytes: Buffer;

  /** Of the first `HEADER_BYTES` of memory that stays the caller's. */
  constructor(bytes: Uint8Array) {
    assert(bytes.length >= HEADER_BYTES, 'a whole header');
    this.#bytes = bufferOf(bytes);
  }

  get version(): Version {
    return readVersion(this.#bytes);
  }

  set version(version: Version) {
    writeVersion(this.#bytes, version);
  }

  get dataSize(): number {
    return this.#bytes.readUInt32LE(Offset.dataSize);
  }

  set dataSize(sizeBytes: number) {
    this.#bytes.writeUInt32LE(sizeBytes, Offset.dataSize);
  }

  get dataStart(): number {
    return this.#bytes.readUInt32LE(Offset.dataStart);
  }

  set dataStart(offsetBytes: number) {
    this.#bytes.writeUInt32LE(offsetBytes, Offset.dataStart);
  }

  get targetCount(): number {
    return this.#bytes.readUInt32LE(Offset.targetCount);
  }

  set targetCount(count: number) {
    this.#bytes.writeUInt32LE(count, Offset.targetCount);
  }

  get openCount(): number {
    return this.#bytes.readInt32LE(Offset.openCount);
  }

  set openCount(count: number) {
    this.#bytes.writeInt32LE(count, Offset.openCount);
  }

  get flags(): number {
    return this.#bytes.readUInt32LE(Offset.flags);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** Sets or clears bits of `Flag`. */
  put(flags: number, value: boolean): void {
    const next = value ? this.flags | flags : this.flags & ~flags;
    this.#bytes.writeUInt32LE(next >>> 0, Offset.flags);
  }

  get eventNumber(): number {
    return this.#bytes.readUInt32LE(Offset.eventNumber);
  }

  set eventNumber(eventNumber: number) {
    this.#bytes.writeUInt32LE(eventNumber, Offset.eventNumber);
  }

  /** Any bit of the field counts, though a number has only 32. */
  get hasDevice(): boolean {
    return readNumber64(this.#bytes, Offset.dev) !== 0;
  }

  get number(): DeviceNumber {
    return decodeDeviceNumber(this.#bytes.readUInt32LE(Offset.dev));
  }

  set number(number: DeviceNumber) {
    writeNumber64(this.#bytes, Offset.dev, encodeDeviceNumber(number));
  }

  /** Name and uuid end with a NUL at the latest in their last byte. */
  terminate(): void {
    this.#bytes[Offset.name + NAME_BYTES - 1] = 0;
    this.#bytes[Offset.uuid + UUID_BYTES - 1] = 0;
  }

  /** Without a NUL the last byte is one, as the kernel makes it. */
  get name(): string {
    return readText(this.#bytes, Offset.name, Offset.name + NAME_BYTES - 1, 'name');
  }

  set name(name: string) {
    writeText(this.#bytes, Offset.name, NAME_BYTES, name, 'name');
  }

  get hasName(): boolean {
    return this.#bytes[Offset.name] !== 0;
  }

  get uuid(): string {
    return readText(this.#bytes, Offset.uuid, Offset.uuid + UUID_BYTES - 1, 'uuid');
  }

  set uuid(uuid: string) {
    writeText(this.#bytes, Offset.uuid, UUID_BYTES, uuid, 'uuid');
  }

  get hasUuid(): boolean {
    return this.#bytes[Offset.uuid] !== 0;
  }
}

/** Needs the first 12 bytes only: the version is judged before anything else is looked at. */
export function readVersion(bytes: Uint8Array, offset: number = Offset.version): Version {
  const buffer = bufferOf(bytes);
  return [
    buffer.readUInt32LE(offset),
    buffer.readUInt32LE(offset + 4),
    buffer.readUInt32LE(offset + 8),
  ];
}

export function writeVersion(
  bytes: Uint8Array,
  version: Version,
  offset: number = Offset.version,
): void {
  const buffer = bufferOf(bytes);
  version.forEach((part, index) => {
    buffer.writeUInt32LE(part, offset + index * 4);
  });
}
