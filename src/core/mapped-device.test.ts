import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Probe } from '../testing/probe-target.ts';
import { readExtents, submitBio } from '../testing/submit.ts';
import { World } from '../testing/world.ts';
import { type Bio, Op } from './bio.ts';

/** A device over disk A that keeps what it is asked until `finish` is called. */
async function startHeld(table = '0 8 linear A 0', world = new World()) {
  const held: (() => void)[] = [];
  world.disks.get('A').answer = (finish) => {
    held.push(finish);
  };
  const device = await world.start('t', table);
  const finishAll = () => {
    for (const finish of held.splice(0)) finish();
  };
  return { world, device, held, finishAll };
}

/** What became of a promise so far. */
function watch(promise: Promise<unknown>): { state: string } {
  const result = { state: 'pending' };
  promise.then(
    (value) => {
      result.state = `resolved ${String(value)}`;
    },
    (error: unknown) => {
      result.state = String(error);
    },
  );
  return result;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const discard = (sector: number, sectorCount = 1) => ({ op: Op.discard, sector, sectorCount });

describe('suspend', () => {
  test('waits for what is under way and queues what comes', async () => {
    const { world, device, held, finishAll } = await startHeld();
    const first = watch(submitBio(device, discard(0)));
    const suspended = watch(device.suspend());
    await settle();
    expect([first.state, suspended.state, device.suspended]).toEqual(['pending', 'pending', false]);
    const second = watch(submitBio(device, discard(1)));
    expect(held).toHaveLength(1);
    finishAll();
    await settle();
    expect([first.state, suspended.state, device.suspended]).toEqual([
      'resolved 0',
      'resolved undefined',
      true,
    ]);
    expect([second.state, held.length, device.inFlightCount]).toEqual(['pending', 0, 0]);
    await device.resume();
    finishAll();
    await settle();
    expect(second.state).toBe('resolved 0');
    expect(world.disks.get('A').recorded.map(({ sector }) => sector)).toEqual([0, 1]);
  });

  test('queued requests start in the order they came', async () => {
    const world = new World();
    const device = await world.start('t', '0 80 linear A 0');
    await device.suspend();
    const ended = Promise.all([5, 3, 9, 1].map((sector) => submitBio(device, discard(sector))));
    await device.resume();
    await ended;
    expect(world.disks.get('A').recorded.map(({ sector }) => sector)).toEqual([5, 3, 9, 1]);
  });

  test('twice is once, and resuming what runs is nothing', async () => {
    const device = await new World().start('t', '0 8 zero');
    await device.resume();
    await device.suspend();
    await device.suspend();
    expect(device.suspended).toBe(true);
    await device.resume();
    expect(device.suspended).toBe(false);
    expect(await submitBio(device, discard(0))).toBe(0);
  });

  test('a device without a table suspends, but does not resume from it', async () => {
    const device = new World().mapper.create({ name: 't' });
    await device.resume();
    expect(await submitBio(device, discard(0))).toBe(Errno.EIO);
    await device.suspend();
    await expect(device.resume()).rejects.toMatchObject({ code: 'EINVAL' });
    expect(device.suspended).toBe(true);
  });

  test('of a device below holds up the ones above it, and a suspend of those', async () => {
    const world = new World();
    const lower = await world.start('lower', '0 8 linear A 0');
    const upper = await world.start('upper', '0 8 linear mapper/lower 0');
    await lower.suspend();
    const ended = watch(submitBio(upper, discard(0)));
    const suspended = watch(upper.suspend());
    await settle();
    expect([ended.state, suspended.state]).toEqual(['pending', 'pending']);
    await lower.resume();
    await settle();
    expect([ended.state, suspended.state]).toEqual(['resolved 0', 'resolved undefined']);
  });

  test('tells targets in the order of the kernel', async () => {
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0\n8 8 probe B 0');
    expect(probe.calls).toEqual(['preresume A', 'preresume B', 'resume A', 'resume B']);
    probe.calls = [];
    await device.suspend();
    expect(probe.calls).toEqual(['presuspend A', 'presuspend B', 'postsuspend A', 'postsuspend B']);
    probe.calls = [];
    await world.load(device, '0 8 probe C 0');
    await device.resume();
    expect(probe.calls).toEqual(['close A', 'close B', 'preresume C', 'resume C']);
  });

  test('a target that will not resume keeps the device suspended', async () => {
    let isReady = false;
    const preresume = () => {
      if (!isReady) throw new Error('not ready');
    };
    const probe = new Probe({ overrides: { preresume } });
    const world = new World({ types: [probe.type] });
    const device = world.mapper.create({ name: 't' });
    await world.load(device, '0 8 probe A 0');
    await expect(device.resume()).rejects.toThrow('not ready');
    expect([device.suspended, device.live === null]).toEqual([true, false]);
    const ended = watch(submitBio(device, discard(0)));
    isReady = true;
    await device.resume();
    await settle();
    expect(ended.state).toBe('resolved 0');
  });

  test('a target that fails after the drain leaves a suspended device, not a stuck one', async () => {
    const probe = new Probe({
      overrides: { postsuspend: () => Promise.reject(new Error('sick')) },
    });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0');
    await expect(device.suspend()).rejects.toThrow('sick');
    expect(device.suspended).toBe(true);
    await device.resume();
    expect(await submitBio(device, discard(0))).toBe(0);
  });
});

describe('noflush suspend', () => {
  test('queues what targets hand back, whole, and does it again after the resume', async () => {
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0\n8 8 linear B 0\n16 8 error');
    const held: Bio[] = [];
    probe.answer = (bio) => {
      held.push(bio);
      return 'submitted';
    };
    const ended = watch(submitBio(device, discard(4, 8)));
    const failing = watch(submitBio(device, discard(4, 20)));
    const suspended = watch(device.suspend({ noflush: true }));
    await settle();
    expect(suspended.state).toBe('pending');
    for (const bio of held.splice(0)) bio.end(-1); // as `requeue` does, but later
    await settle();
    expect([suspended.state, ended.state]).toEqual(['resolved undefined', 'pending']);
    expect(failing.state).toBe('pending'); // a piece handed back supersedes one that failed
    expect(device.statistics().inFlight).toBe(0);
    probe.answer = () => 'remapped';
    await device.resume();
    await settle();
    expect([ended.state, failing.state]).toEqual(['resolved 0', `resolved ${Errno.EIO}`]);
    const sectors = world.disks.get('B').recorded.map(({ sectorCount }) => sectorCount);
    expect(sectors).toEqual([4, 8, 4, 8]);
  });

  test('without it, or without a suspend, what is handed back fails', async () => {
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0');
    probe.answer = () => 'requeue';
    expect(await submitBio(device, discard(0))).toBe(Errno.EIO);
    const held: Bio[] = [];
    probe.answer = (bio) => {
      held.push(bio);
      return 'submitted';
    };
    const ended = watch(submitBio(device, discard(0)));
    const suspended = device.suspend();
    await settle();
    held[0]!.end(-1);
    await suspended;
    expect(ended.state).toBe(`resolved ${Errno.EIO}`);
  });

  test('block status that was handed back keeps nothing of its first try', async () => {
    const probe = new Probe();
    const disks = { B: { sizeSectors: 16 } };
    const world = new World({ types: [probe.type], disks });
    world.disks.get('B').bytes.fill(1);
    const device = await world.start('t', '0 8 zero\n8 8 probe A 0');
    let held: Bio | undefined;
    probe.answer = (bio) => {
      held = bio;
      return 'submitted';
    };
    const extents = readExtents(device, 0, 16);
    const suspended = device.suspend({ noflush: true });
    await settle();
    held?.end(-1);
    await suspended;
    await world.load(device, '0 16 linear B 0');
    await device.resume();
    expect(await extents).toEqual([{ offsetSectors: 0, lengthSectors: 16, flags: 0 }]);
  });
});

describe('tables', () => {
  test('the inactive one replaces the live one at resume, its devices are let go', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 linear A 0');
    await world.load(device, '0 8 linear B 0');
    await world.load(device, '0 16 linear C 0');
    expect([device.sizeSectors, device.inactive!.sizeSectors]).toEqual([8, 16]);
    expect(world.disks.openCount).toBe(2); // B went when C came
    await device.resume();
    expect([device.sizeSectors, device.inactive, device.suspended]).toEqual([16, null, false]);
    expect(world.disks.openCount).toBe(1);
    await world.load(device, '0 8 zero');
    await device.clear();
    await device.clear();
    await device.resume();
    expect(device.sizeSectors).toBe(16);
  });

  test('a change of size is told, and nothing else is', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 zero');
    const sizes: number[] = [];
    const stop = device.onResize(() => sizes.push(device.sizeSectors));
    for (const table of ['0 16 zero', '0 8 error\n8 8 zero', '0 4 zero']) {
      await world.load(device, table);
      await device.resume();
    }
    stop();
    await world.load(device, '0 8 zero');
    await device.resume();
    expect(sizes).toEqual([16, 4]);
  });

  test('an immutable one is replaced only by its own kind or a wildcard', async () => {
    const fixed = new Probe({ name: 'fixed', features: ['immutable'] });
    const world = new World({ types: [fixed.type] });
    const device = await world.start('t', '0 8 fixed A 0');
    await expect(world.load(device, '0 8 zero')).rejects.toThrow(/can't replace immutable/);
    expect(world.disks.openCount).toBe(1);
    await world.load(device, '0 16 fixed A 0');
    await device.resume();
    await world.load(device, '0 16 error');
    await device.resume();
    expect(device.live!.tableLines()).toEqual(['0 16 error ']);
  });

  test('a read-only one refuses writes and takes the rest', async () => {
    const device = await new World().start('t', '0 8 linear A 0', { readOnly: true });
    expect(device.readOnly).toBe(true);
    const errnos = await Promise.all(
      [Op.write, Op.discard, Op.writeZeroes, Op.read, Op.flush, Op.blockStatus].map((op) =>
        submitBio(device, {
          op,
          sectorCount: op === Op.flush ? 0 : 1,
          data: new Uint8Array(512),
        }),
      ),
    );
    expect(errnos).toEqual([Errno.EROFS, Errno.EROFS, Errno.EROFS, 0, 0, 0]);
  });

  test('a device without one has no size and no rows', async () => {
    const device = new World().mapper.create({ name: 't' });
    expect([device.sizeSectors, device.readOnly, device.limits.logicalBlockBytes]).toEqual([
      0,
      false,
      512,
    ]);
  });
});

