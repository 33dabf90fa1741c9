import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Probe } from '../testing/probe-target.ts';
import { readExtents, submitBio } from '../testing/submit.ts';
import type { RecordedBio } from '../testing/test-disk.ts';
import { World } from '../testing/world.ts';
import { type Bio, BioFlag, Op } from './bio.ts';
import { ExtentFlag } from './extents.ts';
import { isPlugged } from './plug.ts';

const brief = (recorded: readonly RecordedBio[]) =>
  recorded.map(({ op, sector, sectorCount }) => `${op} ${sector}+${sectorCount}`);

function write(sector: number, sectorCount: number, dataOffset = 0) {
  const data = new Uint8Array(dataOffset + sectorCount * 512);
  for (let index = 0; index < sectorCount; index += 1) {
    data.fill(sector + index, dataOffset + index * 512, dataOffset + (index + 1) * 512);
  }
  return { op: Op.write, sector, sectorCount, data, dataOffset };
}

describe('splitting', () => {
  test('a request inside a row is one bio', async () => {
    const world = new World();
    const device = await world.start('t', '0 100 linear A 10\n100 100 linear B 0');
    expect(await submitBio(device, write(90, 10))).toBe(0);
    expect(await submitBio(device, write(100, 10))).toBe(0);
    expect(brief(world.disks.get('A').recorded)).toEqual(['write 100+10']);
    expect(brief(world.disks.get('B').recorded)).toEqual(['write 0+10']);
  });

  test('one that crosses rows is cut at their ends, and its data with it', async () => {
    const world = new World({ disks: { A: { sizeSectors: 8 }, B: { sizeSectors: 9 } } });
    const device = await world.start('t', '0 4 linear A 4\n4 1 zero\n5 9 linear B 0');
    expect(await submitBio(device, write(1, 12, 3))).toBe(0);
    expect(brief(world.disks.get('A').recorded)).toEqual(['write 5+3']);
    expect(brief(world.disks.get('B').recorded)).toEqual(['write 0+8']);
    const firstBytes = (name: string, ...sectors: number[]) =>
      sectors.map((sector) => world.disks.get(name).bytes[sector * 512]);
    expect(firstBytes('A', 4, 5, 6, 7)).toEqual([0, 1, 2, 3]);
    expect(firstBytes('B', 0, 1, 7, 8)).toEqual([5, 6, 12, 0]);
  });

  test("no piece crosses a multiple of maxIoSectors, counted from the row's start", async () => {
    const probe = new Probe({ overrides: { maxIoSectors: 8 } });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 3 zero\n3 40 probe A 0');
    await submitBio(device, { op: Op.discard, sector: 2, sectorCount: 23 });
    expect(probe.calls.filter((call) => call.startsWith('map'))).toEqual([
      'map 3+8',
      'map 11+8',
      'map 19+6',
    ]);
    probe.calls = [];
    await submitBio(device, { op: Op.discard, sector: 10, sectorCount: 1 });
    await submitBio(device, { op: Op.discard, sector: 11, sectorCount: 8 });
    expect(probe.calls).toEqual(['map 10+1', 'map 11+8']);
  });

  test('pieces are handed out under a plug, whole requests are not', async () => {
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0\n8 8 probe B 0');
    const plugged: boolean[] = [];
    probe.answer = () => {
      plugged.push(isPlugged());
      return 'remapped';
    };
    await submitBio(device, { op: Op.discard, sector: 0, sectorCount: 8 });
    await submitBio(device, { op: Op.discard, sector: 4, sectorCount: 8 });
    expect(plugged).toEqual([false, true, true]);
    expect(isPlugged()).toBe(false);
  });

  test('discard and write-zeroes reach a target with rangeBioCount whole and numbered', async () => {
    const seen: string[] = [];
    const probe = new Probe({ overrides: { rangeBioCount: 3, maxIoSectors: 2 } });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 5 zero\n5 20 probe A 5');
    probe.answer = (bio) => {
      seen.push(`${bio.targetBioNumber}: ${bio.sector}+${bio.sectorCount}`);
      if (bio.targetBioNumber === 1) bio.sectorCount = 0;
      return 'remapped';
    };
    expect(await submitBio(device, { op: Op.writeZeroes, sector: 0, sectorCount: 24 })).toBe(0);
    expect(seen).toEqual(['0: 5+19', '1: 5+19', '2: 5+19']);
    // The one of no length went no further.
    expect(brief(world.disks.get('A').recorded)).toEqual([
      'write-zeroes 5+19',
      'write-zeroes 5+19',
    ]);
    seen.length = 0;
    await submitBio(device, write(5, 4));
    expect(seen).toEqual(['0: 5+2', '0: 7+2']);
  });

  test('a request beyond the end, or of no length, reaches nobody', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 linear A 0\n8 8 linear A 8');
    expect(await submitBio(device, { op: Op.discard, sector: 9, sectorCount: 8 })).toBe(Errno.EIO);
    expect(await submitBio(device, { op: Op.read, sector: 99, sectorCount: 1 })).toBe(Errno.EIO);
    for (const sector of [0, 4, 8, 15, 16]) {
      for (const op of [Op.read, Op.write, Op.discard]) {
        expect(await submitBio(device, { op, sector })).toBe(0);
      }
    }
    expect(world.disks.get('A').recorded).toEqual([]);
  });

  test('flags travel', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 linear A 0\n8 8 linear A 8');
    await submitBio(device, { ...write(4, 8), flags: BioFlag.fua });
    expect(world.disks.get('A').recorded.map(({ flags }) => flags)).toEqual([
      BioFlag.fua,
      BioFlag.fua,
    ]);
  });
});

