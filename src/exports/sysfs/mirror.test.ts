import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readMarker, writeMarker } from '../../devices/marker.ts';
import { World } from '../../testing/world.ts';
import { SysfsMirror } from './mirror.ts';

let folder: string;
let world: World;
let mirror: SysfsMirror;
const troubles: string[] = [];

const at = (path: string) => join(folder, path);
const text = (path: string) => readFileSync(at(path), 'utf8').trimEnd();
/** Changes are written in a microtask, before any answer goes out. */
const written = () => Promise.resolve();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-sysfs-'));
  const loop = at('host/devices/virtual/block/loop3');
  for (const path of [`${loop}/queue`, `${loop}/holders`, at('host/class/block'), at('host/block')])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(loop, 'dev'), '7:3\n');
  symlinkSync(loop, at('host/class/block/loop3'));
  symlinkSync(loop, at('host/block/loop3'));
  world = new World({ disks: { '7:3': { sizeSectors: 1000 } } });
  troubles.length = 0;
  mirror = new SysfsMirror({
    mapper: world.mapper,
    folder,
    sysfs: at('host'),
    onTrouble: (reason) => troubles.push(reason),
  });
});

afterEach(() => {
  mirror.close();
  rmSync(folder, { recursive: true });
  expect(troubles).toEqual([]);
});

describe('the mirror of sysfs', () => {
  test('has the devices that are there, by name and by number', async () => {
    await world.start('zero', '0 64 zero');
    mirror.refresh();
    for (const path of ['sys/block/dm-0', 'sys/class/block/dm-0', 'sys/dev/block/252:0'])
      expect(realpathSync(at(path))).toBe(realpathSync(at('sys/devices/virtual/block/dm-0')));
    expect(text('sys/block/dm-0/size')).toBe('64');
    expect(text('sys/block/dm-0/dm/name')).toBe('zero');
    expect(text('sys/block/dm-0/queue/logical_block_size')).toBe('512');
    expect(readMarker(at('dev/dm-0'), statSync(at('dev/dm-0')))).toEqual({ major: 252, minor: 0 });
  });

  test('follows them', async () => {
    mirror.refresh();
    const device = await world.start('a', '0 64 zero');
    await written();
    expect(text('sys/block/dm-0/dm/suspended')).toBe('0');
    await device.suspend();
    await written();
    expect(text('sys/block/dm-0/dm/suspended')).toBe('1');
    await world.load(device, '0 128 zero');
    await device.resume();
    world.mapper.rename(device, 'b');
    await written();
    expect([text('sys/block/dm-0/size'), text('sys/block/dm-0/dm/name')]).toEqual(['128', 'b']);
    await world.mapper.remove(device);
    await written();
    expect(readdirSync(at('sys/devices/virtual/block'))).toEqual([]);
    expect(existsSync(at('dev/dm-0'))).toBe(false);
  });

  test('what a program wrote stays', async () => {
    mirror.refresh();
    const device = await world.start('a', '0 64 zero');
    await written();
    writeFileSync(at('sys/block/dm-0/bdi/read_ahead_kb'), '4096\n');
    await device.suspend();
    await written();
    expect(text('sys/block/dm-0/bdi/read_ahead_kb')).toBe('4096');
  });

  test('a device has files from its first table on, also when that is cleared', async () => {
    mirror.refresh();
    const device = world.mapper.create({ name: 'a' });
    await written();
    expect([existsSync(at('sys/block/dm-0')), existsSync(at('dev/dm-0'))]).toEqual([false, false]);
    await world.load(device, '0 64 zero');
    await device.clear();
    await written();
    expect([existsSync(at('sys/block/dm-0')), existsSync(at('dev/dm-0'))]).toEqual([true, true]);
  });

  test('shows read-ahead as it was set for one device, in KiB', async () => {
    mirror.refresh();
    const device = await world.start('a', '0 64 zero');
    await world.start('b', '0 64 zero');
    world.mapper.setReadAhead(device, 1024);
    await written();
    const shown = (name: string) =>
      ['bdi', 'queue'].map((folder) => text(`sys/block/${name}/${folder}/read_ahead_kb`));
    expect([shown('dm-0'), shown('dm-1')]).toEqual([
      ['512', '512'],
      ['128', '128'],
    ]);
    await world.load(device, '0 32 zero');
    await device.resume();
    await written();
    expect(shown('dm-0')).toEqual(['128', '128']);
  });

  test('knows who stands on whom, also on devices of the host', async () => {
    mirror.refresh();
    const held = () => readdirSync(at('sys/dev/block/7:3/holders'));
    expect(held()).toEqual([]);
    const low = await world.start('low', '0 64 linear 7:3 0');
    const high = await world.start('high', '0 64 linear 252:0 0');
    await written();
    expect(readdirSync(at('sys/block/dm-0/slaves'))).toEqual(['loop3']);
    expect(held()).toEqual(['dm-0']);
    expect(readdirSync(at('sys/block/dm-1/slaves'))).toEqual(['dm-0']);
    expect(realpathSync(at('sys/block/dm-0/holders/dm-1'))).toBe(
      realpathSync(at('sys/block/dm-1')),
    );
    expect(realpathSync(at('sys/block/loop3/queue'))).toMatch(/host\/devices.*loop3\/queue$/);
    await world.mapper.remove(high);
    await world.mapper.remove(low);
    await written();
    expect(held()).toEqual([]);
  });

  test('one number used again is another device', async () => {
    mirror.refresh();
    await world.mapper.remove(await world.start('a', '0 64 zero'));
    await world.start('b', '0 32 zero');
    await written();
    expect([text('sys/block/dm-0/dm/name'), text('sys/block/dm-0/size')]).toEqual(['b', '32']);
  });

  test('the next device gets the files of the last, and none of its settings', async () => {
    mirror.refresh();
    const first = await world.start('a', '0 64 linear 7:3 0');
    await written();
    writeFileSync(at('sys/block/dm-0/bdi/read_ahead_kb'), '4096\n');
    const file = () => statSync(at('sys/block/dm-0/removable')).ino;
    const before = file();
    await world.mapper.remove(first);
    await written();
    expect(existsSync(at('sys/devices/virtual/block/dm-0'))).toBe(false);
    await world.start('b', '0 64 zero');
    await written();
    expect(file()).toBe(before);
    expect(text('sys/block/dm-0/bdi/read_ahead_kb')).toBe('128');
    expect(text('sys/block/dm-0/dm/name')).toBe('b');
    expect(readdirSync(at('sys/block/dm-0/slaves'))).toEqual([]);
  });

  test('takes away the node of a device that is gone, and no other', async () => {
    mirror.refresh();
    const device = await world.start('a', '0 64 zero');
    await world.start('b', '0 64 zero');
    writeMarker(at('dev/mapper/a'), 'b', { major: 252, minor: 0 });
    writeMarker(at('dev/mapper/b'), 'b', { major: 252, minor: 0 });
    await world.mapper.remove(device);
    await world.mapper.remove(world.mapper.get('b'));
    await written();
    expect(readdirSync(at('dev/mapper'))).toEqual(['b']);
  });

  test('leaves nothing', async () => {
    mirror.refresh();
    await world.start('a', '0 64 zero');
    await written();
    mirror.close();
    expect(readdirSync(at('sys'))).toEqual([]);
    expect(readdirSync(at('dev'))).toEqual(['mapper']);
  });
});
