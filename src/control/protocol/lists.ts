/**
 * The answers that are lists: of devices (LIST_DEVICES), of target types (LIST_VERSIONS, GET_TARGET_VERSION), of the
 * devices below one (TABLE_DEPS). Entries begin at multiples of 8; `next` counts from the entry it is in.
 */

import { DmError } from '../../base/errors.ts';
import type { DeviceNumber } from '../../core/device.ts';
import { decodeDeviceNumber, encodeDeviceNumber } from './device-number.ts';
import { readVersion, type Version, writeVersion } from './header.ts';
import { align, bufferOf, readNumber64, readTerminated, textBytes, writeNumber64 } from './text.ts';

export interface ListedDevice {
  name: string;
  number: DeviceNumber;
  eventNumber: number;
  /** '': it has none. null: not asked for, or an old kernel. */
  uuid: string | null;
}

/** struct dm_name_list: dev u64, next u32, name; behind it, at a multiple of 8, event_nr u32, flags u32, uuid. */
const Name = { dev: 0, next: 8, name: 12 } as const;
const EVENT_BYTES = 8;
const NameFlag = { hasUuid: 1, hasNoUuid: 2 } as const;

/** null: `roomBytes` is too little. A uuid of null is left out. */
export function encodeDevices(
  devices: readonly ListedDevice[],
  roomBytes: number,
): Uint8Array | null {
  const sizes = devices.map(listedBytes);
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (roomBytes < totalBytes || roomBytes < Name.next) return null;
  const bytes = Buffer.alloc(totalBytes);
  let offset = 0;
  for (const [index, device] of devices.entries()) {
    const next = index + 1 < devices.length ? sizes[index]! : 0;
    writeDevice(bytes, offset, device, next);
    offset += sizes[index]!;
  }
  return bytes;
}

function listedBytes({ name, uuid }: ListedDevice): number {
  const uuidBytes = uuid ? align(textBytes(uuid)) : 0;
  return align(Name.name + textBytes(name)) + EVENT_BYTES + uuidBytes;
}

function writeDevice(bytes: Buffer, offset: number, device: ListedDevice, next: number): void {
  const { name, number, eventNumber, uuid } = device;
  writeNumber64(bytes, offset + Name.dev, encodeDeviceNumber(number));
  bytes.writeUInt32LE(next, offset + Name.next);
  bytes.write(name, offset + Name.name, 'utf8');
  const eventStart = offset + align(Name.name + textBytes(name));
  bytes.writeUInt32LE(eventNumber, eventStart);
  if (uuid === null) return;
  bytes.writeUInt32LE(uuid === '' ? NameFlag.hasNoUuid : NameFlag.hasUuid, eventStart + 4);
  bytes.write(uuid, eventStart + EVENT_BYTES, 'utf8');
}

/** An empty payload is an empty list, and so is an entry without a number. */
export function decodeDevices(payload: Uint8Array): ListedDevice[] {
  const buffer = bufferOf(payload);
  const devices: ListedDevice[] = [];
  if (buffer.length < Name.name || readNumber64(buffer, Name.dev) === 0) return devices;
  for (const { start, end } of entriesOf(buffer, Name.name, Name.next, 'devices')) {
    devices.push(readDevice(buffer, start, end));
  }
  return devices;
}

function readDevice(buffer: Buffer, start: number, end: number): ListedDevice {
  const name = textOf(buffer, start + Name.name, end, 'devices');
  const number = decodeDeviceNumber(buffer.readUInt32LE(start + Name.dev));
  const eventStart = start + align(Name.name + textBytes(name));
  if (eventStart + EVENT_BYTES > end) return { name, number, eventNumber: 0, uuid: null };
  const eventNumber = buffer.readUInt32LE(eventStart);
  const flags = buffer.readUInt32LE(eventStart + 4);
  const uuid =
    (flags & NameFlag.hasUuid) !== 0
      ? textOf(buffer, eventStart + EVENT_BYTES, end, 'devices')
      : (flags & NameFlag.hasNoUuid) !== 0
        ? ''
        : null;
  return { name, number, eventNumber, uuid };
}

