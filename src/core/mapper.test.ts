import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Probe } from '../testing/probe-target.ts';
import { submitBio } from '../testing/submit.ts';
import { World } from '../testing/world.ts';
import { Op } from './bio.ts';
import { dependencies, MAPPED_MAJOR } from './mapper.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('names, uuids and numbers', () => {
  test.each([
    ['', /it is empty/],
    ['a/b', /contains "\/"/],
    ['a\0b', /contains a NUL/],
    ['.', /reserved/],
    ['..', /reserved/],
    ['control', /reserved/],
    ['x'.repeat(128), /has 128 bytes, expected at most 127/],
    ['ä'.repeat(64), /has 128 bytes/],
  ])('the name %j is refused', (name, error) => {
    const { mapper } = new World();
    const refusal = { code: 'EINVAL', message: expect.stringMatching(error) as string };
    expect(() => mapper.create({ name })).toThrow(expect.objectContaining(refusal) as Error);
    const device = mapper.create({ name: 'good' });
    expect(() => mapper.rename(device, name)).toThrow(expect.objectContaining(refusal) as Error);
    expect(mapper.list()).toEqual([device]);
  });

  test.each(['a b', 'x'.repeat(127), '#%&', 'ä'.repeat(63)])('the name %j is taken', (name) => {
    const { mapper } = new World();
    const device = mapper.create({ name });
    expect(mapper.get(name)).toBe(device);
    expect(mapper.find(name)).toBe(device);
  });

  test('are there once', () => {
    const { mapper } = new World();
    const device = mapper.create({ name: 'a', uuid: 'U', minor: 3 });
    const busy = expect.objectContaining({ code: 'EBUSY' }) as Error;
    expect(() => mapper.create({ name: 'a' })).toThrow(busy);
    expect(() => mapper.create({ name: 'b', uuid: 'U' })).toThrow(busy);
    const noNumber = expect.objectContaining({ code: 'ENXIO' }) as Error;
    expect(() => mapper.create({ name: 'b', minor: 3 })).toThrow(noNumber);
    expect(() => mapper.create({ name: 'a', minor: 3 })).toThrow(noNumber);
    expect(mapper.findUuid('U')).toBe(device);
    expect(mapper.findUuid('')).toBeUndefined();
    expect(mapper.findNumber({ major: MAPPED_MAJOR, minor: 3 })).toBe(device);
    expect(mapper.findNumber({ major: 7, minor: 3 })).toBeUndefined();
    expect(() => mapper.get('b')).toThrow(expect.objectContaining({ code: 'ENXIO' }) as Error);
  });

  test('the lowest free minor number is given', async () => {
    const { mapper } = new World();
    const minors = () => mapper.list().map(({ number }) => number.minor);
    for (const name of ['a', 'b', 'c']) mapper.create({ name });
    await mapper.remove(mapper.get('b'));
    mapper.create({ name: 'd', minor: 2 ** 20 - 1 });
    mapper.create({ name: 'e' });
    expect(minors()).toEqual([0, 2, 2 ** 20 - 1, 1]); // a c d e
    for (const minor of [-1, 0.5, 2 ** 20]) {
      expect(() => mapper.create({ name: 'f', minor })).toThrow(/Cannot use minor number/);
    }
  });

  test('a uuid of 128 bytes is the longest, and is set once', () => {
    const { mapper } = new World();
    expect(() => mapper.create({ name: 'a', uuid: 'u'.repeat(129) })).toThrow(/UUID .* invalid/);
    const device = mapper.create({ name: 'a' });
    mapper.create({ name: 'b', uuid: 'V' });
    expect(() => mapper.setUuid(device, 'V')).toThrow(/is in use/);
    mapper.setUuid(device, 'u'.repeat(128));
    expect(device.eventNumber).toBe(0);
    expect(() => mapper.setUuid(device, 'W')).toThrow(
      /Unable to change uuid of mapped device a to W because uuid is already set to u+/,
    );
  });
});

