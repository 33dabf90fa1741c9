import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { TransferFlag } from './file-calls.ts';
import { loadSystem, type System } from './index.ts';
import { PinnedBuffer } from './pinned-buffer.ts';
import { FileSystemMagic } from './space-calls.ts';

const system = loadSystem();
if (system) {
  describe.each([...new Set([tmpdir(), '/dev/shm'])].filter((folder) => existsSync(folder)))(
    'space calls in %s',
    (folder) => spaceTests(system, folder),
  );
} else {
  it('has no space calls without koffi', () => expect(system).toBeNull());
}

const MIB = 2 ** 20;
const FAR = 6 * 2 ** 30;

function spaceTests({ files, space }: System, parent: string): void {
  let folder = '';
  let fd = -1;
  const data = PinnedBuffer.allocate(MIB);
  data.bytes.fill(0xaa);

  beforeEach(() => {
    folder = mkdtempSync(join(parent, 'devmapper-space-'));
    fd = openSync(join(folder, 'image'), 'w+');
    ftruncateSync(fd, FAR + 4 * MIB);
    files.write(fd, data, 0, MIB, FAR, TransferFlag.none);
    files.syncData(fd);
  });
  afterEach(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  function readFar(positionBytes: number): number {
    const byte = PinnedBuffer.allocate(1);
    files.read(fd, byte, 0, 1, FAR + positionBytes, TransferFlag.none);
    return byte.bytes[0]!;
  }

  it('punches a hole, which frees blocks', () => {
    const before = fstatSync(fd).blocks;
    expect(space.allocate(fd, 'punchHole', FAR + 65536, 131072)).toBe(0);
    expect(before - fstatSync(fd).blocks).toBe(131072 / 512);
    expect([readFar(65535), readFar(65536), readFar(196607), readFar(196608)]).toEqual([
      0xaa, 0, 0, 0xaa,
    ]);
  });

  it('zeroes a range, where the file system can', async () => {
    const before = fstatSync(fd).blocks;
    const result = space.allocate(fd, 'zeroRange', FAR, 65536);
    expect(await space.allocateAsync(fd, 'zeroRangeKeepSize', FAR, 65536)).toBe(result);
    const kind = space.fileSystemMagic(fd);
    if (kind === FileSystemMagic.tmpfs) expect(result).toBe(-Errno.ENOTSUP);
    if (kind === FileSystemMagic.ext4) expect(result).toBe(0);
    if (result === 0)
      expect([readFar(0), readFar(65536), before]).toEqual([0, 0xaa, fstatSync(fd).blocks]);
  });

  it('allocates with and without growing', () => {
    const { size } = fstatSync(fd);
    expect(space.allocate(fd, 'allocateKeepSize', size, 65536)).toBe(0);
    expect(fstatSync(fd).size).toBe(size);
    expect(space.allocate(fd, 'allocate', size, 65536)).toBe(0);
    expect(fstatSync(fd).size).toBe(size + 65536);
  });

  it('finds data and holes', async () => {
    expect(space.seekData(fd, 0)).toBe(FAR);
    expect(space.seekHole(fd, 0)).toBe(0);
    expect(space.seekHole(fd, FAR)).toBe(FAR + MIB);
    expect(space.seekData(fd, FAR + MIB)).toBe(-Errno.ENXIO);
    expect(await space.seekDataAsync(fd, 4096)).toBe(FAR);
    expect(await space.seekHoleAsync(fd, FAR + 1)).toBe(FAR + MIB);
    expect(await space.seekDataAsync(fd, FAR + MIB)).toBe(-Errno.ENXIO);
  });

  it('answers many calls at once, each with its own errno', async () => {
    const calls = Array.from({ length: 40 }, (_, index) =>
      index % 2 === 0
        ? space.allocateAsync(fd, 'punchHole', FAR + index * 4096, 4096)
        : space.seekDataAsync(fd, FAR + 2 * MIB),
    );
    const expected = calls.map((_, index) => (index % 2 === 0 ? 0 : -Errno.ENXIO));
    expect(await Promise.all(calls)).toEqual(expected);
    expect([readFar(0), readFar(4096)]).toEqual([0, 0xaa]);
  });

  it('refuses wrong arguments', async () => {
    expect(() => space.allocate(-1, 'punchHole', 0, 1)).toThrow(AssertionError);
    expect(() => space.allocate(fd, 'punchHole', -1, 1)).toThrow(AssertionError);
    await expect(space.allocateAsync(fd, 'punchHole', 0, 0.5)).rejects.toThrow(AssertionError);
    await expect(space.seekHoleAsync(-1, 0)).rejects.toThrow(AssertionError);
    expect(() => space.seekData(fd, Number.NaN)).toThrow(AssertionError);
    expect(space.allocate(fd, 'punchHole', 0, 0)).toBe(-Errno.EINVAL);
  });
}
