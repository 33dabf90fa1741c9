/** Devices on what only root can make: loop devices, and a file system that is full. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { DmError, Errno } from '../../src/base/errors.ts';
import { BioFlag, Op } from '../../src/core/bio.ts';
import { formatDeviceNumber } from '../../src/core/device.ts';
import type { LeafDevice } from '../../src/devices/device-kind.ts';
import { createPathKind } from '../../src/devices/path.ts';
import { DeviceStore } from '../../src/devices/store.ts';
import { loadSystem, type System } from '../../src/system/index.ts';
import { runBio } from '../../src/testing/device-io.ts';
import { describeDevice } from '../../src/testing/device-laws.ts';
import { describeUnless } from '../../src/testing/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-disks-'));
afterAll(() => rmSync(folder, { recursive: true }));

let imageCount = 0;
function createImage(sizeBytes: number): string {
  imageCount += 1;
  const path = join(folder, `${imageCount}.img`);
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  return path;
}

/** What it printed, or an error that says why not. */
function call(command: string, ...words: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`${command} ${words.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

function attachLoop(imagePath: string, ...options: string[]): string {
  return call('losetup', '--show', '-f', ...options, imagePath);
}

function loopObstacle(): string | null {
  try {
    call('losetup', '-d', attachLoop(createImage(1024 * 1024)));
    return null;
  } catch (error) {
    return `needs loop devices (root): ${(error as Error).message}`;
  }
}

function openNode(path: string, system: System | null): LeafDevice {
  const number = { major: 251, minor: 0 };
  const options = { number, readOnly: false, lock: true, clock: systemClock };
  return createPathKind(system).open(path, options);
}

describeUnless(loopObstacle())('block nodes', () => {
  for (const blockBytes of [512, 4096]) {
    for (const system of new Set([loadSystem(), null])) {
      const how = system ? '' : ' without system calls of our own';
      describeDevice(`a loop device of ${blockBytes}-byte blocks${how}`, {
        create(sizeSectors) {
          const path = attachLoop(createImage(sizeSectors * 512), '-b', String(blockBytes));
          return {
            device: openNode(path, system),
            dispose: () => void call('losetup', '-d', path),
          };
        },
      });
    }
  }

  test('say the same about themselves however they are asked, and what losetup says', async () => {
    const path = attachLoop(createImage(3 * 1024 * 1024), '-b', '4096');
    const [asked, looked] = [openNode(path, loadSystem()), openNode(path, null)];
    for (const device of [asked, looked]) {
      expect(device.sizeSectors).toBe(6144);
      expect(device.limits).toMatchObject({ logicalBlockBytes: 4096, physicalBlockBytes: 4096 });
      expect(device.operand).toBe(formatDeviceNumber(device.number));
      expect(device.operand).toBe(call('lsblk', '-dno', 'MAJ:MIN', path));
      await device.close();
    }
    expect({ ...asked.limits, discardGranularityBytes: 0 }).toEqual(looked.limits);
    call('losetup', '-d', path);
  });

  test('are shared by path and number, and refused for writing when read-only', async () => {
    const path = attachLoop(createImage(1024 * 1024), '-r');
    const store = new DeviceStore();
    const opened = store.open(path, { readOnly: true });
    expect(store.open(opened.device.operand, { readOnly: true }).device).toBe(opened.device);
    for (const operand of [path, opened.device.operand]) {
      expect(() => store.open(operand, { readOnly: false })).toThrow(
        /for writing: the disk is read-only/,
      );
    }
    expect(() => new DeviceStore().open(path, { readOnly: false })).toThrow(DmError);
    expect(opened.device.readOnly).toBe(true);
    await store.close();
    call('losetup', '-d', path);
  });

  test('free what is discarded or zeroed, down to the image', async () => {
    const image = createImage(4 * 1024 * 1024);
    const path = attachLoop(image);
    const device = openNode(path, loadSystem());
    const data = new Uint8Array(1024 * 1024).fill(1);
    const blocks = () => Number(call('stat', '-c', '%b', image));
    const range = { sector: 0, sectorCount: 2048 };
    await runBio(device, { op: Op.write, ...range, data });
    await runBio(device, { op: Op.flush });
    const full = blocks();
    if (device.limits.discardGranularityBytes > 0) {
      expect(await runBio(device, { op: Op.discard, sector: 0, sectorCount: 1024 })).toBe(0);
      expect(full - blocks()).toBe(1024);
    }
    const flags = BioFlag.fua;
    expect(await runBio(device, { op: Op.writeZeroes, flags, ...range })).toBe(0);
    await runBio(device, { op: Op.read, ...range, data });
    expect(data.every((byte) => byte === 0)).toBe(true);
    await device.close();
    call('losetup', '-d', path);
  });
});

const smallDisk = join(folder, 'small');
mkdirSync(smallDisk);
function mountObstacle(): string | null {
  try {
    call('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', smallDisk);
    return null;
  } catch (error) {
    return `needs to mount a tmpfs (root): ${(error as Error).message}`;
  }
}

describeUnless(mountObstacle())('a full disk', () => {
  afterAll(() => void call('umount', smallDisk));

  describe.each([
    ['with', loadSystem()],
    ['without', null],
  ])('%s system calls of our own', (_, system) => {
    test('fails writes with ENOSPC, keeps the rest, and goes on when there is space', async () => {
      const path = join(smallDisk, 'image');
      writeFileSync(path, '');
      truncateSync(path, 4 * 1024 * 1024);
      const device = openNode(path, system);
      const write = (sector: number, sectorCount: number) => {
        const data = new Uint8Array(sectorCount * 512).fill(sector === 0 ? 1 : 2);
        return runBio(device, { op: Op.write, sector, sectorCount, data });
      };
      expect(await write(0, 1024)).toBe(0);
      expect(await write(1024, 4096)).toBe(Errno.ENOSPC);
      expect(statfsSync(smallDisk).bavail).toBe(0);
      const data = new Uint8Array(1024 * 512);
      const first = { sector: 0, sectorCount: 1024 };
      expect(await runBio(device, { op: Op.read, ...first, data })).toBe(0);
      expect(data.every((byte) => byte === 1)).toBe(true);
      const zeroes = { op: Op.writeZeroes, flags: BioFlag.noUnmap } as const;
      expect(await runBio(device, { ...zeroes, sector: 4096, sectorCount: 2048 })).toBe(
        Errno.ENOSPC,
      );
      truncateSync(path, 512 * 1024);
      truncateSync(path, 4 * 1024 * 1024);
      expect(await write(1024, 256)).toBe(0);
      await device.close();
      rmSync(path);
    });
  });
});
