/** The devices that LVM2 makes for a snapshot (real, disk, cow, and the snapshot as `before`), over simulated disks, in the order that it makes, reloads and merges them. */

import { Op } from '../core/bio.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import { uniformLatency } from '../devices/simulated-faults.ts';
import { numberedSectors, numbersOf, SnapshotRig } from './snapshot-rig.ts';
import { readSectors, submitBio } from './submit.ts';

/** Of the origin. */
export const VOLUME_SECTORS = 512;
export const SNAPSHOT_TABLE = `0 ${VOLUME_SECTORS} snapshot mapper/real mapper/cow P 8`;
export const MERGE_TABLE = `0 ${VOLUME_SECTORS} snapshot-merge mapper/real mapper/cow P 8`;
export const ORIGIN_TABLE = `0 ${VOLUME_SECTORS} snapshot-origin mapper/real`;

export const count = (first: number, length: number) =>
  Array.from({ length }, (_, index) => first + index);
/** What the sectors of the origin have at first. */
export const ORIGINAL = count(1000, VOLUME_SECTORS);

export class Volumes {
  readonly rig = new SnapshotRig({
    sizes: { O: VOLUME_SECTORS, C: 2048, D: 2048, E: 2048 },
    latency: uniformLatency(0.1, 3),
  });

  /** As `lvcreate -s` does it. */
  async create(): Promise<this> {
    const { rig } = this;
    rig.fill('O', 1000);
    await rig.start('disk', `0 ${VOLUME_SECTORS} linear O 0`);
    await rig.load('real', `0 ${VOLUME_SECTORS} linear O 0`);
    await rig.load('disk', ORIGIN_TABLE);
    await rig.start('cow', '0 1024 linear C 0');
    await rig.load('before', SNAPSHOT_TABLE);
    await this.suspend('disk');
    await this.resume('real', 'before', 'disk');
    return this;
  }

  device(name: string): MappedDevice {
    return this.rig.mapper.get(name);
  }

  async suspend(...names: string[]): Promise<void> {
    for (const name of names) await this.rig.run(this.device(name).suspend());
  }

  async resume(...names: string[]): Promise<void> {
    for (const name of names) await this.rig.run(this.device(name).resume());
  }

  write(name: string, sector: number, first: number, sectorCount: number): Promise<number> {
    const data = numberedSectors(first, sectorCount);
    return submitBio(this.device(name), { op: Op.write, sector, sectorCount, data });
  }

  async numbers(name: string): Promise<number[]> {
    return numbersOf(await this.rig.run(readSectors(this.device(name), 0, VOLUME_SECTORS)));
  }

  /** As `lvconvert --merge` does it. */
  async merge(): Promise<void> {
    await this.rig.load('disk', MERGE_TABLE);
    await this.rig.load('before', `0 ${VOLUME_SECTORS} error`);
    await this.suspend('disk', 'before', 'real', 'cow');
    await this.resume('real', 'cow', 'disk', 'before');
  }

  async merged(): Promise<void> {
    for (let round = 0; !/^(\d+)\/\d+ \1$/.test(this.rig.status('disk')); round += 1) {
      if (round > 10_000) throw new Error(`Not merged: ${this.rig.status('disk')}`);
      await this.rig.clock.advance(5);
    }
  }
}
