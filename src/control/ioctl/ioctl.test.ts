/** What the recorded answers of a kernel (test/golden) cannot show: waiting, interrupting, wiping, who is asked to settle. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import { Probe } from '../../testing/probe-target.ts';
import { submitBio } from '../../testing/submit.ts';
import { World } from '../../testing/world.ts';
import { Command, type CommandNumber, Flag, IOCTL_BASE } from '../protocol/commands.ts';
import { Header } from '../protocol/header.ts';
import { decodeReply, encodeRequest, type RequestFields } from '../protocol/messages.ts';
import { encodeMessage } from '../protocol/strings.ts';
import { decodeRows, encodeTable } from '../protocol/target-rows.ts';
import { createSession, handleIoctl, type IoctlReply } from './index.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(world = new World()) {
  const { mapper } = world;
  const calls: string[] = [];
  const session = createSession(mapper);
  const context = {
    mapper,
    settle: () => {
      calls.push('settle');
      return Promise.resolve();
    },
  };
  const send = (
    command: CommandNumber,
    fields: RequestFields & { buffer?: Uint8Array; signal?: AbortSignal } = {},
  ): Promise<IoctlReply> => {
    const buffer = fields.buffer ?? encodeRequest({ dataSizeBytes: 4096, ...fields });
    const signal = fields.signal ?? new AbortController().signal;
    const request = { command: IOCTL_BASE + command, buffer, directory: '/', signal, session };
    return handleIoctl(context, request);
  };
  return { world, mapper, session, calls, send };
}

/** What became of a reply so far. */
function watch(reply: Promise<IoctlReply>): { errno: number | 'pending' } {
  const result: { errno: number | 'pending' } = { errno: 'pending' };
  void reply.then(({ errno }) => {
    result.errno = errno;
  });
  return result;
}

describe('DEV_WAIT', () => {
  test('ends with the next event and tells the status', async () => {
    const { world, send } = setUp();
    const device = await world.start('a', '0 8 linear A 0');
    const waiting = send(Command.deviceWait, { name: 'a', eventNumber: device.eventNumber });
    const state = watch(waiting);
    await turn();
    expect(state.errno).toBe('pending');
    device.event();
    const { header, payload } = decodeReply((await waiting).buffer);
    expect(header.eventNumber).toBe(1);
    expect(decodeRows(payload, header.targetCount)).toEqual([
      { start: 0, length: 8, type: 'linear', params: '' },
    ]);
  });

  test('is interrupted', async () => {
    const { mapper, send } = setUp();
    mapper.create({ name: 'a' });
    const interrupt = new AbortController();
    const waiting = send(Command.deviceWait, { name: 'a', signal: interrupt.signal });
    await turn();
    interrupt.abort();
    expect(await waiting).toMatchObject({
      errno: Errno.EINTR,
      reason: 'Interrupted while waiting for an event of a',
    });
    await mapper.removeAll();
  });

  test('of a device that goes away still tells its table', async () => {
    const { world, send } = setUp();
    await world.start('a', '0 8 linear A 0');
    const waiting = send(Command.deviceWait, { name: 'a', flags: Flag.statusTable });
    await turn();
    expect((await send(Command.deviceRemove, { name: 'a' })).errno).toBe(0);
    const { header, payload } = decodeReply((await waiting).buffer);
    expect(decodeRows(payload, header.targetCount)).toHaveLength(1);
    expect(world.disks.openCount).toBe(0);
  });

  test('of a device without a table ends when it goes', async () => {
    const { mapper, send } = setUp();
    mapper.create({ name: 'a' });
    const waiting = send(Command.deviceWait, { name: 'a' });
    await turn();
    expect((await send(Command.deviceRemove, { name: 'a' })).errno).toBe(0);
    expect((await waiting).errno).toBe(0);
  });
});

test('suspending gives up when it is interrupted, and everything runs on', async () => {
  const { world, send } = setUp();
  const device = await world.start('a', '0 8 linear A 0');
  const held: (() => void)[] = [];
  world.disks.get('A').answer = (finish) => held.push(finish);
  const first = submitBio(device, { op: Op.discard, sector: 0, sectorCount: 1 });
  const interrupt = new AbortController();
  const flags = Flag.suspend;
  const suspending = send(Command.deviceSuspend, { name: 'a', flags, signal: interrupt.signal });
  await turn();
  const second = submitBio(device, { op: Op.discard, sector: 1, sectorCount: 1 });
  expect(held).toHaveLength(1);
  interrupt.abort();
  expect((await suspending).errno).toBe(Errno.EINTR);
  expect([device.suspended, held.length]).toEqual([false, 2]);
  for (const finish of held) finish();
  expect(await Promise.all([first, second])).toEqual([0, 0]);
});

test('poll counts from the arming of its own session', async () => {
  const { mapper, session, send } = setUp();
  const { session: other } = setUp();
  mapper.create({ name: 'a' });
  expect(session.armedEventNumber).toBe(0);
  await send(Command.deviceArmPoll);
  expect(session.armedEventNumber).toBe(mapper.globalEventNumber);
  expect(other.armedEventNumber).toBe(0);
});

