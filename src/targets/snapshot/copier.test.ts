import { expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { Op } from '../../core/bio.ts';
import { TestDisk } from '../../testing/test-disk.ts';
import { Copier, type CopyRequest } from './copier.ts';

const MIB_SECTORS = 2048;

class Rig {
  readonly source = new TestDisk('S', { major: 7, minor: 0 }, { sizeSectors: 8 * MIB_SECTORS });
  readonly target = new TestDisk('T', { major: 7, minor: 1 }, { sizeSectors: 8 * MIB_SECTORS });
  takenBytes = 0;
  freedBytes = 0;
  readonly copier = new Copier({
    takeMemory: (lengthBytes) => {
      this.takenBytes += lengthBytes;
      return new Uint8Array(lengthBytes);
    },
    freeMemory: (memory) => {
      this.freedBytes += memory.byteLength;
    },
    limitBytes: 0,
  });
  readonly outcomes: string[] = [];
  held: (() => void)[] = [];

  hold(): void {
    this.source.answer = (finish) => void this.held.push(finish);
  }

  letGo(): void {
    this.source.answer = (finish) => finish();
    for (const finish of this.held.splice(0)) finish();
  }

  copy(request: Partial<CopyRequest>, name = 'copy'): void {
    const whole = {
      source: this.source,
      sourceSector: 0,
      target: this.target,
      targetSector: 0,
      sectorCount: 8,
      inBackground: false,
    };
    this.copier.copy({ ...whole, ...request }, (outcome) => {
      this.outcomes.push(`${name} ${outcome}`);
    });
  }
}

test('copies what it is told, whatever its length', () => {
  const rig = new Rig();
  for (let index = 0; index < rig.source.bytes.length; index += 512) {
    rig.source.bytes.fill(index / 512, index, index + 512);
  }
  rig.copy({ sourceSector: 3, targetSector: 70, sectorCount: 5 * MIB_SECTORS + 1 });
  expect(rig.outcomes).toEqual(['copy done']);
  const lengthBytes = (5 * MIB_SECTORS + 1) * 512;
  const copied = rig.target.bytes.subarray(70 * 512, 70 * 512 + lengthBytes);
  expect(Buffer.compare(copied, rig.source.bytes.subarray(3 * 512, 3 * 512 + lengthBytes))).toBe(0);
  expect(rig.target.bytes[70 * 512 + lengthBytes]).toBe(0);
});

test('memory is bounded, and the background leaves most of it alone', () => {
  const rig = new Rig();
  rig.hold();
  for (let count = 0; count < 20; count += 1) {
    rig.copy({ sectorCount: MIB_SECTORS, inBackground: true }, 'slow');
  }
  expect(rig.takenBytes).toBe(1024 * 1024);
  for (let count = 0; count < 20; count += 1) rig.copy({ sectorCount: MIB_SECTORS }, 'fast');
  expect(rig.takenBytes).toBe(4 * 1024 * 1024);
  rig.letGo();
  expect(rig.outcomes).toHaveLength(40);
  rig.copier.close();
  expect(rig.freedBytes).toBe(rig.takenBytes);
});

test('what waits goes in the order it came, the background last', () => {
  const rig = new Rig();
  rig.hold();
  for (let at = 0; at < 30; at += 1) {
    rig.copy({ sourceSector: at, sectorCount: MIB_SECTORS / 2, inBackground: at < 8 });
  }
  rig.letGo();
  const starts = rig.source.recorded.map(({ sector }) => sector).filter((sector) => sector < 30);
  const inForeground = Array.from({ length: 22 }, (_, index) => index + 8);
  // Four pieces are as much as the background may have, before anything waits.
  expect(starts).toEqual([0, 1, 2, 3, ...inForeground, 4, 5, 6, 7]);
});

test('says which side failed, and gives the memory back', () => {
  const rig = new Rig();
  rig.source.failure = (bio) => (bio.sector === 512 ? Errno.EIO : 0);
  rig.target.failure = (bio) => (bio.op === Op.write && bio.sector === 8 ? Errno.ENOSPC : 0);
  rig.copy({ sectorCount: MIB_SECTORS }, 'first');
  rig.copy({ targetSector: 8 }, 'second');
  expect(rig.outcomes).toEqual(['first read failed', 'second write failed']);
  rig.copier.close();
});

test('what is asked for together shares one read, and each hears of its own write', () => {
  const rig = new Rig();
  rig.source.bytes.fill(9);
  rig.target.failure = (bio) => (bio.sector === 4096 ? Errno.EIO : 0);
  rig.copier.gather();
  // Longer than one piece.
  const sectorCount = MIB_SECTORS;
  rig.copy({ sectorCount }, 'first');
  rig.copy({ sectorCount, targetSector: 4096 }, 'second');
  rig.copy({ sectorCount, targetSector: 8192 }, 'third');
  rig.copy({ sectorCount: 8, targetSector: 12288 }, 'short');
  expect(rig.outcomes).toEqual([]);
  rig.copier.startGathered();
  expect(rig.outcomes).toEqual(['second write failed', 'first done', 'third done', 'short done']);
  const reads = rig.source.recorded.filter(({ op }) => op === 'read');
  expect(reads.map(({ sectorCount: count }) => count)).toEqual([512, 512, 512, 512, 8]);
  for (const sector of [0, 8192]) {
    const copied = rig.target.bytes.subarray(sector * 512, (sector + sectorCount) * 512);
    expect(copied.every((byte) => byte === 9)).toBe(true);
  }
  rig.copier.close();
  expect(rig.freedBytes).toBe(rig.takenBytes);
});
