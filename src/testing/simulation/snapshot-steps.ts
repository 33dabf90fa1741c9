/** What happens with snapshots, in the order in which lvm does it. */

import { errnoName } from '../../base/errors.ts';
import { sectorsToBytes } from '../../base/units.ts';
import { Bio, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import { ANYTHING } from './cell.ts';
import type { Part } from './description.ts';
import {
  givenAwayRow,
  originRow,
  type SnapshotLine,
  SnapshotRecord,
  snapshotRow,
} from './snapshots.ts';
import { type Action, canStand, onVolume } from './steps.ts';
import { TableDraft } from './table-draft.ts';
import type { Volume } from './volume.ts';
import type { World } from './world.ts';

/** What lvm clears of a new COW device. */
const CLEARED_SECTORS = 8;

/** `name` as a snapshot-origin over `name-real`. */
export function createOrigin(name: string, draft: TableDraft): Action {
  return {
    text: `${name}-real: create with ${draft}; ${name}: create with snapshot-origin`,
    apply(world) {
      if (world.volume(name) || !canStand(world, draft)) return;
      const real = world.addVolume(`${name}-real`);
      real.isPrivate = true;
      const origin = world.addVolume(name);
      const originDraft = new TableDraft([originRow(real.operand, draft.sizeSectors)]);
      real.next = draft;
      real.administer('create', () => start(world, real, draft));
      origin.next = originDraft;
      origin.administer('create', async () => {
        await real.idle;
        if (real.live) await start(world, origin, originDraft);
      });
    },
  };
}

async function start(world: World, volume: Volume, draft: TableDraft): Promise<void> {
  try {
    await world.load(volume, draft);
    await volume.device.resume();
  } finally {
    volume.next = null;
  }
}

/** `cow`: a disk, or what a volume `OWN-cow` is made of. `suspend`: of the origin meanwhile. */
export interface SnapshotPlan {
  readonly own: string;
  readonly cow: string | TableDraft;
  readonly line: SnapshotLine;
  readonly suspend: 'flush' | 'no flush' | 'none';
}

/** Of the moment: the origin rests while the snapshot begins, or what is under way may be in it or not. */
export function snapshot(name: string, plan: SnapshotPlan): Action {
  const { own, cow, line, suspend } = plan;
  const where = typeof cow === 'string' ? cow : `${own}-cow (${cow})`;
  const how = `${line.store} ${line.chunkSectors}${line.features}`;
  const what = `snapshot ${own} on ${where} ${how}, suspend: ${suspend}`;
  return onVolume(name, what, (origin, world) => {
    if (world.volume(own) || !isOrigin(origin)) return;
    const below = startCow(own, cow, world);
    if (below === null) return;
    const record = recordOf(origin, below, line, world);
    const draft = new TableDraft([snapshotRow('snapshot', record)]);
    const volume = world.addVolume(own);
    volume.next = draft;
    origin.next = origin.live;
    const begin = async () => {
      try {
        await world.volume(below.ground.slice(MAPPER.length))?.idle;
        if (suspend !== 'none') await origin.device.suspend({ noflush: suspend !== 'flush' });
        await clear(below.ground, world);
        await world.load(volume, draft);
        record.take(origin.slots, world.ledger.step());
        await volume.device.resume();
      } catch (error) {
        await world.remove(volume);
        throw error;
      } finally {
        origin.next = null;
        volume.next = null;
      }
      if (suspend !== 'none') await origin.device.resume();
    };
    origin.administer(what, begin, [record]);
    // Nobody else has to do with it until it is made.
    waitFor(volume, origin.idle);
  });
}

const MAPPER = 'mapper/';

/** All of what the COW device will be; null: somebody has it. */
function startCow(own: string, cow: string | TableDraft, world: World): Part | null {
  const lengthSectors = typeof cow === 'string' ? world.slotsOf(cow).length : cow.sizeSectors;
  const grounds = typeof cow === 'string' ? [cow] : cow.parts.map(({ ground }) => ground);
  const whole = { startSectors: 0, lengthSectors };
  if (typeof cow === 'string') return world.isUsed(cow) ? null : { ground: cow, ...whole };
  if (world.volume(`${own}-cow`) || !canStand(world, cow) || grounds.length === 0) return null;
  const volume = world.addVolume(`${own}-cow`);
  volume.isPrivate = true;
  volume.next = cow;
  volume.administer('create', () => start(world, volume, cow));
  return { ground: volume.operand, ...whole };
}

function recordOf(origin: Volume, cow: Part, line: SnapshotLine, world: World): SnapshotRecord {
  const { slots, troubles } = origin;
  const disk = world.disk(cow.ground);
  const ownTroubles = disk
    ? [disk.trouble]
    : world.volume(cow.ground.slice(MAPPER.length))!.nextTroubles;
  return new SnapshotRecord({
    cow,
    real: `${origin.operand}-real`,
    line,
    origin: slots,
    troubles: [...troubles, ...ownTroubles],
    discarded: disk?.discardedStamp ?? ANYTHING,
    startTick: world.ledger.step(),
    statusOf: (record) => world.statusOf(record),
  });
}

/** So that nothing is taken for a store that is there already. */
async function clear(ground: string, world: World): Promise<void> {
  const disk = world.disk(ground);
  const zeroes = new Uint8Array(sectorsToBytes(CLEARED_SECTORS));
  if (disk) disk.medium.poke(0, zeroes);
  else await writeZeroes(world.volume(ground.slice(MAPPER.length))!.device, CLEARED_SECTORS);
}

function writeZeroes(device: BlockDevice, sectorCount: number): Promise<void> {
  const bio = new Bio();
  bio.op = Op.writeZeroes;
  bio.device = device;
  bio.sectorCount = Math.min(sectorCount, device.sizeSectors);
  return new Promise((resolve, reject) => {
    bio.onEnd = ({ error }) => (error === 0 ? resolve() : reject(new Error(errnoName(error))));
    device.submit(bio);
  });
}

/** What is asked of the volume from now on comes after `other`. */
function waitFor(volume: Volume, other: Promise<void>): void {
  volume.administer('wait', () => other);
}

function isOrigin({ isSettled, live }: Volume): boolean {
  return isSettled && live!.rows[0]!.type === 'snapshot-origin';
}

/** As `lvconvert --merge`: the origin's device takes the snapshot's exceptions over, and the snapshot goes. */
export function merge(name: string): Action {
  return onVolume(name, 'merge', (own, world) => {
    const record = own.live?.rows[0]?.record;
    const origin = world.volumes.find(({ operand }) => `${operand}-real` === record?.real);
    if (!record || !origin || !canMerge(own, origin, world)) return;
    origin.next = new TableDraft([snapshotRow('snapshot-merge', record)]);
    own.next = own.live;
    // Nobody opens it any more.
    own.isPrivate = true;
    const before = own.idle;
    const begin = async () => {
      try {
        await before;
        if (own.device.suspended) await own.device.resume();
        await own.unused();
        if (own.device.openCount === 0) await beginMerge(own, origin, world);
      } finally {
        origin.next = null;
        own.next = null;
        own.isPrivate = false;
      }
    };
    origin.administer(`merge ${name}`, begin, [record]);
    waitFor(own, origin.idle);
  });
}

async function beginMerge(own: Volume, origin: Volume, world: World): Promise<void> {
  const record = own.live!.rows[0]!.record!;
  try {
    await own.device.clear();
    await origin.device.clear();
    await world.load(origin, origin.next!);
    await origin.device.suspend();
    await own.device.suspend();
    // What is invalid is left alone, as lvm does.
    record.isMerging = world.statusOf(record) !== 'Invalid';
    if (!record.isMerging) await origin.device.clear();
    await origin.device.resume();
  } catch (error) {
    await origin.device.clear();
    await origin.device.resume();
    throw error;
  } finally {
    if (!record.isMerging && own.device.suspended) await own.device.resume();
  }
  if (!record.isMerging) return;
  own.adopt(new TableDraft(own.live!.rows.map(givenAwayRow)));
  await world.remove(own);
}

function canMerge(own: Volume, origin: Volume, world: World): boolean {
  const record = own.live!.rows[0]!.record!;
  if (record.line.store === 'N' || !own.isSettled || !isOrigin(origin)) return false;
  return world.usersOf(own).length === 0 && world.usersOf(origin).length === 0;
}

/** Once everything is merged, the origin is an origin again. */
export function endMerge(name: string): Action {
  return onVolume(name, 'end of the merge', (origin, world) => {
    const record = origin.live?.rows[0]?.record;
    const real = world.volume(`${name}-real`);
    if (!record || !real || !origin.isSettled || world.usersOf(origin).length > 0) return;
    const draft = new TableDraft([originRow(real.operand, record.slots.length)]);
    origin.next = draft;
    origin.administer('end of the merge', async () => {
      try {
        const [used, metadata] = origin.device.live!.rows[0]!.target.status!().split(/\/\d+ /);
        if (used !== metadata) return;
        await origin.device.clear();
        await world.load(origin, draft);
        await origin.device.suspend();
        record.giveBack(real.slots, world.ledger.step());
        await origin.device.resume();
      } finally {
        origin.next = null;
      }
    });
  });
}
