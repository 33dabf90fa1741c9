/** The laws hold for a right device and catch each of these wrong ones. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { type Bio, BioFlag, cloneBio, Op } from '../core/bio.ts';
import { ExtentFlag } from '../core/extents.ts';
import type { LeafDevice } from '../devices/device-kind.ts';
import { MemoryDevice } from '../devices/memory.ts';
import { patience } from './device-io.ts';
import { checkLaw, type DeviceFactory, describeDevice, deviceLaws } from './device-laws.ts';

type Plant = (bio: Bio, rightDevice: LeafDevice) => void;

function createMemory(sizeSectors: number): MemoryDevice {
  return new MemoryDevice({ sizeSectors, number: { major: 251, minor: 0 }, operand: 'mem:4M' });
}

function mutantFactory(plant: Plant, changes: Partial<LeafDevice> = {}): DeviceFactory {
  return {
    create(sizeSectors) {
      const memory = createMemory(sizeSectors);
      const device: LeafDevice = {
        number: memory.number,
        operand: memory.operand,
        sizeSectors,
        limits: memory.limits,
        readOnly: false,
        close: () => memory.close(),
        ...changes,
        submit: (bio) => plant(bio, memory),
      };
      return { device };
    },
  };
}

/** A copy goes down and ends `bio`, so that the planted bug can work on it. */
function pass(bio: Bio, device: LeafDevice, change: (clone: Bio) => void, error?: number): void {
  const clone = cloneBio(bio, 0, bio.sectorCount);
  clone.extents = bio.extents;
  clone.flags = bio.flags;
  change(clone);
  clone.onEnd = (ended) => bio.end(error ?? ended.error);
  device.submit(clone);
}

const right: Plant = (bio, device) => device.submit(bio);
const when =
  (op: Op, wrong: Plant): Plant =>
  (bio, device) =>
    bio.op === op ? wrong(bio, device) : device.submit(bio);
const hasFlag = (bio: Bio, flag: number) => (bio.flags & flag) !== 0;

const mutants: Record<string, { plant: Plant; changes?: Partial<LeafDevice> }> = {
  'a write goes one sector too far': {
    plant: when(Op.write, (bio, device) =>
      pass(bio, device, (clone) => {
        if (clone.sector + clone.sectorCount < device.sizeSectors) clone.sector += 1;
      }),
    ),
  },
  'dataOffset is forgotten': {
    plant: (bio, device) =>
      pass(bio, device, (clone) => {
        clone.dataOffset = 0;
      }),
  },
  'the place of the data in its memory is forgotten': {
    plant: (bio, device) =>
      pass(bio, device, (clone) => {
        if (bio.lengthBytes > 0) clone.data = new Uint8Array(bio.data.buffer);
      }),
  },
  'a read fills one byte too many': {
    plant: when(Op.read, (bio, device) =>
      pass(bio, device, () => {
        const behind = bio.dataOffset + bio.lengthBytes;
        if (behind < bio.data.byteLength) bio.data[behind]! += 1;
      }),
    ),
  },
  'a FUA write is dropped': {
    plant: when(Op.write, (bio, device) => {
      if (hasFlag(bio, BioFlag.fua)) bio.end(0);
      else device.submit(bio);
    }),
  },
  'a long request is cut short': {
    plant: (bio, device) =>
      pass(bio, device, (clone) => {
        clone.sectorCount = Math.min(clone.sectorCount, 2048);
      }),
  },
  'zeroes are not written': { plant: when(Op.writeZeroes, (bio) => bio.end(0)) },
  'zeroes reach a sector too far': {
    plant: when(Op.writeZeroes, (bio, device) =>
      pass(bio, device, (clone) => {
        if (clone.sector + clone.sectorCount < device.sizeSectors) clone.sectorCount += 1;
      }),
    ),
  },
  'fast zeroes fail with the wrong errno': {
    plant: when(Op.writeZeroes, (bio, device) => {
      if (hasFlag(bio, BioFlag.fastZero)) bio.end(Errno.EINVAL);
      else device.submit(bio);
    }),
  },
  'a discard reaches a sector too far': {
    plant: when(Op.discard, (bio, device) =>
      pass(bio, device, (clone) => {
        if (clone.sector > 0) clone.sector -= 1;
        clone.sectorCount += 1;
      }),
    ),
  },
  'discard is promised and refused': { plant: when(Op.discard, (bio) => bio.end(Errno.ENOTSUP)) },
  'everything is called a hole': {
    plant: when(Op.blockStatus, (bio, device) => {
      bio.extents?.add(0, bio.sectorCount, ExtentFlag.hole | ExtentFlag.zero);
      device.submit(bio);
    }),
  },
  'an extent is longer than the question': {
    plant: when(Op.blockStatus, (bio, device) => {
      bio.extents?.add(0, bio.sectorCount + 8, 0);
      device.submit(bio);
    }),
  },
  'a prefetch is taken for a read': {
    plant: when(Op.read, (bio, device) => {
      if (hasFlag(bio, BioFlag.prefetch)) bio.end(Errno.EIO);
      else device.submit(bio);
    }),
  },
  'bios without sectors are forgotten': {
    plant: (bio, device) => {
      if (bio.sectorCount > 0 || bio.op === Op.flush) device.submit(bio);
    },
  },
  'what is behind the end answers success': {
    plant: (bio, device) => {
      const isInside = bio.sector + bio.sectorCount <= device.sizeSectors;
      if (isInside || bio.op === Op.flush) device.submit(bio);
      else bio.end(0);
    },
  },
  'every second flush never ends': {
    plant: (() => {
      let count = 0;
      return when(Op.flush, (bio, device) => {
        count += 1;
        if (count % 2 === 1) device.submit(bio);
      });
    })(),
  },
  'a write ends twice': {
    plant: when(Op.write, (bio, device) => {
      pass(bio, device, () => {});
      bio.end(0);
    }),
  },
  'an error breaks the device for good': {
    plant: (() => {
      const broken = new WeakSet<LeafDevice>();
      const plant: Plant = (bio, device) => {
        if (bio.sector >= device.sizeSectors) broken.add(device);
        if (broken.has(device)) bio.end(Errno.EIO);
        else device.submit(bio);
      };
      return plant;
    })(),
  },
  'closing does not wait': {
    plant: (bio, device) => {
      setImmediate(() => device.submit(bio));
    },
  },
  'a closed device goes on': { plant: right, changes: { close: () => Promise.resolve() } },
  'the operand is two words': { plant: right, changes: { operand: '/a b' } },
};

describeDevice('memory', { create: (sizeSectors) => ({ device: createMemory(sizeSectors) }) });

describe('the laws of devices catch it when', () => {
  const { timeoutMs } = patience;
  beforeAll(() => {
    patience.timeoutMs = 300;
  });
  afterAll(() => {
    patience.timeoutMs = timeoutMs;
  });

  for (const [name, { plant, changes }] of Object.entries(mutants)) {
    test(name, async () => {
      const factory = mutantFactory(plant, changes);
      const broken: string[] = [];
      for (const law of deviceLaws) {
        await checkLaw(law, factory, 1).catch((error: unknown) => broken.push(String(error)));
        if (broken.length > 0) break;
      }
      expect(broken).not.toEqual([]);
    });
  }
});
