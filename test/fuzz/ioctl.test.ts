/** Whatever is sent, each ioctl is answered, and the mapper stays consistent. */

import { expect, test } from 'vitest';
import { DmError, Errno, errnoName } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { createSession, handleIoctl, type IoctlReply } from '../../src/control/ioctl/index.ts';
import { Command, Flag, IOCTL_BASE } from '../../src/control/protocol/commands.ts';
import {
  decodeDependencies,
  decodeDevices,
  decodeTargets,
} from '../../src/control/protocol/lists.ts';
import { decodeReply } from '../../src/control/protocol/messages.ts';
import { decodeRows } from '../../src/control/protocol/target-rows.ts';
import type { OpenedDevice } from '../../src/core/device-opener.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import type { Mapper } from '../../src/core/mapper.ts';
import { compareNames } from '../../src/core/names.ts';
import { withSeed } from '../../src/testing/seed.ts';
import { World } from '../../src/testing/world.ts';
import { randomIoctl, spoil } from './ioctls.ts';

const ROUND_COUNT = 1500;
const MOST_AT_ONCE = 4;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Every key finds its device, and open counts are what tables and programs have open. */
function checkConsistent(mapper: Mapper, kept: readonly OpenedDevice[]): void {
  const devices = mapper.list();
  const names = devices.map(({ name }) => name);
  expect(names).toEqual(names.toSorted(compareNames));
  for (const device of devices) {
    expect(mapper.find(device.name)).toBe(device);
    expect(mapper.findNumber(device.number)).toBe(device);
    if (device.uuid !== '') expect(mapper.findUuid(device.uuid)).toBe(device);
    const openers = devices.map((owner) => openingsOf(owner, device));
    const keptCount = kept.filter((opened) => opened.device === device).length;
    const expected = openers.reduce((sum, count) => sum + count, keptCount);
    expect(`${device.name} ${device.openCount}`).toBe(`${device.name} ${expected}`);
  }
}

/** Tables of one owner share what they have open in the same mode. */
function openingsOf(owner: MappedDevice, device: MappedDevice): number {
  const tables = [owner.live, owner.inactive].filter((table) => table?.devices.includes(device));
  return new Set(tables.map((table) => table!.readOnly)).size;
}

/** A client can read what it gets, whole or spoilt. */
function readReply(command: number, { buffer }: IoctlReply): void {
  if (command === Command.version || command === Command.removeAll) return;
  if (command === Command.deviceSetGeometry) return;
  const { header, payload } = decodeReply(buffer);
  if (header.has(Flag.bufferFull)) return;
  if (command === Command.listDevices) decodeDevices(payload);
  if (command === Command.listVersions || command === Command.targetVersion) decodeTargets(payload);
  if (command === Command.tableDeps) decodeDependencies(payload);
  if (command === Command.tableStatus || command === Command.deviceWait) {
    decodeRows(payload, header.targetCount);
  }
}

function readSpoilt(prng: Prng, command: number, reply: IoctlReply): void {
  const buffer = reply.buffer.slice();
  spoil(prng, buffer);
  try {
    readReply(command, { ...reply, buffer });
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
  }
}

test('no ioctl throws, hangs, or leaves the mapper inconsistent', async () => {
  const outcomes = new Map<string, number>();
  await withSeed(async (prng) => {
    const world = new World();
    const { mapper } = world;
    const context = { mapper, settle: async () => void (await turn()) };
    const session = createSession(mapper);
    const kept: OpenedDevice[] = [];

    const send = async () => {
      const { command, buffer } = randomIoctl(prng);
      const interrupt = new AbortController();
      const number = command - IOCTL_BASE;
      const timer =
        number === Command.deviceWait && setImmediate(() => setImmediate(() => interrupt.abort()));
      const { signal } = interrupt;
      const reply = await handleIoctl(context, {
        command,
        buffer,
        directory: '/',
        signal,
        session,
      });
      if (timer) clearImmediate(timer);
      const outcome = reply.errno === 0 ? 'done' : errnoName(reply.errno);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect(reply.errno, reply.reason).not.toBe(Errno.EIO);
      expect(reply.reason === '').toBe(reply.errno === 0);
      if (reply.errno !== 0) return;
      readReply(number, reply);
      readSpoilt(prng, number, reply);
    };

    for (let round = 0; round < ROUND_COUNT; round += 1) {
      await Promise.all(Array.from({ length: prng.integer(1, MOST_AT_ONCE) }, send));
      if (prng.chance(0.1) && mapper.list().length > 0) {
        kept.push(mapper.open(prng.pick(mapper.list())));
      }
      if (prng.chance(0.1)) kept.shift()?.release();
      await turn();
      checkConsistent(mapper, kept);
    }
    for (const { release } of kept.splice(0)) release();
    await turn();
    await mapper.removeAll();
    expect(mapper.list()).toEqual([]);
    expect(world.disks.openCount).toBe(0);
  });
  // The requests are good enough to come to every kind of end, or they would test nothing.
  for (const outcome of ['done', 'EINVAL', 'ENXIO', 'EBUSY', 'ENOTTY', 'EFAULT', 'EINTR']) {
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(0);
  }
});
