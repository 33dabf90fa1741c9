import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { describe, expect, it } from 'vitest';
import { AssertionError } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { loadSystem, type System } from './index.ts';

const system = loadSystem();
if (system) describe('block calls', () => blockTests(system));
else it('has no block calls without koffi', () => expect(system).toBeNull());

/** Devices that this user may open for reading; on many machines there is none. */
function readableBlockDevices(): string[] {
  if (!existsSync('/sys/class/block')) return [];
  return readdirSync('/sys/class/block').filter(
    (name) => existsSync(`/sys/class/block/${name}/queue`) && isReadable(`/dev/${name}`),
  );
}

function isReadable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== 'string') throw error;
    return false;
  }
}

function attribute(name: string, path: string): number {
  return Number(readFileSync(`/sys/class/block/${name}/${path}`, 'utf8'));
}

function blockTests({ blocks }: System): void {
  for (const name of readableBlockDevices()) {
    it(`says of ${name} what sysfs says`, () => {
      const fd = openSync(`/dev/${name}`, 'r');
      expect({
        sizeBytes: blocks.sizeBytes(fd),
        logicalBlockBytes: blocks.logicalBlockBytes(fd),
        physicalBlockBytes: blocks.physicalBlockBytes(fd),
        minimumIoBytes: blocks.minimumIoBytes(fd),
        optimalIoBytes: blocks.optimalIoBytes(fd),
        isReadOnly: blocks.isReadOnly(fd),
      }).toEqual({
        sizeBytes: attribute(name, 'size') * 512,
        logicalBlockBytes: attribute(name, 'queue/logical_block_size'),
        physicalBlockBytes: attribute(name, 'queue/physical_block_size'),
        minimumIoBytes: attribute(name, 'queue/minimum_io_size'),
        optimalIoBytes: attribute(name, 'queue/optimal_io_size'),
        isReadOnly: attribute(name, 'ro'),
      });
      closeSync(fd);
    });
  }

  it('answers -ENOTTY for what is no block device', async () => {
    const fd = openSync(devNull, 'r+');
    const queries = [
      blocks.sizeBytes,
      blocks.logicalBlockBytes,
      blocks.physicalBlockBytes,
      blocks.minimumIoBytes,
      blocks.optimalIoBytes,
      blocks.isReadOnly,
    ];
    for (const query of queries) expect(query(fd)).toBe(-Errno.ENOTTY);
    for (const change of [
      blocks.discard,
      blocks.zeroOut,
      blocks.discardAsync,
      blocks.zeroOutAsync,
    ]) {
      expect(await change(fd, 2 ** 40, 4096)).toBe(-Errno.ENOTTY);
    }
    closeSync(fd);
  });

  it('refuses wrong arguments', async () => {
    expect(() => blocks.sizeBytes(-1)).toThrow(AssertionError);
    expect(() => blocks.discard(0, -1, 512)).toThrow(AssertionError);
    await expect(blocks.zeroOutAsync(0, 0, 0.5)).rejects.toThrow(AssertionError);
  });
}
