/** Laws about the life of bios and of the device: ends, bounds, errors, flush, closing. */

import { Errno } from '../base/errors.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../base/units.ts';
import { splitArguments } from '../core/arguments.ts';
import { Op } from '../core/bio.ts';
import type { BlockDevice } from '../core/device.ts';
import { inTime, runBio, startBio } from './device-io.ts';
import type { DeviceLaw } from './device-laws.ts';
import { check, checkErrno, randomRange } from './device-laws-content.ts';

const rangeOps = [Op.read, Op.write, Op.discard, Op.writeZeroes, Op.blockStatus] as const;

function blockSectors(device: BlockDevice): number {
  return device.limits.logicalBlockBytes / SECTOR_BYTES;
}

function filled(sectorCount: number, value: number): Uint8Array {
  return new Uint8Array(sectorsToBytes(sectorCount)).fill(value);
}

async function checkWorks(device: BlockDevice): Promise<void> {
  const sectorCount = blockSectors(device);
  const fields = { sector: 0, sectorCount };
  checkErrno(
    await runBio(device, { op: Op.write, ...fields, data: filled(sectorCount, 9) }),
    0,
    'a later write',
  );
  const data = filled(sectorCount, 0);
  checkErrno(await runBio(device, { op: Op.read, ...fields, data }), 0, 'a later read');
  check(
    data.every((byte) => byte === 9),
    'a later read gets what the later write wrote',
  );
}

const identity: DeviceLaw = {
  name: 'has a size, a number, an operand of one word, and limits that make sense',
  check({ device }) {
    const { limits, number, sizeSectors, operand } = device;
    check(Number.isSafeInteger(sizeSectors) && sizeSectors > 0, `size ${sizeSectors}`);
    check(number.major > 0 && number.minor >= 0, `number ${number.major}:${number.minor}`);
    check(splitArguments(operand).length === 1, `operand "${operand}" is not one word`);
    check(Number.isInteger(Math.log2(limits.logicalBlockBytes)), 'a block is a power of two');
    check(limits.logicalBlockBytes >= SECTOR_BYTES, 'a block has at least one sector');
    check(limits.physicalBlockBytes >= limits.logicalBlockBytes, 'physical blocks are larger');
    check(sizeSectors % blockSectors(device) === 0, 'the size is whole blocks');
    return Promise.resolve();
  },
};

const zeroLength: DeviceLaw = {
  name: 'ends bios without sectors',
  async check({ device }) {
    for (const op of rangeOps) {
      const { ended } = startBio(device, { op, sector: 0, sectorCount: 0 });
      const errno = await inTime(ended, `bio ${op} of no length never ended`);
      const mayRefuse = op === Op.discard && device.limits.discardGranularityBytes === 0;
      if (!mayRefuse) checkErrno(errno, 0, `operation ${op} of no length`);
    }
  },
};

const bounds: DeviceLaw = {
  name: 'serves the first and last block and nothing behind',
  async check({ device }) {
    const sectorCount = blockSectors(device);
    const last = device.sizeSectors - sectorCount;
    for (const sector of [0, last]) {
      const data = filled(sectorCount, sector === 0 ? 1 : 2);
      checkErrno(await runBio(device, { op: Op.write, sector, sectorCount, data }), 0, 'an edge');
    }
    for (const op of rangeOps) {
      for (const sector of [last + sectorCount, last + 100 * sectorCount]) {
        const data = filled(sectorCount, 3);
        const errno = await runBio(device, { op, sector, sectorCount, data });
        check(errno !== 0, `operation ${op} at ${sector} behind the end answered success`);
      }
      const across = { sector: last, sectorCount: 2 * sectorCount };
      const errno = await runBio(device, { op, ...across, data: filled(2 * sectorCount, 3) });
      check(errno !== 0, `operation ${op} across the end answered success`);
    }
    const data = filled(sectorCount, 0);
    checkErrno(await runBio(device, { op: Op.read, sector: last, sectorCount, data }), 0, 'read');
    check(
      data.every((byte) => byte === 2),
      'the last block is what was written before',
    );
  },
};

const flushes: DeviceLaw = {
  name: 'ends every flush, alone, many at once, and among writes',
  async check({ device, prng }) {
    checkErrno(await runBio(device, { op: Op.flush }), 0, 'flush');
    const started = Array.from({ length: 30 }, (_, index) => {
      if (index % 3 === 0) return startBio(device, { op: Op.flush });
      const range = randomRange(device, prng, 16);
      return startBio(device, { op: Op.write, ...range, data: filled(range.sectorCount, index) });
    });
    const errors = await inTime(
      Promise.all(started.map(({ ended }) => ended)),
      'flushes among writes never ended',
    );
    check(
      errors.every((errno) => errno === 0),
      `flushes or writes failed: ${errors.join(' ')}`,
    );
    check(
      started.every(({ bio }) => bio.endCount === 1),
      'a flush or write ended twice',
    );
  },
};

const afterError: DeviceLaw = {
  name: 'goes on after an error',
  async check({ device, failNext }) {
    const sectorCount = blockSectors(device);
    const outside = { sector: device.sizeSectors, sectorCount };
    const errno = await runBio(device, { op: Op.read, ...outside, data: filled(sectorCount, 0) });
    check(errno !== 0, 'a read behind the end answered success');
    await checkWorks(device);
    if (!failNext) return;
    for (const op of [Op.read, Op.write]) {
      failNext(Errno.ENOSPC);
      const range = { sector: 0, sectorCount };
      const failed = await runBio(device, { op, ...range, data: filled(sectorCount, 5) });
      checkErrno(failed, Errno.ENOSPC, `operation ${op} that fails`);
      await checkWorks(device);
    }
  },
};

const closing: DeviceLaw = {
  name: 'closes when everything under way has ended, and refuses what comes later',
  async check({ device, prng }) {
    const started = Array.from({ length: 20 }, (_, index) => {
      const range = randomRange(device, prng, 64);
      const op = ([Op.write, Op.read, Op.writeZeroes, Op.flush, Op.blockStatus] as const)[
        index % 5
      ]!;
      const fields = op === Op.flush ? {} : range;
      return startBio(device, { op, ...fields, data: filled(range.sectorCount, index) });
    });
    await inTime(device.close(), 'close never ended');
    check(
      started.every(({ bio }) => bio.endCount === 1 && bio.error === 0),
      `close did not wait: ends ${started.map(({ bio }) => bio.endCount).join(' ')}`,
    );
    for (const op of [...rangeOps, Op.flush]) {
      const sectorCount = op === Op.flush ? 0 : blockSectors(device);
      const { ended } = startBio(device, { op, sectorCount, data: filled(sectorCount, 0) });
      const errno = await inTime(ended, `bio ${op} on a closed device never ended`);
      check(errno !== 0, `operation ${op} on a closed device answered success`);
    }
    await inTime(device.close(), 'a second close never ended');
  },
};

export const lifeLaws: readonly DeviceLaw[] = [
  identity,
  zeroLength,
  bounds,
  flushes,
  afterError,
  closing,
];
