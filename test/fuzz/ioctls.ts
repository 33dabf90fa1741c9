/** Random ioctls: mostly what a program could send, some of it with bytes changed. */

import type { Prng } from '../../src/base/prng.ts';
import { Command, Flag, IOCTL_BASE } from '../../src/control/protocol/commands.ts';
import { encodeRequest, type RequestFields } from '../../src/control/protocol/messages.ts';
import { encodeMessage, encodeText } from '../../src/control/protocol/strings.ts';
import { encodeTable } from '../../src/control/protocol/target-rows.ts';
import { parseTable } from '../../src/core/table-text.ts';

const NAMES = ['a', 'b', 'c', 'd', 'äöü'];
const UUIDS = ['U-a', 'U-b', 'U-c'];
const FLAGS = Object.values(Flag);
const LARGEST_MINOR = 5;
const HEADER_BYTES = 312;

const TABLES = [
  '0 8 linear A 0',
  '0 8 linear A 0\n8 8 linear B 8',
  '0 16 linear mapper/a 0',
  '0 8 linear mapper/b 0\n8 8 zero',
  '0 8 linear 252:0 0',
  '0 64 striped 2 8 A 0 B 0',
  '0 8 error',
  '0 8 linear A x',
  '0 8 linear nothing 0',
  '8 8 zero',
  '0 0 zero',
  '0 8 nothing',
  '',
];

const MESSAGES = [
  '',
  'hello world',
  '@cancel_deferred_remove',
  '@stats_list',
  '@stats_create - /4',
];
const TEXTS = ['', ...NAMES, ...UUIDS, 'x/y', 'x'.repeat(200), '1 2 3 4', '65536 1 1 0', '1 1 1 9'];

/** The ioctl's number and the caller's memory. */
export function randomIoctl(prng: Prng): { command: number; buffer: Uint8Array } {
  if (prng.chance(0.05)) return randomBytes(prng);
  const command = prng.pick(Object.values(Command));
  const buffer = encodeRequest(randomFields(prng, command));
  if (prng.chance(0.2)) spoil(prng, buffer);
  return { command: IOCTL_BASE + command, buffer };
}

function randomBytes(prng: Prng): { command: number; buffer: Uint8Array } {
  const buffer = prng.fill(new Uint8Array(prng.integer(0, 1000)));
  // Most with a version that lets them come further.
  if (buffer.length >= 12 && prng.chance(0.8)) {
    buffer.set([4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if (buffer.length >= 16 && prng.chance(0.8)) buffer.set([buffer.length & 0xff, 4, 0, 0], 12);
  }
  const command = prng.chance(0.9) ? IOCTL_BASE + prng.integer(0, 20) : prng.uint32();
  return { command, buffer };
}

function randomFields(prng: Prng, command: number): RequestFields {
  const table = parseTable(prng.pick(TABLES));
  return {
    ...randomSelector(prng, command),
    flags: randomFlags(prng, command),
    // Mostly one that there is nothing to tell about yet.
    eventNumber: prng.chance(0.7) ? 0 : prng.integer(0, 3),
    dataSizeBytes: prng.chance(0.2) ? prng.integer(HEADER_BYTES, 600) : 16_384,
    ...(command === Command.tableLoad && {
      payload: encodeTable(table),
      targetCount: prng.chance(0.9) ? table.length : prng.integer(0, 5),
    }),
    ...(command === Command.targetMessage && {
      payload: encodeMessage(prng.integer(0, 20), prng.pick(MESSAGES)),
    }),
    ...((command === Command.deviceRename || command === Command.deviceSetGeometry) && {
      payload: encodeText(prng.pick(TEXTS)),
    }),
  };
}

function randomSelector(prng: Prng, command: number): RequestFields {
  const name = prng.pick(NAMES);
  if (command === Command.deviceCreate) {
    return prng.chance(0.5) ? { name } : { name, uuid: prng.pick(UUIDS) };
  }
  return prng.pick([
    { name },
    { name },
    { uuid: prng.pick(UUIDS) },
    { number: { major: 252, minor: prng.integer(0, LARGEST_MINOR) } },
    { name, uuid: prng.pick(UUIDS) },
    {},
  ]);
}

function randomFlags(prng: Prng, command: number): number {
  let flags = prng.chance(0.3) ? prng.pick(FLAGS) | prng.pick(FLAGS) : 0;
  if (command === Command.deviceSuspend && prng.chance(0.4)) flags |= Flag.suspend;
  return flags >>> 0;
}

/** Changes a few bytes, more often in the fields of the header and of the first row than elsewhere. */
export function spoil(prng: Prng, bytes: Uint8Array): void {
  for (let count = prng.integer(1, 4); count > 0; count -= 1) {
    const nearBytes = Math.min(bytes.length, prng.pick([48, HEADER_BYTES, 360, bytes.length]));
    if (nearBytes === 0) return;
    const offset = prng.integer(0, nearBytes - 1);
    bytes[offset] = prng.pick([0, 1, 0x7f, 0x80, 0xff, prng.integer(0, 255)]);
  }
}
