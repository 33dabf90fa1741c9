import { pbkdf2 } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DmError } from '../base/errors.ts';
import { splitArguments } from '../core/arguments.ts';
import { Op } from '../core/bio.ts';
import { loadSystem } from '../system/index.ts';
import { runBio } from '../testing/device-io.ts';
import type { DeviceKind, LeafDevice } from './device-kind.ts';
import { MemoryDevice } from './memory.ts';
import { DeviceStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'devmapper-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

const READ_ONLY = { readOnly: true };
const WRITABLE = { readOnly: false };

let fileCount = 0;
function createImage(name = `image-${fileCount}`): string {
  fileCount += 1;
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(8192));
  return path;
}

let store: DeviceStore;
beforeEach(() => {
  store = new DeviceStore();
});
afterEach(() => store.close());

describe('sharing', () => {
  test('all names of a file are one device, closed with its last user', async () => {
    const path = createImage();
    const link = `${path}.link`;
    linkSync(path, link);
    symlinkSync(path, `${path}.symlink`);
    const names = [path, link, `${path}.symlink`, relative(process.cwd(), path)];
    const opened = names.map((name) => store.open(name, READ_ONLY));
    expect(new Set(opened.map(({ device }) => device)).size).toBe(1);
    expect(store.list()).toEqual([
      {
        number: { major: 251, minor: 0 },
        operand: path,
        sizeSectors: 16,
        readOnly: true,
        userCount: 4,
      },
    ]);
    for (const { release } of opened.slice(1)) {
      release();
      release();
    }
    expect(store.list()[0]?.userCount).toBe(1);
    opened[0]!.release();
    expect(store.list()).toEqual([]);
  });

  test('numbers ascend, stay, and are given to others afterwards', () => {
    const [a, b, c] = ['mem:4K', 'mem:8K', createImage()].map((name) => store.open(name, WRITABLE));
    expect([a, b, c].map((opened) => opened!.device.number.minor)).toEqual([0, 1, 2]);
    b!.release();
    expect(c!.device.number.minor).toBe(2);
    expect(store.open('mem:12K', WRITABLE).device.number.minor).toBe(1);
    expect(store.open('251:2', WRITABLE).device).toBe(c!.device);
  });

  test('memory of one text is one disk, forgotten with its last user', async () => {
    const first = store.open('mem:4K', WRITABLE);
    const data = new Uint8Array(512).fill(5);
    await runBio(first.device, { op: Op.write, sectorCount: 1, data });
    const second = store.open('mem:4K', WRITABLE);
    expect(second.device).toBe(first.device);
    expect(store.open('mem:4K#other', WRITABLE).device).not.toBe(first.device);
    first.release();
    second.release();
    const again = store.open('mem:4K', WRITABLE);
    await runBio(again.device, { op: Op.read, sectorCount: 1, data });
    expect(data[0]).toBe(0);
  });

  test('a device opened again at once does not meet its own lock', () => {
    const path = createImage();
    // While these hold every thread of the pool, no descriptor is closed.
    for (let i = 0; i < 8; i += 1) pbkdf2('a', 'b', 20_000, 64, 'sha512', () => {});
    for (let i = 0; i < 20; i += 1) store.open(path, WRITABLE).release();
  });
});

describe('upgrade', () => {
  test('a device that was read-only is made writable in place', async () => {
    const path = createImage();
    const reader = store.open(path, READ_ONLY);
    const write = { op: Op.write, sectorCount: 1, data: new Uint8Array(512).fill(1) } as const;
    expect(await runBio(reader.device, write)).toBe(30);
    expect(reader.device.direct).toMatchObject({ writable: false });
    const writer = store.open(path, WRITABLE);
    expect(writer.device).toBe(reader.device);
    expect(reader.device).toMatchObject({ readOnly: false, direct: { writable: true } });
    expect(await runBio(reader.device, write)).toBe(0);
    const { discardGranularityBytes } = reader.device.limits;
    expect(discardGranularityBytes > 0).toBe(loadSystem() !== null);
  });

  test('a path that leads to another file by now is refused: its writes would land there', () => {
    const [first, second] = [createImage(), createImage()];
    const link = `${first}.link`;
    symlinkSync(first, link);
    store.open(link, READ_ONLY);
    rmSync(link);
    symlinkSync(second, link);
    expect(() => store.open(first, WRITABLE)).toThrow(/another file stands at its path by now/);
    expect(store.list()).toMatchObject([{ userCount: 1, readOnly: true }]);
  });

  test('what was appended to the file meanwhile is left alone', () => {
    const path = createImage();
    store.open(path, READ_ONLY);
    appendFileSync(path, Buffer.alloc(8192, 'x'));
    store.open(path, WRITABLE);
    expect(
      readFileSync(path)
        .subarray(-8192)
        .every((byte) => byte === 0x78),
    ).toBe(true);
  });

  test('one that stays read-only is refused, and is as it was', () => {
    const open: DeviceKind['open'] = (operand, { number }) =>
      Object.assign(new MemoryDevice({ sizeSectors: 8, number, operand }), { readOnly: true });
    const kind: DeviceKind = { matches: (word) => word === 'ro', key: (word) => word, open };
    store = new DeviceStore({ kinds: [kind] });
    expect(() => store.open('ro', WRITABLE)).toThrow(
      /Cannot open "ro" for writing: it is read-only/,
    );
    expect(store.list()).toEqual([]);
    store.open('ro', READ_ONLY);
    expect(() => store.open('ro', WRITABLE)).toThrow(DmError);
    expect(store.list()).toMatchObject([{ userCount: 1, number: { minor: 0 } }]);
  });
});