describe('rename', () => {
  test('moves to the new place in the list, raises the event number of a table', async () => {
    const world = new World();
    const { mapper } = world;
    const device = await world.start('a', '0 8 zero');
    mapper.create({ name: 'b' });
    mapper.rename(device, 'z');
    expect(mapper.list().map(({ name }) => name)).toEqual(['b', 'z']);
    expect([mapper.find('a'), mapper.get('z'), device.eventNumber]).toEqual([undefined, device, 1]);
    expect(() => mapper.rename(device, 'b')).toThrow(/in use/);
    expect(() => mapper.rename(device, 'z')).toThrow(/in use/);
  });

  test('of a device that is gone is refused, whoever has its name now', async () => {
    const { mapper } = new World();
    const gone = mapper.create({ name: 'a' });
    await mapper.remove(gone);
    const next = mapper.create({ name: 'a' });
    expect(() => mapper.rename(gone, 'b')).toThrow(/does not exist/);
    await expect(mapper.remove(gone)).rejects.toMatchObject({ code: 'ENXIO' });
    expect(() => mapper.open(gone)).toThrow(/does not exist/);
    expect(mapper.list()).toEqual([next]);
  });
});

describe('removal', () => {
  test('waits for nobody while the device is open', async () => {
    const { mapper, ...world } = new World();
    const device = mapper.create({ name: 'a' });
    const opened = mapper.open(device);
    expect(device.openCount).toBe(1);
    await expect(mapper.remove(device)).rejects.toMatchObject({ code: 'EBUSY' });
    opened.release();
    opened.release();
    expect(device.openCount).toBe(0);
    await mapper.remove(device);
    expect(mapper.list()).toEqual([]);
    expect(world.disks.openCount).toBe(0);
  });

  test('deferred goes with the last opener', async () => {
    const { mapper } = new World();
    const device = mapper.create({ name: 'a' });
    const [first, second] = [mapper.open(device), mapper.open(device)];
    await mapper.remove(device, { deferred: true });
    expect(device.deferredRemove).toBe(true);
    first.release();
    expect(mapper.find('a')).toBe(device);
    second.release();
    await settle();
    expect(mapper.find('a')).toBeUndefined();
  });

  test('of a device on top lets go what waits for it below', async () => {
    const world = new World();
    const lower = await world.start('lower', '0 8 linear A 0');
    const upper = await world.start('upper', '0 8 linear mapper/lower 0');
    await expect(world.mapper.remove(lower)).rejects.toMatchObject({ code: 'EBUSY' });
    await world.mapper.remove(lower, { deferred: true });
    expect(world.mapper.list()).toEqual([lower, upper]);
    await world.mapper.remove(upper);
    await settle();
    expect(world.mapper.list()).toEqual([]);
    expect(world.disks.openCount).toBe(0);
  });

  test('ends what is queued and whatever comes later with EIO', async () => {
    const world = new World();
    const device = await world.start('a', '0 8 linear A 0');
    await device.suspend();
    const queued = submitBio(device, { op: Op.discard, sectorCount: 1 });
    await world.mapper.remove(device);
    expect(await queued).toBe(Errno.EIO);
    expect(await submitBio(device, { op: Op.discard, sectorCount: 1 })).toBe(Errno.EIO);
    await expect(world.load(device, '0 8 linear A 0')).rejects.toMatchObject({ code: 'ENXIO' });
    expect(world.disks.openCount).toBe(0);
  });

  test('of all takes stacks apart from the top and leaves what is open', async () => {
    const world = new World();
    for (const [name, below] of [
      ['a', 'A'],
      ['b', 'mapper/a'],
      ['c', 'mapper/b'],
      ['d', 'A'],
    ]) {
      await world.start(name!, `0 8 linear ${below} 0`);
    }
    const opened = world.mapper.open(world.mapper.get('b'));
    await world.mapper.removeAll({ deferred: true });
    expect(world.mapper.list().map(({ name }) => name)).toEqual(['a', 'b']);
    opened.release();
    await settle();
    expect(world.mapper.list()).toEqual([]);
  });

  test('a target that does not close leaves neither number nor device behind', async () => {
    const sick = new Probe({
      name: 'sick',
      overrides: { close: () => Promise.reject(new Error('sick')) },
    });
    const world = new World({ types: [sick.type] });
    const device = await world.start('a', '0 8 sick A 0');
    await world.load(device, '0 8 linear B 0');
    await expect(world.mapper.remove(device)).rejects.toThrow('sick');
    expect(world.disks.openCount).toBe(0);
    expect(world.mapper.create({ name: 'a' }).number.minor).toBe(0);
  });
});