/** struct dm_target_deps: count u32, padding u32, dev u64 each. */
const DEPENDENCIES_START = 8;
const DEV_BYTES = 8;

export function encodeDependencies(
  numbers: readonly DeviceNumber[],
  roomBytes: number,
): Uint8Array | null {
  const totalBytes = DEPENDENCIES_START + numbers.length * DEV_BYTES;
  if (roomBytes < totalBytes) return null;
  const bytes = Buffer.alloc(totalBytes);
  bytes.writeUInt32LE(numbers.length, 0);
  for (const [index, number] of numbers.entries()) {
    writeNumber64(bytes, DEPENDENCIES_START + index * DEV_BYTES, encodeDeviceNumber(number));
  }
  return bytes;
}

/** Without a table there is no payload, and nothing below. */
export function decodeDependencies(payload: Uint8Array): DeviceNumber[] {
  const buffer = bufferOf(payload);
  if (buffer.length < DEPENDENCIES_START) return [];
  const count = buffer.readUInt32LE(0);
  if (DEPENDENCIES_START + count * DEV_BYTES > buffer.length) {
    throw broken('dependencies', `${count} numbers do not fit into ${buffer.length} bytes`);
  }
  return Array.from({ length: count }, (_, index) =>
    decodeDeviceNumber(buffer.readUInt32LE(DEPENDENCIES_START + index * DEV_BYTES)),
  );
}

export interface ListedTarget {
  name: string;
  version: Version;
}

/** struct dm_target_versions: next u32, version 3 x u32, name. */
const Target = { next: 0, version: 4, name: 16 } as const;
/** The kernel asks for the padding of each entry whether it needs it or not. */
const PADDING_BYTES = 7;

export function encodeTargets(
  targets: readonly ListedTarget[],
  roomBytes: number,
): Uint8Array | null {
  const totalBytes = targets.reduce(
    (sum, { name }) => sum + Target.name + textBytes(name) + PADDING_BYTES,
    0,
  );
  if (roomBytes < totalBytes) return null;
  const bytes = Buffer.alloc(totalBytes);
  let offset = 0;
  for (const [index, { name, version }] of targets.entries()) {
    const sizeBytes = align(Target.name + textBytes(name));
    bytes.writeUInt32LE(index + 1 < targets.length ? sizeBytes : 0, offset + Target.next);
    writeVersion(bytes, version, offset + Target.version);
    bytes.write(name, offset + Target.name, 'utf8');
    offset += sizeBytes;
  }
  return bytes;
}

export function decodeTargets(payload: Uint8Array): ListedTarget[] {
  const buffer = bufferOf(payload);
  if (buffer.length < Target.name) return [];
  return entriesOf(buffer, Target.name, Target.next, 'target types').map(({ start, end }) => ({
    name: textOf(buffer, start + Target.name, end, 'target types'),
    version: readVersion(buffer, start + Target.version),
  }));
}

/** Where entries begin and end, from their `next`; the last one has 0. */
function entriesOf(
  buffer: Buffer,
  leastBytes: number,
  nextOffset: number,
  what: string,
): { start: number; end: number }[] {
  const entries: { start: number; end: number }[] = [];
  for (let start = 0; ; ) {
    if (start + leastBytes > buffer.length) {
      throw broken(what, `an entry begins at byte ${start} of ${buffer.length}`);
    }
    const next = buffer.readUInt32LE(start + nextOffset);
    if (next !== 0 && next < leastBytes) {
      throw broken(what, `the entry at byte ${start} says that the next is ${next} bytes on`);
    }
    entries.push({ start, end: next === 0 ? buffer.length : start + next });
    if (next === 0) return entries;
    start += next;
  }
}

function textOf(buffer: Buffer, start: number, end: number, what: string): string {
  const text = readTerminated(buffer, start, Math.min(end, buffer.length), what);
  if (text === null) throw broken(what, `the string at byte ${start} has no end`);
  return text;
}

function broken(what: string, problem: string): DmError {
  return new DmError('EPROTO', `Cannot read list of ${what}: ${problem}`);
}
