import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linear } from '../targets/linear.ts';
import { DeviceMapper } from './device-mapper.ts';

const refused = (code: string, message: RegExp) =>
  expect.objectContaining({
    name: 'DmError',
    code,
    message: expect.stringMatching(message) as string,
  });

describe('DeviceMapper', () => {
  test('creates, lists, describes and removes', async () => {
    await using mapper = new DeviceMapper();
    await mapper.create({ name: 'a', uuid: 'U-1', table: '0 2048 linear mem:1M 0' });
    await mapper.create({ name: 'b', table: '0 8 linear mapper/a 16\n8 8 zero' });
    expect(mapper.list()).toEqual(['a', 'b']);
    expect(mapper.info('a')).toEqual({
      name: 'a',
      uuid: 'U-1',
      major: 252,
      minor: 0,
      sizeSectors: 2048,
      readOnly: false,
      suspended: false,
      openCount: 1,
      eventNumber: 0,
      deferredRemove: false,
      liveTable: true,
      inactiveTable: false,
      targetCount: 1,
    });
    expect(mapper.table('b')).toEqual([
      { start: 0, length: 8, type: 'linear', params: '252:0 16' },
      { start: 8, length: 8, type: 'zero', params: '' },
    ]);
    expect(mapper.status('b').map(({ status }) => status)).toEqual(['', '']);
    expect(mapper.deps('b')).toEqual([{ number: '252:0', operand: '252:0' }]);
    await expect(mapper.remove('a')).rejects.toEqual(refused('EBUSY', /open 1 times/));
    await mapper.remove('a', { deferred: true });
    expect(mapper.info('a').deferredRemove).toBe(true);
    await mapper.remove('b');
    expect(mapper.list()).toEqual([]);
  });

  test('what a target has to say is reported with its device', async () => {
    const reports: string[] = [];
    await using mapper = new DeviceMapper({ report: (message) => reports.push(message) });
    await mapper.create({ name: 'logged', table: '0 8 log-writes mem:4K mem:1K' });
    await mapper.message('logged', ['mark', 'one']);
    expect(reports).toEqual([expect.stringMatching(/^logged: log-writes: Ran out of space/)]);
  });

  test('the same seed corrupts the same bytes', async () => {
    const readAll = async (seed: number) => {
      await using mapper = new DeviceMapper({ seed });
      const table = '0 2048 flakey mem:1M 0 0 1 2 random_read_corrupt 500000000';
      await mapper.create({ name: 'a', table });
      const volume = mapper.open('a');
      const bytes = Buffer.alloc(0x100000);
      for (let offsetBytes = 0; offsetBytes < bytes.length; offsetBytes += 4096) {
        bytes.set(await volume.read({ offsetBytes, lengthBytes: 4096 }), offsetBytes);
      }
      await volume.close();
      return bytes;
    };
    const first = await readAll(7);
    expect(first.some((byte) => byte !== 0)).toBe(true);
    expect(first.equals(await readAll(7))).toBe(true);
    expect(first.equals(await readAll(8))).toBe(false);
  });

  test('a device whose table is refused is not there', async () => {
    await using mapper = new DeviceMapper();
    const created = mapper.create({ name: 'a', table: '0 8 linear mem:1M x' });
    await expect(created).rejects.toEqual(refused('EINVAL', /linear: Invalid device sector/));
    expect(mapper.list()).toEqual([]);
  });

  test('load, resume and clear move tables between the slots', async () => {
    await using mapper = new DeviceMapper();
    await mapper.create({ name: 'a' });
    expect(mapper.table('a')).toEqual([]);
    await mapper.resume('a'); // it is not suspended, so there is nothing to do
    await mapper.suspend('a');
    await expect(mapper.resume('a')).rejects.toEqual(refused('EINVAL', /no table/));
    await mapper.load('a', [{ start: 0, length: 8, type: 'zero', params: '' }]);
    expect(mapper.table('a', { inactive: true })).toHaveLength(1);
    await mapper.resume('a');
    await mapper.load('a', '0 16 zero');
    await mapper.clear('a');
    expect(mapper.info('a')).toMatchObject({ sizeSectors: 8, inactiveTable: false });
    await mapper.load('a', mapper.table('a'));
    await mapper.suspend('a');
    expect(mapper.info('a').suspended).toBe(true);
    await mapper.resume('a');
    mapper.rename('a', 'z');
    mapper.setUuid('z', 'U');
    expect(mapper.info('z')).toMatchObject({ uuid: 'U', eventNumber: 2, suspended: false });
  });

  test('a printed table loads again', async () => {
    await using mapper = new DeviceMapper();
    await mapper.create({ name: 'a', table: '0 8 linear mem:1M 0\n8 8 error' });
    await mapper.create({ name: 'b', table: mapper.table('a') });
    expect(mapper.table('b').map(({ type }) => type)).toEqual(['linear', 'error']);
  });

  test('waitEvent resolves with the next event, or rejects with the signal', async () => {
    await using mapper = new DeviceMapper();
    await mapper.create({ name: 'a', table: '0 8 zero' });
    const waiting = mapper.waitEvent('a', 0);
    mapper.rename('a', 'b');
    expect(await waiting).toBe(1);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(mapper.waitEvent('b', 1, { signal })).rejects.toThrow('enough');
  });

  test('knows targets of the caller beside its own, and lets them replace one', async () => {
    const mine = { ...linear, name: 'mine' };
    const newer = { ...linear, version: [9, 0, 0] as const };
    await using mapper = new DeviceMapper({ targets: [mine, newer] });
    const versions = mapper.targets().map(({ name, version }) => `${name} ${version.join('.')}`);
    expect(versions.filter((line) => /^(linear|mine)/.test(line)).sort()).toEqual([
      'linear 9.0.0',
      'mine 1.5.0',
    ]);
    await mapper.create({ name: 'a', table: '0 8 mine mem:1M 0' });
    expect(mapper.info('a').sizeSectors).toBe(8);
  });

  test('does not close while somebody has a device open', async () => {
    const mapper = new DeviceMapper();
    await mapper.create({ name: 'a', table: '0 8 zero' });
    const volume = mapper.open('a');
    await expect(mapper.close()).rejects.toEqual(refused('EBUSY', /still open: a/));
    await volume.close();
    await mapper.close();
    expect(mapper.list()).toEqual([]);
  });

  test('a name that is not there is ENXIO', () => {
    expect(() => new DeviceMapper().info('x')).toThrow(refused('ENXIO', /x does not exist/));
  });
});