describe('stacks', () => {
  test.each(['mapper/lower', '/dev/mapper/lower', `${MAPPED_MAJOR}:0`])(
    '%s names a mapped device',
    async (operand) => {
      const world = new World();
      const lower = await world.start('lower', '0 8 linear A 0');
      const upper = await world.start('upper', `0 8 linear ${operand} 0`);
      expect(lower.openCount).toBe(1);
      expect(upper.live!.tableLines()).toEqual([`0 8 linear ${MAPPED_MAJOR}:0 0`]);
      expect(dependencies(upper)).toEqual([`${MAPPED_MAJOR}:0`]);
      expect(dependencies(lower)).toEqual(['7:0']);
      expect(dependencies(upper, { inactive: true })).toEqual([]);
    },
  );

  test.each([
    ['mapper/missing', 'ENOENT'],
    ['/dev/mapper/missing', 'ENOENT'],
    [`${MAPPED_MAJOR}:9`, 'ENXIO'],
    ['mapper/', 'ENOENT'],
  ])('%s is refused with %s', async (operand, code) => {
    const world = new World();
    const device = world.mapper.create({ name: 'a' });
    await expect(world.load(device, `0 8 linear ${operand} 0`)).rejects.toMatchObject({ code });
  });

  test('a device larger than the one below is refused', async () => {
    const world = new World();
    await world.start('lower', '0 8 linear A 0');
    const upper = world.mapper.create({ name: 'upper' });
    await expect(world.load(upper, '0 9 linear mapper/lower 0')).rejects.toThrow(/252:0 too small/);
  });

  test('a device does not stand on itself: directly, through others, or through what is not live yet', async () => {
    const world = new World();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => world.mapper.create({ name }));
    const refusal = {
      code: 'EINVAL',
      message: expect.stringContaining('cannot stand on itself') as string,
    };
    await expect(world.load(a!, '0 8 linear mapper/a 0')).rejects.toMatchObject(refusal);
    await world.load(b!, '0 8 linear mapper/a 0');
    await world.load(c!, '0 8 linear mapper/b 0');
    await expect(world.load(a!, '0 8 zero\n8 8 linear mapper/c 0')).rejects.toMatchObject(refusal);
    expect(a!.openCount).toBe(1);
    await b!.clear();
    await world.load(a!, '0 8 linear mapper/c 0');
    await expect(world.load(b!, '0 8 linear mapper/a 0')).rejects.toMatchObject(refusal);
    await expect(world.load(b!, `0 8 linear ${MAPPED_MAJOR}:0 0`)).rejects.toMatchObject(refusal);
  });

  test('two tables that are loaded at once make no loop either', async () => {
    const world = new World({ disks: { 'nbd://slow': {} } });
    const [a, b] = ['a', 'b'].map((name) => world.mapper.create({ name }));
    world.disks.prepare = async () => {
      await settle();
    };
    const results = await Promise.allSettled([
      world.load(a!, '0 8 linear mapper/b 0\n8 8 linear nbd://slow 0'),
      world.load(b!, '0 8 linear mapper/a 0\n8 8 linear nbd://slow 0'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    // The refused one left nothing behind that would stop a later load.
    await a!.clear();
    await world.load(b!, '0 8 linear mapper/a 0');
  });

  test('a table that is refused changes nothing', async () => {
    const world = new World();
    const device = await world.start('a', '0 8 linear A 0');
    await world.load(device, '0 16 linear B 0');
    await expect(world.load(device, '0 8 linear C 0\n8 8 nosuch')).rejects.toThrow(
      /unknown target/,
    );
    expect(device.inactive!.tableLines()).toEqual(['0 16 linear B 0']);
    expect(world.disks.openCount).toBe(2);
  });

  test('ten layers of everything answer as one', async () => {
    const world = new World({ disks: { A: { sizeSectors: 64 } } });
    let below = 'A';
    for (let layer = 0; layer < 10; layer += 1) {
      await world.start(`l${layer}`, `0 64 linear ${below} 0`);
      below = `mapper/l${layer}`;
    }
    const top = world.mapper.get('l9');
    const data = new Uint8Array(64 * 512).fill(7);
    expect(await submitBio(top, { op: Op.write, sectorCount: 64, data })).toBe(0);
    expect(world.disks.get('A').bytes).toEqual(data);
    expect(world.disks.get('A').recorded).toHaveLength(1);
  });
});

test('a device is not claimed while a table that stands on it is being loaded', async () => {
  const world = new World();
  const below = await world.start('below', '0 8 zero');
  const above = world.mapper.create({ name: 'above' });
  const loading = world.load(above, '0 8 linear mapper/below 0');
  expect(() => world.mapper.claim(below)).toThrow('Cannot claim below: it is in use');
  await loading;
  await above.clear();
  world.mapper.claim(below)();
});
