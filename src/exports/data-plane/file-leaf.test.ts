import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { createPrng } from '../../base/prng.ts';
import { Bio, Op } from '../../core/bio.ts';
import { DEFAULT_LIMITS } from '../../core/limits.ts';
import { beginPlug, endPlug } from '../../core/plug.ts';
import { type FileCalls, TransferFlag } from '../../system/file-calls.ts';
import { loadSystem } from '../../system/index.ts';
import { PinnedBuffer } from '../../system/pinned-buffer.ts';
import { NEEDS_MAIN } from './direct-leaf.ts';
import { type Deferral, FileLeaf } from './file-leaf.ts';
import { FileRanges } from './file-ranges.ts';

const SECTORS = 64;
const loaded = loadSystem();

if (loaded === null) {
  it('is never used without system calls', () => {
    expect(loadSystem()).toBeNull();
  });
} else {
  const system = loaded;
  describe('FileLeaf', () => {
    const content = createPrng(7).fill(new Uint8Array(SECTORS * 512));
    const buffer = PinnedBuffer.allocate(SECTORS * 512);
    const ranges = new FileRanges();
    let directory = '';
    let path = '';
    let fd = -1;
    let callCount = 0;
    let nowMs = 0;
    let callMs = 0;

    /** The real calls, counted, and as slow as `callMs` says. */
    const files: FileCalls = {
      ...system.files,
      readVector: (...args) => {
        callCount += 1;
        nowMs += callMs;
        return system.files.readVector(...args);
      },
      writeVector: (...args) => {
        callCount += 1;
        nowMs += callMs;
        return system.files.writeVector(...args);
      },
    };

    const deferral: Deferral = { disk: null };

    function createLeaf(options: { inMemory?: boolean; files?: FileCalls } = {}): FileLeaf {
      const leaf = { operand: path, sizeSectors: SECTORS, limits: DEFAULT_LIMITS, readOnly: false };
      const { inMemory = false } = options;
      const direct = { kind: 'file' as const, fd, writable: true, inMemory };
      return new FileLeaf({ ...leaf, direct }, direct, {
        files: options.files ?? files,
        nowMs: () => nowMs,
        buffers: [buffer],
        ranges,
        deferral,
      });
    }

    function run(
      leaf: FileLeaf,
      op: Op,
      sector: number,
      sectorCount: number,
      at = sector * 512,
    ): Bio {
      const bio = new Bio();
      bio.op = op;
      bio.device = leaf;
      bio.sector = sector;
      bio.sectorCount = sectorCount;
      bio.data = buffer.bytes;
      bio.dataOffset = at;
      bio.error = -1;
      bio.onEnd = () => {};
      leaf.submit(bio);
      return bio;
    }

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'file-leaf-'));
      path = join(directory, 'disk.img');
      writeFileSync(path, content);
      fd = openSync(path, 'r+');
      callCount = 0;
      callMs = 0;
      buffer.bytes.fill(0);
    });

    afterEach(() => {
      closeSync(fd);
      rmSync(directory, { recursive: true });
    });

    it('reads and writes where it is told to', () => {
      const leaf = createLeaf();
      expect(run(leaf, Op.read, 3, 5).error).toBe(0);
      expect(buffer.bytes.subarray(3 * 512, 8 * 512)).toEqual(content.subarray(3 * 512, 8 * 512));
      buffer.bytes.fill(0xab);
      expect(run(leaf, Op.write, 10, 2).error).toBe(0);
      const after = readFileSync(path);
      expect(after.subarray(10 * 512, 12 * 512).every((byte) => byte === 0xab)).toBe(true);
      expect(after.subarray(0, 10 * 512)).toEqual(Buffer.from(content.subarray(0, 10 * 512)));
      expect(after.subarray(12 * 512)).toEqual(Buffer.from(content.subarray(12 * 512)));
    });

    it('joins neighbours that come under one plug into one call', () => {
      const leaf = createLeaf();
      beginPlug();
      // Neighbours on the file that land far apart in memory, then one that is no neighbour.
      const bios = [0, 1, 2, 3].map((i) => run(leaf, Op.read, i * 4, 4, (3 - i) * 4 * 512));
      bios.push(run(leaf, Op.read, 40, 4));
      expect(callCount).toBe(0);
      endPlug();
      expect(callCount).toBe(2);
      expect(bios.map((bio) => bio.error)).toEqual([0, 0, 0, 0, 0]);
      for (let i = 0; i < 4; i += 1) {
        const got = buffer.bytes.subarray((3 - i) * 4 * 512, (4 - i) * 4 * 512);
        expect(got).toEqual(content.subarray(i * 4 * 512, (i + 1) * 4 * 512));
      }
    });

    it('only says where reads lie while asked to, neighbours joined', () => {
      const leaf = createLeaf();
      run(leaf, Op.read, 0, SECTORS);
      ranges.begin();
      for (const sector of [4, 8, 20]) expect(run(leaf, Op.read, sector, 4).error).toBe(0);
      expect(run(leaf, Op.write, 0, 4).error).toBe(NEEDS_MAIN);
      ranges.end();
      expect(ranges.count).toBe(2);
      expect(ranges.positions.slice(0, 2)).toEqual([4 * 512, 20 * 512]);
      expect(ranges.lengths.slice(0, 2)).toEqual([8 * 512, 4 * 512]);
      expect(ranges.totalBytes).toBe(12 * 512);
    });

    it('leaves a file that ends early to the main thread', () => {
      const leaf = createLeaf();
      writeFileSync(path, content.subarray(0, 5 * 512));
      expect(run(leaf, Op.read, 4, 4).error).toBe(NEEDS_MAIN);
      expect(run(leaf, Op.read, 4, 1).error).toBe(0);
    });

    it('leaves everything but reads and writes to the main thread', () => {
      const leaf = createLeaf();
      for (const op of [Op.flush, Op.discard, Op.writeZeroes, Op.blockStatus]) {
        expect(run(leaf, op, 0, 1).error).toBe(NEEDS_MAIN);
      }
    });

    it('leaves a slow file to the main thread until that answers quickly again', () => {
      const leaf = createLeaf();
      callMs = 5;
      expect([0, 1, 2].map((i) => run(leaf, Op.write, i, 1).error)).toEqual([0, 0, 0]);
      for (let i = 0; i < 3; i += 1) {
        deferral.disk = null;
        expect(run(leaf, Op.write, 3, 1).error).toBe(NEEDS_MAIN);
        expect(deferral.disk).not.toBeNull();
        deferral.disk!.noteAnswer(0.1, 512);
      }
      expect(callCount).toBe(3);
      nowMs += 1000;
      callMs = 0;
      deferral.disk = null;
      expect(run(leaf, Op.write, 3, 1).error).toBe(0);
      expect(run(leaf, Op.write, 4, 1).error).toBe(0);
      expect(deferral.disk).toBeNull();
    });

    it('times reads too where the file system cannot promise not to wait', () => {
      const withoutNoWait: FileCalls = {
        ...files,
        readVector: (handle, vector, position, flags) =>
          flags === TransferFlag.none
            ? files.readVector(handle, vector, position, flags)
            : -Errno.ENOTSUP,
      };
      const leaf = createLeaf({ files: withoutNoWait });
      callMs = 200;
      expect(run(leaf, Op.read, 0, 1).error).toBe(0);
      expect(run(leaf, Op.read, 0, 1).error).toBe(NEEDS_MAIN);
      expect(callCount).toBe(1);
    });

    it('never suspects memory of being a slow disk', () => {
      const leaf = createLeaf({ inMemory: true });
      callMs = 100;
      for (let i = 0; i < 8; i += 1) expect(run(leaf, Op.write, i, 1).error).toBe(0);
    });

    it('does not offer to send what is not there', () => {
      for (const inMemory of [false, true]) {
        const leaf = createLeaf({ inMemory });
        writeFileSync(path, content.subarray(0, 5 * 512));
        ranges.begin();
        expect(run(leaf, Op.read, 0, 6).error).toBe(NEEDS_MAIN);
        expect(run(leaf, Op.read, 0, 5).error).toBe(inMemory || noWaitReads() ? 0 : NEEDS_MAIN);
        ranges.end();
      }
    });

    it('does not offer to send what is not in memory', () => {
      const cached = new Set([0, 128 * 1024]);
      const cold: FileCalls = {
        ...files,
        read: (_fd, _buffer, _at, lengthBytes, position) => {
          const isCached = cached.has(position) || position === 192 * 1024 - 1;
          return isCached ? lengthBytes : -Errno.EAGAIN;
        },
      };
      const leaf = createLeaf({ files: cold });
      ranges.begin();
      expect(run(leaf, Op.read, 0, 384).error).toBe(0);
      cached.delete(128 * 1024);
      expect(run(leaf, Op.read, 0, 384).error).toBe(NEEDS_MAIN);
      ranges.end();
    });

    /** tmpfs and others cannot tell. */
    function noWaitReads(): boolean {
      return system.files.read(fd, buffer, 0, 1, 0, TransferFlag.noWait) === 1;
    }
  });
}