describe('events', () => {
  test('wake those who wait for a higher number', async () => {
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0');
    const waiting = [0, 0, 1].map((number) => watch(device.waitEvent(number)));
    probe.contexts[0]!.event();
    await settle();
    expect(waiting.map(({ state }) => state)).toEqual(['resolved 1', 'resolved 1', 'pending']);
    device.event();
    await settle();
    expect(waiting[2]!.state).toBe('resolved 2');
    expect(await device.waitEvent(1)).toBe(2);
  });

  test('one who gives up is not woken', async () => {
    const device = await new World().start('t', '0 8 zero');
    const controller = new AbortController();
    const waiting = watch(device.waitEvent(0, controller.signal));
    controller.abort(new Error('enough'));
    await settle();
    expect(waiting.state).toBe('Error: enough');
    await expect(device.waitEvent(0, controller.signal)).rejects.toThrow('enough');
    device.event();
  });

  test('the end of the device wakes everyone', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 zero');
    const waiting = watch(device.waitEvent(0));
    await world.mapper.remove(device);
    await settle();
    expect(waiting.state).toMatch(/^resolved/);
  });
});

describe('messages', () => {
  test.each([
    [0, [], /Empty message received/],
    [0, ['@stats_list'], /Unsupported message sent to DM core: @stats_list/],
    [8, ['x'], /Target message sector outside device: 8 of 8/],
    [-1, ['x'], /Target message sector outside device/],
    [0, ['x'], /Target type does not support messages: zero/],
  ] as const)('to sector %i, %j: refused', async (sector, argv, error) => {
    const device = await new World().start('t', '0 8 zero');
    await expect(device.message(sector, argv)).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(error) as string,
    });
  });

  test('reach the target of their sector, whose answer comes back', async () => {
    const message = (argv: readonly string[]) => `got ${argv.join(' ')}`;
    const probe = new Probe({ overrides: { message } });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 zero\n8 8 probe A 0');
    expect(await device.message(8, ['a', 'b'])).toBe('got a b');
    const bare = world.mapper.create({ name: 'bare' });
    await expect(bare.message(0, ['x'])).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('The device has no table') as string,
    });
  });
});
