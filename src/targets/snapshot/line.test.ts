/** Lines that load, what is printed of them, and lines that are refused, as a 6.12 kernel does it. */

import { describe, expect, test } from 'vitest';
import { splitArguments } from '../../core/arguments.ts';
import { World } from '../../testing/world.ts';

function createWorld(): World {
  return new World({
    disks: {
      O: { sizeSectors: 32768 },
      C: { sizeSectors: 8192 },
      K: { sizeSectors: 8192, limits: { logicalBlockBytes: 4096 } },
    },
  });
}

describe('lines that load', () => {
  test.each([
    ['0 32768 snapshot-origin O', '', ''],
    ['0 32768 snapshot O C P 8', '', '16/8192 16'],
    ['0 32768 snapshot O C p 8', 'O C P 8', '16/8192 16'],
    ['0 32768 snapshot O C Po 8', 'O C PO 8', '16/8192 16'],
    ['0 32768 snapshot O C POO 8', 'O C PO 8', '16/8192 16'],
    ['0 32768 snapshot O C n 8', 'O C N 8', '0/8192 0'],
    ['0 32768 snapshot O C NO 8', 'O C N 8', '0/8192 0'],
    ['0 32768 snapshot O C P 0', 'O C P 32', '64/8192 64'],
    ['0 32768 snapshot O C P +8', 'O C P 8', '16/8192 16'],
    ['0 32768 snapshot O C P 1', '', '2/8192 2'],
    ['0 32768 snapshot O C N 1', '', '0/8192 0'],
    ['0 32768 snapshot O C P 4096', '', '8192/8192 8192'],
    ['0 32768 snapshot O K P 8', '', '16/8192 16'],
    ['0 32768 snapshot O C P 8 0', 'O C P 8', '16/8192 16'],
    ['0 32768 snapshot O C P 8 0 extra', 'O C P 8', '16/8192 16'],
    ['0 32768 snapshot O C P 8 1 discard_zeroes_cow', '', '16/8192 16'],
    ['0 32768 snapshot O C PO 16 2 discard_zeroes_cow discard_passdown_origin', '', '32/8192 32'],
    [
      '0 32768 snapshot O C P 8 2 discard_passdown_origin DISCARD_zeroes_cow',
      'O C P 8 2 discard_zeroes_cow discard_passdown_origin',
      '16/8192 16',
    ],
    ['0 32768 snapshot-merge O C P 8', '', '16/8192 16'],
  ])('%s', async (line, prints, status) => {
    const world = createWorld();
    const device = world.mapper.create({ name: 't' });
    const table = await world.load(device, line);
    const { target, params } = table.rows[0]!;
    expect(target.table()).toBe(prints || splitArguments(params).join(' '));
    expect(target.status?.() ?? '').toBe(status);
    const lines = table.tableLines();
    // Two that wait for one COW device are refused, as in the kernel.
    await device.clear();
    const again = await world.load(device, lines.join('\n'));
    expect(again.tableLines()).toEqual(lines);
    await device.resume();
    await world.mapper.remove(device);
    expect(world.disks.openCount).toBe(0);
  });
});

describe('lines that are refused', () => {
  const STORE = /Couldn't create exception store/;
  test.each([
    ['snapshot-origin', /origin: incorrect number of arguments/],
    ['snapshot-origin O x', /origin: incorrect number of arguments/],
    ['snapshot-origin nope', /Cannot get target device/, 'ENOENT'],
    ['snapshot', /requires 4 or more arguments/],
    ['snapshot O C P', /requires 4 or more arguments/],
    ['snapshot-merge O C P', /snapshot-merge: requires 4 or more arguments/],
    ['snapshot O C Q 8', STORE],
    [
      'snapshot O C PX 8',
      /Couldn't create exception store: Unsupported persistent store option: X/,
    ],
    ['snapshot O C P 7', /exception store: Chunk size is not a power of 2, got "7"/],
    ['snapshot O C P x', STORE],
    ['snapshot O C P -8', STORE],
    ['snapshot O C P 4194304', /Chunk size is too high/],
    ['snapshot O C P 4294967296', STORE],
    ['snapshot O K P 4', /not a multiple of device blocksize of K/],
    ['snapshot O C N 0', /Chunk size not set/],
    ['snapshot O C P 8192', /Failed to read snapshot metadata/, 'EIO'],
    ['snapshot O O P 8', /COW device cannot be the same as origin device/],
    ['snapshot nope C P 8', /Cannot get origin device/, 'ENOENT'],
    ['snapshot O nope P 8', /Cannot get COW device/, 'ENOENT'],
    ['snapshot O C P 8 extra', /Invalid number of feature arguments/],
    ['snapshot O C P 8 1 foo', /Unrecognised feature requested/],
    ['snapshot O C P 8 2 discard_zeroes_cow', /Invalid number of feature arguments/],
    ['snapshot O C P 8 3 a b c', /Invalid number of feature arguments/],
    ['snapshot O C P 8 1 discard_passdown_origin', /depends on discard_zeroes_cow/],
    ['snapshot-merge O C N 8', /Snapshot exception store does not support snapshot-merge/],
  ])('%s', async (line, error, code = 'EINVAL') => {
    const world = createWorld();
    const device = world.mapper.create({ name: 't' });
    await expect(world.load(device, `0 32768 ${line}`)).rejects.toMatchObject({
      name: 'DmError',
      code,
      message: expect.stringMatching(error) as string,
    });
    expect(world.disks.openCount).toBe(0);
    // Nothing is left that another would have to take over from.
    await world.start('next', '0 32768 snapshot O C P 8');
  });

  test('more of the origin than there is', async () => {
    const world = createWorld();
    const device = world.mapper.create({ name: 't' });
    for (const line of ['snapshot-origin O', 'snapshot O C P 8']) {
      await expect(world.load(device, `0 32769 ${line}`)).rejects.toThrow(
        /O too small for target: start=0, len=32769, dev_size=32768/,
      );
    }
    expect(world.disks.openCount).toBe(0);
    await world.start('next', '0 32768 snapshot O C P 8');
  });
});

test('the origin is opened for writing only where it is written', async () => {
  const modeOfOrigin = async (...rows: string[]) => {
    const world = createWorld();
    const modes: string[] = [];
    const open = world.disks.open.bind(world.disks);
    world.disks.open = (operand, mode?: { readOnly: boolean }) => {
      modes.push(`${operand} ${mode?.readOnly ? 'read' : 'write'}`);
      return open(operand);
    };
    const device = world.mapper.create({ name: 't' });
    await world.load(device, rows.join('\n'));
    await world.mapper.remove(device);
    expect(world.disks.openCount).toBe(0);
    return modes;
  };
  const discards = '2 discard_zeroes_cow discard_passdown_origin';
  expect(await modeOfOrigin('0 64 snapshot O C P 8')).toEqual(['O read', 'C write']);
  expect(await modeOfOrigin(`0 64 snapshot O C P 8 ${discards}`)).toEqual(['O write', 'C write']);
  expect(await modeOfOrigin('0 64 snapshot-merge O C P 8')).toEqual(['O write', 'C write']);
  const both = ['0 64 snapshot O C P 8', '64 64 linear O 64', '128 64 linear O 64'];
  expect(await modeOfOrigin(...both)).toEqual(['O read', 'C write', 'O write']);
});
