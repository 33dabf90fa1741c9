/** What happens with snapshots, in the order in which lvm does it. */

import { sectorsToBytes } from '../../base/units.ts';
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

/** Of the moment: the origin rests while the snapshot begins. */
export function snapshot(name: string, own: string, cowName: string, line: SnapshotLine): Action {
  const { store, chunkSectors, features } = line;
  const what = `snapshot ${own} on ${cowName} ${store} ${chunkSectors}${features}`;
  return onVolume(name, what, (origin, world) => {
    const cow = world.disk(cowName);
    if (!cow || world.volume(own) || !canSnapshot(origin, world, cowName)) return;
    const real = `${origin.operand}-real`;
    const { slots, troubles } = origin;
    const startTick = world.ledger.step();
    const record = new SnapshotRecord({ cow, real, line, origin: slots, troubles, startTick });
    const draft = new TableDraft([snapshotRow('snapshot', record)]);
    const volume = world.addVolume(own);
    volume.next = draft;
    origin.next = origin.live;
    const begin = async () => {
      try {
        await origin.device.suspend();
        cow.medium.poke(0, new Uint8Array(sectorsToBytes(CLEARED_SECTORS)));
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
      await origin.device.resume();
    };
    origin.administer(what, begin, [record]);
    // Nobody else has to do with it until it is made.
    waitFor(volume, origin.idle);
  });
}

/** What is asked of the volume from now on comes after `other`. */
function waitFor(volume: Volume, other: Promise<void>): void {
  volume.administer('wait', () => other);
}

function canSnapshot(origin: Volume, world: World, cowName: string): boolean {
  if (!origin.isSettled || origin.live!.rows[0]!.type !== 'snapshot-origin') return false;
  return !world.isUsed(cowName);
}

/** As `lvconvert --merge`: the origin's device takes the snapshot's exceptions over, and the snapshot goes. */
export function merge(name: string): Action {
  return onVolume(name, 'merge', (own, world) => {
    const record = own.live?.rows[0]?.record;
    const origin = world.volumes.find(({ operand }) => `${operand}-real` === record?.real);
    if (!record || !origin || !canMerge(own, origin, world)) return;
    const draft = new TableDraft([snapshotRow('snapshot-merge', record)]);
    origin.next = draft;
    own.next = own.live;
    const ownBefore = own.idle;
    const begin = async () => {
      try {
        await ownBefore;
        if (own.isRemoved || own.device.openCount > 0 || !record.isSafe) return;
        await own.device.clear();
        await origin.device.clear();
        await world.load(origin, draft);
        await origin.device.suspend();
        await own.device.suspend();
        await origin.device.resume();
        own.adopt(new TableDraft(own.live!.rows.map(givenAwayRow)));
        await world.remove(own);
      } finally {
        origin.next = null;
        own.next = null;
      }
    };
    origin.administer(`merge ${name}`, begin, [record]);
    waitFor(own, origin.idle);
  });
}

function canMerge(own: Volume, origin: Volume, world: World): boolean {
  const record = own.live!.rows[0]!.record!;
  if (record.line.store === 'N' || !record.isSafe) return false;
  if (!own.isSettled || !origin.isSettled || own.requests.size > 0) return false;
  const isUsed = world.usersOf(own).length > 0 || world.usersOf(origin).length > 0;
  return !isUsed && origin.live!.rows[0]!.type === 'snapshot-origin';
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
