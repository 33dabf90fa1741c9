import { describe, expect, test } from 'vitest';
import type { Bio } from '../core/bio.ts';
import type { Limits } from '../core/limits.ts';
import type { TargetType } from '../core/target.ts';
import { linear } from '../targets/linear.ts';
import { DeviceMapper } from './device-mapper.ts';

/** Keeps every bio until the test ends it, unless `take` does something else with it. */
function holdingTarget(take?: (bio: Bio) => void) {
  const held: Bio[] = [];
  const type: TargetType = {
    name: 'hold',
    version: [1, 0, 0],
    usage: '',
    summary: 'keeps bios',
    features: ['maps-flush'],
    create: () => ({
      map(bio) {
        if (take) take(bio);
        else held.push(bio);
        return 'submitted';
      },
      table: () => '',
      devices: () => [],
    }),
  };
  return { type, held };
}

async function memoryVolume(table = '0 2048 linear mem:1M 0') {
  const mapper = new DeviceMapper();
  await mapper.create({ name: 'disk', table });
  const volume = mapper.open('disk');
  const dispose = async () => {
    await volume.close();
    await mapper.close();
  };
  return { mapper, volume, [Symbol.asyncDispose]: dispose };
}

describe('Volume', () => {
  test('reads what was written, across rows', async () => {
    await using made = await memoryVolume('0 8 linear mem:1M 100\n8 8 linear mem:1M 0\n16 8 zero');
    const { volume } = made;
    const data = new Uint8Array(24 * 512).map((_, index) => index * 7 + (index >> 9));
    await volume.write({ offsetBytes: 0, data, fua: true });
    await volume.flush();
    const read = await volume.read({ offsetBytes: 512, lengthBytes: 23 * 512 });
    expect(read.subarray(0, 15 * 512)).toEqual(data.subarray(512, 16 * 512));
    expect(read.subarray(15 * 512).every((byte) => byte === 0)).toBe(true);
    expect(volume).toMatchObject({ name: 'disk', sizeBytes: 24 * 512, blockBytes: 512 });
  });

  test('writes zeroes, discards and says what is allocated', async () => {
    await using made = await memoryVolume('0 8 linear mem:1M 0\n8 8 zero');
    const { volume } = made;
    await volume.write({ offsetBytes: 0, data: new Uint8Array(16 * 512).fill(1) });
    await volume.writeZeroes({ offsetBytes: 512, lengthBytes: 512 });
    await volume.discard({ offsetBytes: 1024, lengthBytes: 512 });
    const data = await volume.read({ offsetBytes: 0, lengthBytes: 1024 });
    expect(data[511]).toBe(1);
    expect(data.subarray(512).every((byte) => byte === 0)).toBe(true);
    const extents = await volume.blockStatus({ offsetBytes: 0, lengthBytes: 16 * 512 });
    expect(extents[0]).toMatchObject({ offsetBytes: 0, hole: false, zero: false });
    const last = extents.at(-1)!;
    expect(last).toMatchObject({ zero: true });
    expect(last.offsetBytes + last.lengthBytes).toBe(16 * 512);
  });

  test.each<[string, number, number, RegExp]>([
    ['an offset inside a block', 100, 512, /offset 100 is not a multiple of its block size, 512/],
    ['a length inside a block', 0, 511, /length 511 is not a multiple/],
    ['a negative offset', -512, 512, /offset -512/],
    ['a fraction', 0, 0.5, /length 0.5/],
    [
      'what is beyond the end',
      1048576,
      512,
      /512 bytes at 1048576 reach beyond its end at 1048576/,
    ],
  ])('refuses %s', async (_what, offsetBytes, lengthBytes, message) => {
    await using made = await memoryVolume();
    const { volume } = made;
    for (const request of [
      () => volume.read({ offsetBytes, lengthBytes }),
      () => volume.discard({ offsetBytes, lengthBytes }),
      () => volume.writeZeroes({ offsetBytes, lengthBytes }),
      () => volume.blockStatus({ offsetBytes, lengthBytes }),
    ]) {
      const error: unknown = await request().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RangeError);
      expect((error as Error).message).toMatch(message);
    }
  });

  test('a failing device says which request failed and why', async () => {
    await using made = await memoryVolume('0 8 zero\n8 8 error');
    const failed = made.volume.read({ offsetBytes: 0, lengthBytes: 16 * 512 });
    await expect(failed).rejects.toMatchObject({
      code: 'EIO',
      message: 'Cannot read 8192 bytes at 0 of disk: EIO',
    });
  });

  test('hands a long request out in pieces', async () => {
    const sizes: number[] = [];
    const { type } = holdingTarget((bio) => {
      sizes.push(bio.sectorCount);
      bio.end(0);
    });
    await using mapper = new DeviceMapper({ targets: [type] });
    await mapper.create({ name: 'disk', table: '0 1000000 hold' });
    await using volume = mapper.open('disk');
    await volume.discard({ offsetBytes: 0, lengthBytes: 1_000_000 * 512 });
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_000_000);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(65536);
  });

  test('keeps the data of the pieces apart', async () => {
    const narrow = {
      ...linear,
      name: 'narrow',
      create: (...words: Parameters<TargetType['create']>) =>
        Object.assign(linear.create(...words), {
          limits: (stacked: Limits) => ({ ...stacked, maxIoSectors: 3 }),
        }),
    };
    await using mapper = new DeviceMapper({ targets: [narrow] });
    await mapper.create({ name: 'disk', table: '0 2048 narrow mem:1M 0' });
    await using volume = mapper.open('disk');
    const data = new Uint8Array(10 * 512).map((_, index) => index >> 9);
    await volume.write({ offsetBytes: 512, data });
    expect(await volume.read({ offsetBytes: 512, lengthBytes: 10 * 512 })).toEqual(data);
    expect(mapper.statistics('disk').writes).toBe(4);
    await mapper.create({ name: 'mixed', table: '0 4 narrow mem:1M 1\n4 6 zero' });
    await using mixed = mapper.open('mixed');
    expect(await mixed.blockStatus({ offsetBytes: 512, lengthBytes: 9 * 512 })).toMatchObject([
      { offsetBytes: 512, lengthBytes: 3 * 512, zero: false },
      { offsetBytes: 4 * 512, lengthBytes: 6 * 512, zero: true },
    ]);
  });

  test('an abort lets go of the caller at once, and close waits for the request', async () => {
    const { type, held } = holdingTarget();
    const mapper = new DeviceMapper({ targets: [type] });
    await mapper.create({ name: 'disk', table: '0 8 hold' });
    const volume = mapper.open('disk');
    const controller = new AbortController();
    const data = new Uint8Array(512).fill(1);
    const writing = volume.write({ offsetBytes: 0, data, signal: controller.signal });
    controller.abort(new Error('too slow'));
    await expect(writing).rejects.toThrow('too slow');
    let closed = false;
    const closing = volume.close().then(() => {
      closed = true;
    });
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    expect(held).toHaveLength(1);
    held[0]!.end(0);
    await closing;
    expect(mapper.info('disk').openCount).toBe(0);
    await expect(volume.read({ offsetBytes: 0, lengthBytes: 512 })).rejects.toMatchObject({
      code: 'EBADF',
    });
  });

  test('a request whose signal has aborted does not start', async () => {
    const { type, held } = holdingTarget();
    const mapper = new DeviceMapper({ targets: [type] });
    await mapper.create({ name: 'disk', table: '0 8 hold' });
    const signal = AbortSignal.abort(new Error('never'));
    await expect(mapper.open('disk').flush({ signal })).rejects.toThrow('never');
    expect(held).toHaveLength(0);
  });

  test('waits while its device is suspended', async () => {
    await using made = await memoryVolume();
    const { mapper, volume } = made;
    await mapper.suspend('disk');
    let ended = false;
    const reading = volume.read({ offsetBytes: 0, lengthBytes: 512 }).then(() => {
      ended = true;
    });
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    await mapper.resume('disk');
    await reading;
    expect(mapper.statistics('disk').reads).toBe(1);
  });
});