test('open counts are settled before they are judged or told', async () => {
  const { mapper, calls, send } = setUp();
  mapper.create({ name: 'a' });
  const settles = async (command: CommandNumber) => {
    calls.length = 0;
    await send(command, { name: 'a' });
    return calls.length;
  };
  expect(await settles(Command.deviceStatus)).toBe(1);
  expect(await settles(Command.listDevices)).toBe(0);
  expect(await settles(Command.deviceRemove)).toBe(1);
  expect(await settles(Command.removeAll)).toBe(1);
});

describe('SECURE_DATA', () => {
  const secret = 'key set 0123456789abcdef';

  async function sendSecret(name: string) {
    const probe = new Probe({ overrides: { message: () => 'done' } });
    const { world, send } = setUp(new World({ types: [probe.type] }));
    await world.start('a', '0 8 probe A 0');
    const payload = encodeMessage(0, secret);
    const buffer = encodeRequest({ name, flags: Flag.secureData, payload, dataSizeBytes: 4096 });
    return { buffer, reply: await send(Command.targetMessage, { buffer }) };
  }

  test('leaves nothing of the request behind', async () => {
    const { buffer, reply } = await sendSecret('a');
    expect(buffer.every((byte) => byte === 0)).toBe(true);
    const { header, payload } = decodeReply(reply.buffer);
    expect([header.has(Flag.dataOut), header.has(Flag.secureData)]).toEqual([true, false]);
    expect(Buffer.from(payload).toString()).toBe('done\0');
    expect(reply.buffer).toHaveLength(buffer.length);
    expect(reply.buffer.subarray(header.dataSize).every((byte) => byte === 0)).toBe(true);
  });

  test('nor when the request fails', async () => {
    const { buffer, reply } = await sendSecret('nobody');
    expect(reply.errno).toBe(Errno.ENXIO);
    expect([...buffer, ...reply.buffer].every((byte) => byte === 0)).toBe(true);
    expect(reply.buffer).toHaveLength(buffer.length);
  });
});

describe('requests', () => {
  test('need not bring the room for their answer', async () => {
    const { world, send } = setUp();
    await world.start('a', Array.from({ length: 50 }, (_, i) => `${i} 1 linear A ${i}`).join('\n'));
    const small = await send(Command.tableStatus, { name: 'a', dataSizeBytes: 400 });
    expect(decodeReply(small.buffer).header.has(Flag.bufferFull)).toBe(true);
    const large = await send(Command.tableStatus, { name: 'a', dataSizeBytes: 2 ** 29 });
    const { header, payload } = decodeReply(large.buffer);
    expect(header.has(Flag.bufferFull)).toBe(false);
    expect(decodeRows(payload, header.targetCount)).toHaveLength(50);
  });

  test('of a failing target say why in words', async () => {
    const { mapper, send } = setUp();
    mapper.create({ name: 'a' });
    const rows = [{ start: 0, length: 7, type: 'striped', params: '2 8 A 0 B 0' }];
    const payload = encodeTable(rows);
    const reply = await send(Command.tableLoad, { name: 'a', targetCount: 1, payload });
    expect(reply.errno).toBe(Errno.EINVAL);
    expect(reply.reason).toMatch(/^striped: Target length not divisible by number of stripes/);
    expect(reply.buffer).toEqual(new Uint8Array([4, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0]));
  });

  test('of a target that breaks are answered too', async () => {
    const probe = new Probe({
      overrides: {
        message: () => {
          throw new TypeError('a bug');
        },
      },
    });
    const { world, send } = setUp(new World({ types: [probe.type] }));
    await world.start('a', '0 8 probe A 0');
    const reply = await send(Command.targetMessage, { name: 'a', payload: encodeMessage(0, 'x') });
    expect(reply).toMatchObject({ errno: Errno.EIO, reason: 'a bug' });
    expect((await send(Command.deviceRemove, { name: 'a' })).errno).toBe(0);
  });

  test('with a name that is no text are refused', async () => {
    const { send } = setUp();
    const buffer = encodeRequest({ dataSizeBytes: 4096 });
    buffer.fill(0xff, 48, 60);
    for (const command of [Command.deviceCreate, Command.deviceStatus]) {
      expect(await send(command, { buffer })).toMatchObject({ errno: Errno.EINVAL });
    }
  });

  test('read only make a read-only table', async () => {
    const { mapper, send } = setUp();
    const device = mapper.create({ name: 'a' });
    const payload = encodeTable([{ start: 0, length: 8, type: 'zero', params: '' }]);
    const flags = Flag.readOnly;
    const reply = await send(Command.tableLoad, { name: 'a', targetCount: 1, payload, flags });
    expect(device.inactive?.readOnly).toBe(true);
    expect(new Header(reply.buffer).has(Flag.inactivePresent)).toBe(true);
  });
});
