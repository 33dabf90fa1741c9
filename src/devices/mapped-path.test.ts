import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';
import { createTargetRegistry } from '../core/target.ts';
import { targets } from '../targets/index.ts';
import { findMappedPath, mountPlaces, withoutLinks } from './mapped-path.ts';
import { writeMarker } from './marker.ts';
import { DeviceStore } from './store.ts';

describe('paths that lead to mapped devices', () => {
  let folder: string;
  let mount: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'devmapper-paths-'));
    mount = join(folder, 'state', 'mapper');
    mkdirSync(join(folder, 'state'));
    mkdirSync(join(folder, 'deep'));
    symlinkSync('state', join(folder, 'linked'));
    symlinkSync('../linked/mapper/x', join(folder, 'deep', 'to-x'));
    symlinkSync(join(folder, 'deep', 'to-x'), join(folder, 'twice'));
    symlinkSync('circle', join(folder, 'circle'));
    writeMarker(join(folder, 'node'), 'b', { major: 252, minor: 70_000 });
    writeMarker(join(folder, 'control'), 'c', { major: 10, minor: 236 });
    writeFileSync(join(folder, 'image'), Buffer.alloc(4096));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  // The mount itself does not exist: nothing below it may be touched.
  test.each([
    ['state/mapper/x', { name: 'x' }],
    ['linked/mapper/x', { name: 'x' }],
    ['state/./mapper//x', { name: 'x' }],
    ['deep/../state/mapper/x', { name: 'x' }],
    ['deep/to-x', { name: 'x' }],
    ['twice', { name: 'x' }],
    [`state/mapper/${'.node-7-65025-1234-'.padEnd(160, '.')}`, { minor: 7 }],
    ['node', { number: { major: 252, minor: 70_000 } }],
    ['control', undefined],
    ['image', undefined],
    ['image/x', undefined],
    ['nothing', undefined],
    ['circle', undefined],
    ['state/mapper2', undefined],
  ])('%s', (path, expected) => {
    for (const state of ['state', 'linked']) {
      const mountFolder = withoutLinks(join(folder, state, 'mapper'));
      expect(findMappedPath(join(folder, path), mountFolder)).toEqual(expected);
    }
  });

  test('wherever the mount or a file of it is mounted once more', () => {
    const mountinfo = [
      '20 1 8:1 / / rw - ext4 /dev/sda1 rw',
      `44 20 8:1 /elsewhere ${mount} rw - ext4 /dev/sda1 rw`,
      `45 20 0:41 / ${mount} rw,nosuid - fuse.devmapper devmapper rw`,
      `46 20 0:41 / ${folder}/co\\040py rw,nosuid shared:1 - fuse.devmapper devmapper rw`,
      `47 20 0:41 /x ${folder}/one rw,nosuid - fuse.devmapper devmapper rw`,
      `48 20 0:42 / ${folder}/deep rw,nosuid - fuse.devmapper devmapper rw`,
      '',
    ].join('\n');
    const places = mountPlaces(mount, mountinfo);
    const find = (path: string) => findMappedPath(join(folder, path), mount, places);
    expect(find('co py/x')).toEqual({ name: 'x' });
    expect(find('one')).toEqual({ name: 'x' });
    expect(find('state/mapper/x')).toEqual({ name: 'x' });
    expect(find('image')).toBeUndefined();
    expect([...places.keys()].sort()).toEqual([`${folder}/co py`, `${folder}/one`, mount].sort());
  });

  test('a folder where nothing is mounted is no more than that', () => {
    const mountinfo = '20 1 8:1 / / rw - ext4 /dev/sda1 rw\n';
    expect([...mountPlaces(mount, mountinfo)]).toEqual([[mount, '']]);
  });

  describe('in a table', () => {
    async function deviceOn(operand: string, directory?: string) {
      const opener = new DeviceStore({ mountFolder: mount });
      const mapper = new Mapper({ registry: createTargetRegistry(targets), opener });
      mapper.create({ name: 'x', minor: 70_000 });
      const device = mapper.create({ name: 'y' });
      const rows = parseTable(`0 8 linear ${operand} 0`);
      try {
        const options = directory === undefined ? {} : { directory };
        const { devices } = await mapper.load(device, rows, options);
        return devices[0]!.operand;
      } finally {
        await mapper.removeAll();
        await opener.close();
      }
    }

    test('nodes, marker files and files of the mount are the mapped device', async () => {
      for (const path of ['node', 'state/mapper/x', 'twice']) {
        expect(await deviceOn(join(folder, path))).toBe('252:70000');
        expect(await deviceOn(path, folder)).toBe('252:70000');
      }
    });

    test('a file of the mount that nobody has is not looked for', async () => {
      await expect(deviceOn(join(mount, 'nobody'))).rejects.toThrow(/No mapped device is named/);
    });

    test('relative paths begin at the directory given', async () => {
      expect(await deviceOn('image', folder)).toBe(join(folder, 'image'));
      expect(await deviceOn('../image', join(folder, 'deep'))).toBe(join(folder, 'image'));
      await expect(deviceOn('image', join(folder, 'deep'))).rejects.toMatchObject({
        code: 'ENOENT',
      });
    });

    test('and are refused without one', async () => {
      await expect(deviceOn('image', '')).rejects.toThrow(/expected an absolute path/);
      expect(await deviceOn(join(folder, 'image'), '')).toBe(join(folder, 'image'));
    });
  });
});