describe('ending', () => {
  /** A device of three rows whose probes keep their bios, which the test ends as it likes. */
  async function threeHeld() {
    const held: Bio[] = [];
    const probe = new Probe();
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0\n8 8 probe A 8\n16 8 probe A 16');
    probe.answer = (bio) => {
      held.push(bio);
      return 'submitted';
    };
    return { device, held, probe };
  }

  test('a request ends when its last piece has, with the first error', async () => {
    const { device, held } = await threeHeld();
    const errors: number[] = [];
    const ended = submitBio(device, { op: Op.discard, sector: 0, sectorCount: 24 }).then((error) =>
      errors.push(error),
    );
    held[2]!.end(0);
    held[0]!.end(Errno.ENOSPC);
    await Promise.resolve();
    expect(device.inFlightCount).toBe(1);
    expect(errors).toEqual([]);
    held[1]!.end(Errno.EIO);
    await ended;
    expect(errors).toEqual([Errno.ENOSPC]);
    expect(device.inFlightCount).toBe(0);
  });

  test('pieces that end at once do not end the request before the last is out', async () => {
    const { device, probe, held } = await threeHeld();
    probe.answer = (bio) => {
      if (bio.sector < 16) bio.end(0);
      else held.push(bio);
      return 'submitted';
    };
    const ended = submitBio(device, { op: Op.discard, sector: 0, sectorCount: 24 });
    expect(device.inFlightCount).toBe(1);
    held[0]!.end(0);
    expect(await ended).toBe(0);
  });

  test.each([
    ['kill', Errno.EIO],
    ['requeue', Errno.EIO],
  ] as const)(
    'what a target answers with %s fails, the other pieces are done',
    async (answer, errno) => {
      const probe = new Probe();
      const world = new World({ types: [probe.type] });
      const device = await world.start('t', '0 8 linear A 0\n8 8 probe B 0\n16 8 linear A 8');
      probe.answer = () => answer;
      expect(await submitBio(device, { op: Op.discard, sector: 0, sectorCount: 24 })).toBe(errno);
      expect(brief(world.disks.get('A').recorded)).toEqual(['discard 0+8', 'discard 8+8']);
    },
  );

  test('a target sees the end of what it remapped, and may change it', async () => {
    const seen: number[] = [];
    const end = (bio: Bio) => {
      seen.push(bio.error);
      if (bio.error === Errno.EIO) bio.error = Errno.ENOSPC;
      else bio.error = 0;
    };
    const probe = new Probe({ overrides: { end } });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0');
    const disk = world.disks.get('A');
    disk.failure = () => Errno.EIO;
    expect(await submitBio(device, { op: Op.discard, sectorCount: 1 })).toBe(Errno.ENOSPC);
    disk.failure = () => Errno.EROFS;
    expect(await submitBio(device, { op: Op.discard, sectorCount: 1 })).toBe(0);
    expect(seen).toEqual([Errno.EIO, Errno.EROFS]);
    // Nothing was remapped, so there is no end to see.
    probe.answer = () => 'kill';
    expect(await submitBio(device, { op: Op.discard, sectorCount: 1 })).toBe(Errno.EIO);
    expect(seen).toHaveLength(2);
  });
});