/** Without system calls of our own nothing is locked: then every one of these opens works. */
describe('locks', () => {
  const refused = loadSystem() ? /Cannot lock ".*" for \w+: another program holds it/ : null;

  function expectOpen(other: DeviceStore, path: string, mode: { readOnly: boolean }): void {
    if (refused) expect(() => other.open(path, mode)).toThrow(refused);
    else other.open(path, mode);
  }

  test('two writers, or a writer and a reader, refuse each other; readers do not', async () => {
    const other = new DeviceStore();
    for (const [mine, theirs] of [
      [WRITABLE, WRITABLE],
      [WRITABLE, READ_ONLY],
      [READ_ONLY, WRITABLE],
    ] as const) {
      const path = createImage();
      store.open(path, mine);
      expectOpen(other, path, theirs);
    }
    const path = createImage();
    store.open(path, READ_ONLY);
    other.open(path, READ_ONLY);
    await other.close();
  });

  test('an upgrade that is refused leaves the reader and its lock', async () => {
    const path = createImage();
    const other = new DeviceStore();
    const reader = store.open(path, READ_ONLY);
    const second = other.open(path, READ_ONLY);
    if (refused) {
      expect(() => store.open(path, WRITABLE)).toThrow(refused);
      expect(reader.device.readOnly).toBe(true);
      second.release();
      expectOpen(other, path, WRITABLE);
    }
    const data = new Uint8Array(512);
    expect(await runBio(reader.device, { op: Op.read, sectorCount: 1, data })).toBe(0);
    await other.close();
  });

  test('are not taken with lock: false, and go when the device closes', async () => {
    const path = createImage();
    const opened = store.open(path, WRITABLE);
    const careless = new DeviceStore({ lock: false });
    careless.open(path, WRITABLE);
    opened.release();
    const other = new DeviceStore();
    other.open(path, WRITABLE);
    await Promise.all([careless.close(), other.close()]);
  });
});

describe('kinds', () => {
  test('a kind prepares what is not open yet, and gets the word it said yes to', async () => {
    const calls: string[] = [];
    const kind: DeviceKind = {
      matches: (operand) => operand.startsWith('test://'),
      key: (operand) => operand.toLowerCase(),
      prepare(operand) {
        calls.push(`prepare ${operand}`);
        return Promise.resolve();
      },
      open(operand, options): LeafDevice {
        calls.push(`open ${operand} ${options.lock}`);
        return new MemoryDevice({ sizeSectors: 8, number: options.number, operand });
      },
    };
    store = new DeviceStore({ kinds: [kind], lock: false });
    await store.prepare('test://a');
    const opened = store.open('test://a', WRITABLE);
    await store.prepare('test://A');
    expect(store.open('test://A', WRITABLE).device).toBe(opened.device);
    await store.prepare(createImage());
    expect(calls).toEqual(['prepare test://a', 'open test://a false']);
  });
});

describe('operands', () => {
  test('are printed so that they load again', () => {
    const path = createImage('with space, back\\slash and ü');
    const { device } = store.open(path, READ_ONLY);
    expect(device.operand).toContain('with\\ space');
    expect(splitArguments(`${device.operand} 0`)).toEqual([path, '0']);
  });

  test('of empty files are devices of size 0', () => {
    const path = join(folder, 'empty');
    writeFileSync(path, '');
    expect(store.open(path, WRITABLE).device.sizeSectors).toBe(0);
  });

  const socket = join(folder, 'socket');
  const server = createServer().listen(socket);
  afterAll(() => server.close());
  mkdirSync(join(folder, 'sub'));

  test.each([
    ['', 'EINVAL', 'its name is empty'],
    [join(folder, 'missing'), 'ENOENT', 'no such file; create an image'],
    [`${process.execPath}/x`, 'ENOTDIR', 'not a directory'],
    [join(folder, 'sub'), 'ENOTBLK', 'it is a directory'],
    ['/dev/null', 'ENOTBLK', 'it is a character device'],
    [socket, 'ENOTBLK', 'it is a socket'],
    ['4095:1048575', 'ENXIO', 'no block device has that number'],
    ['s3://bucket/image', 'ENODEV', 'devices of s3:// are not known'],
    ['mem:', 'EINVAL', 'expected mem:SIZE'],
    ['mem:1X', 'EINVAL', 'expected mem:SIZE'],
    ['mem:0', 'EINVAL', 'a size above 0'],
    ['mem:513', 'EINVAL', 'expected a multiple of 512 bytes, got 513'],
    ['mem:9999T', 'EINVAL', 'expected at most'],
  ])('%s is refused with %s', (operand, code, words) => {
    let refusal: unknown;
    try {
      store.open(operand, READ_ONLY);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(DmError);
    expect(refusal).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(store.list()).toEqual([]);
    expect(store.open('mem:4K', READ_ONLY).device.number.minor).toBe(0);
  });

  test.each([
    ['mem:1024', 2],
    ['mem:1k', 2],
    ['mem:1M#disk 2', 2048],
    ['mem:3m', 6144],
  ])('%s has %i sectors', (operand, sectors) => {
    const { device } = store.open(operand, WRITABLE);
    expect(device.sizeSectors).toBe(sectors);
    expect(splitArguments(device.operand)).toEqual([operand]);
  });
});