describe('join', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-join-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('puts files one behind the other, whatever their names', async () => {
    const first = join(folder, 'first disk.img');
    const second = join(folder, 'second.img');
    writeFileSync(first, Buffer.alloc(1024, 'a'));
    writeFileSync(second, Buffer.alloc(512 + 100, 'b'));
    await using mapper = new DeviceMapper();
    const info = await mapper.join({ name: 'both', devices: [first, second] });
    expect(info).toMatchObject({ sizeSectors: 3, readOnly: false });
    {
      await using volume = mapper.open('both');
      const data = await volume.read({ offsetBytes: 0, lengthBytes: 1536 });
      expect(Buffer.from(data).toString('latin1')).toBe('a'.repeat(1024) + 'b'.repeat(512));
      await volume.write({ offsetBytes: 512, data: Buffer.alloc(1024, 'c') });
    }
    await mapper.close();
    expect(readFileSync(first, 'latin1')).toBe('a'.repeat(512) + 'c'.repeat(512));
    expect(readFileSync(second, 'latin1')).toBe('c'.repeat(512) + 'b'.repeat(100));
  });

  test('refuses what is empty, and one disk twice', async () => {
    const [empty, image] = [join(folder, 'empty.img'), join(folder, 'image.img')];
    writeFileSync(empty, '');
    writeFileSync(image, Buffer.alloc(512));
    await using mapper = new DeviceMapper();
    const twice = mapper.join({ name: 'x', devices: [image, image] });
    await expect(twice).rejects.toEqual(refused('EINVAL', /image\.img" with itself/));
    const joined = mapper.join({ name: 'x', devices: [image, empty] });
    await expect(joined).rejects.toEqual(refused('EINVAL', /empty\.img": it is empty/));
    expect(mapper.list()).toEqual([]);
  });

  test('gives everything back when one is missing', async () => {
    await using mapper = new DeviceMapper();
    const joined = mapper.join({ name: 'x', devices: ['mem:1M', join(folder, 'none.img')] });
    await expect(joined).rejects.toEqual(refused('ENOENT', /none\.img/));
    expect(mapper.list()).toEqual([]);
  });
});