describe('flush', () => {
  test('reaches every device below once, however many rows and stripes use it', async () => {
    const world = new World();
    await world.start('lower', '0 8 linear C 0\n8 8 linear C 8');
    const table =
      '0 8 linear A 0\n8 8 zero\n16 32 striped 2 4 A 8 B 0\n48 8 error\n56 16 linear mapper/lower 0';
    const device = await world.start('t', table);
    expect(await submitBio(device, { op: Op.flush })).toBe(0);
    for (const name of ['A', 'B', 'C']) {
      expect(brief(world.disks.get(name).recorded)).toEqual(['flush 0+0']);
    }
  });

  test('fails when one of them fails, after all were asked', async () => {
    const world = new World();
    const device = await world.start('t', '0 8 linear A 0\n8 8 linear B 0');
    world.disks.get('A').failure = () => Errno.ENOSPC;
    expect(await submitBio(device, { op: Op.flush })).toBe(Errno.ENOSPC);
    expect(brief(world.disks.get('B').recorded)).toEqual(['flush 0+0']);
  });

  test('goes through map as well for targets that keep data of their own', async () => {
    const probe = new Probe({ features: ['maps-flush'] });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0');
    probe.answer = (bio) => {
      bio.end(Errno.ENODATA);
      return 'submitted';
    };
    expect(await submitBio(device, { op: Op.flush })).toBe(Errno.ENODATA);
    expect(probe.calls).toContain('map 0+0');
    expect(brief(world.disks.get('A').recorded)).toEqual(['flush 0+0']);
  });

  test('goes through map alone for targets that send it below themselves', async () => {
    const probe = new Probe({ features: ['owns-flush'] });
    const world = new World({ types: [probe.type] });
    const device = await world.start('t', '0 8 probe A 0\n8 8 linear B 0\n16 8 probe B 8');
    probe.answer = (bio) => {
      bio.end(0);
      return 'submitted';
    };
    expect(await submitBio(device, { op: Op.flush })).toBe(0);
    expect(probe.calls.filter((call) => call === 'map 0+0')).toHaveLength(2);
    expect(world.disks.get('A').recorded).toEqual([]);
    expect(brief(world.disks.get('B').recorded)).toEqual(['flush 0+0']);
    probe.answer = () => 'remapped';
    expect(await submitBio(device, { op: Op.flush })).toBe(0);
    expect(brief(world.disks.get('A').recorded)).toEqual(['flush 0+0']);
  });
});

describe('block status', () => {
  test('is gathered from all rows, counted from the start of what was asked', async () => {
    const world = new World({ disks: { A: { sizeSectors: 32 } } });
    world.disks.get('A').bytes.fill(1, 4 * 512, 6 * 512);
    await world.start('lower', '0 20 linear A 2');
    const device = await world.start('t', '0 5 zero\n5 16 striped 1 4 mapper/lower 0');
    const hole = ExtentFlag.hole | ExtentFlag.zero;
    expect(await readExtents(device, 3, 15)).toEqual([
      { offsetSectors: 0, lengthSectors: 4, flags: hole },
      { offsetSectors: 4, lengthSectors: 2, flags: 0 },
      { offsetSectors: 6, lengthSectors: 9, flags: hole },
    ]);
  });

  test('fails where a row fails', async () => {
    const device = await new World().start('t', '0 8 zero\n8 8 error');
    await expect(readExtents(device, 4, 8)).rejects.toThrow(/errno 5/);
    expect(await readExtents(device, 0, 8)).toHaveLength(1);
  });
});
