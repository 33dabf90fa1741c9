/**
 * What can happen in a history. A step names what it is about, and does nothing when that is not there (any more): so a history
 * stays one whichever steps are left out of it.
 */

import { sleep } from '../../base/clock.ts';
import { createPrng } from '../../base/prng.ts';
import { OP_NAMES } from '../../core/bio.ts';
import type { Fault } from '../../devices/simulated-faults.ts';
import type { Part, RowDraft } from './description.ts';
import { describeSpec, type RequestSpec } from './request.ts';
import type { TableDraft } from './table-draft.ts';
import type { Volume } from './volume.ts';
import type { World } from './world.ts';

export interface Step {
  readonly text: string;
  /** How long after the step before. */
  readonly waitMs: number;
  /** Starts what it is; a crash is over when it resolves. */
  apply(world: World): void | Promise<void>;
}

export type Action = Omit<Step, 'waitMs'>;

export function onVolume(
  name: string,
  what: string,
  act: (volume: Volume, world: World) => void,
): Action {
  return {
    text: `${name}: ${what}`,
    apply(world) {
      const volume = world.volume(name);
      if (volume && !volume.isRemoved) act(volume, world);
    },
  };
}

/** Whether all that the table stands on is there, stays what it is, and is used by nobody but perhaps `self`. */
export function canStand(world: World, draft: TableDraft, self?: Volume): boolean {
  const others = world.allVolumes.filter((volume) => volume !== self);
  const used = others.flatMap(({ drafts }) => drafts.flatMap(({ parts }) => parts));
  return draft.parts.every((part) => {
    const { ground, startSectors, lengthSectors } = part;
    const isGround = (volume: Volume) => volume.operand === ground && volume.isSettled;
    const found = world.disk(ground) ?? world.volumes.find(isGround);
    if (!found || startSectors + lengthSectors > found.slots.length) return false;
    return !used.some((other) => overlap(part, other));
  });
}

function overlap(a: Part, b: Part): boolean {
  return (
    a.ground === b.ground &&
    a.startSectors < b.startSectors + b.lengthSectors &&
    b.startSectors < a.startSectors + a.lengthSectors
  );
}

export function createVolume(name: string, draft: TableDraft): Action {
  return {
    text: `${name}: create with ${draft}`,
    apply(world) {
      if (world.volume(name) || !canStand(world, draft)) return;
      const volume = world.addVolume(name);
      volume.next = draft;
      volume.administer('create', async () => {
        try {
          await world.load(volume, draft);
          await volume.device.resume();
        } finally {
          volume.next = null;
        }
      });
    },
  };
}

export function request(name: string, spec: RequestSpec): Action {
  return onVolume(name, describeSpec(spec), (volume, world) => {
    if (volume.live) world.submit(volume, spec);
  });
}

export function suspend(name: string, noflush: boolean): Action {
  const what = `suspend${noflush ? ' without flush' : ''}`;
  return onVolume(name, what, (volume) => {
    volume.administer(what, async () => {
      if (volume.device.live) await volume.device.suspend({ noflush });
    });
  });
}

export function resume(name: string): Action {
  return onVolume(name, 'resume', (volume) => {
    volume.administer('resume', async () => {
      if (volume.device.live || volume.device.inactive) await volume.device.resume();
    });
  });
}

/** A table that shows the same goes into the other slot, where it stays until a resume; `seed`: of how its rows are cut. */
export function loadEqual(name: string, seed: number): Action {
  return onVolume(name, `load an equal table (${seed})`, (volume, world) => {
    volume.administer('load', async () => {
      const { live, isSettled } = volume;
      if (!isSettled || !live!.isReloadable) return;
      // Of those that wait for a snapshot's exceptions there is one.
      if (live!.rows.some(({ record }) => record)) await volume.device.clear();
      await world.load(volume, live!.equal(createPrng(seed)));
    });
  });
}

export function clear(name: string): Action {
  return onVolume(name, 'clear', (volume) => {
    volume.administer('clear', () => volume.device.clear());
  });
}

/** Another table, in the order of dmsetup: load, perhaps suspend, resume. */
export function change(
  name: string,
  draft: TableDraft,
  options: { suspends: boolean; noflush: boolean; restMs: number },
): Action {
  const { suspends, noflush, restMs } = options;
  const how = suspends ? `, suspend${noflush ? ' without flush' : ''}` : '';
  return onVolume(name, `load ${draft}${how}, resume`, (volume, world) => {
    if (!volume.isSettled || world.usersOf(volume).length > 0 || !canStand(world, draft, volume))
      return;
    volume.next = draft;
    volume.administer('change', async () => {
      try {
        await world.load(volume, draft);
        if (suspends) await volume.device.suspend({ noflush });
        await sleep(world.clock, restMs);
        await volume.device.resume();
      } finally {
        volume.next = null;
      }
    });
  });
}

/** While nothing is under way, so that it is clear which requests go where. */
export function message(
  name: string,
  index: number,
  argv: readonly string[],
  rows: { before: RowDraft; after: RowDraft },
): Action {
  return onVolume(name, `suspend, message ${argv.join(' ')}, resume`, (volume, world) => {
    if (world.usersOf(volume).length > 0) return;
    volume.next ??= volume.live;
    volume.administer('message', async () => {
      try {
        await volume.device.suspend();
        const { live, device } = volume;
        if (device.inactive || live?.rows[index] !== rows.before) return;
        await device.message(live.starts()[index]!.start, argv);
        volume.adopt(live.replaceRow(index, rows.after));
        await device.resume();
      } finally {
        volume.next = null;
      }
    });
  });
}

export function remove(name: string): Action {
  return onVolume(name, 'remove', (volume, world) => {
    // A snapshot that is being made, or merged, is its origin's affair.
    if (world.usersOf(volume).length > 0 || volume.next !== null) return;
    volume.administer('remove', async () => {
      if (volume.next === null) await world.remove(volume);
    });
  });
}

export function fault(disk: string, what: Fault, durationMs: number): Action {
  const { op, effect, startSectors = 0, lengthSectors, nth, probability } = what;
  const words = [
    effect.kind,
    op === undefined ? 'any' : OP_NAMES[op],
    lengthSectors === undefined ? '' : `${startSectors}+${lengthSectors}`,
    nth === undefined ? '' : `the ${nth}th`,
    probability === undefined ? '' : `p=${probability}`,
  ];
  return {
    text: `${disk}: ${words.filter((word) => word !== '').join(' ')} for ${durationMs} ms`,
    apply: (world) => world.disk(disk)?.addFault(what, durationMs),
  };
}

export function stall(disk: string, durationMs: number): Action {
  return {
    text: `${disk}: stall for ${durationMs} ms`,
    apply: (world) => world.disk(disk)?.stall(durationMs),
  };
}

export function slow(disk: string, durationMs: number): Action {
  return {
    text: `${disk}: slow for ${durationMs} ms`,
    apply: (world) => world.disk(disk)?.slow(durationMs),
  };
}

export const crash: Action = { text: 'crash', apply: (world) => world.crash() };

export const restart: Action = {
  text: 'remove everything and open it again',
  apply: (world) => world.restart(),
};

/** All that is under way ends first, then everything is read. */
export const verify: Action = {
  text: 'read everything',
  apply: async (world) => {
    for (const volume of world.volumes) {
      volume.administer('resume', async () => {
        if (volume.device.live) await volume.device.resume();
      });
    }
    await world.drain();
    await world.verify();
  },
};
