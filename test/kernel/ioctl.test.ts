/** The dm-ioctl interface byte for byte against a real kernel's. */

import { beforeAll, describe, expect, test } from 'vitest';
import { Flag } from '../../src/control/protocol/commands.ts';
import { HEADER_BYTES, Header, VERSION_BYTES } from '../../src/control/protocol/header.ts';
import { type IoctlCase, ioctlCases } from './ioctl-cases.ts';
import { type IoctlResult, runIoctlsHere, runIoctlsInKernel } from './ioctl-twin.ts';
import { requireKernel } from './kernel.ts';

test('the list is long enough', () => {
  expect(ioctlCases.length).toBeGreaterThanOrEqual(200);
});

/** All that must be the same: not the interface's version, and no uevents, which only a kernel can send. */
function comparable({ errno, memory }: IoctlResult, { differs }: IoctlCase) {
  if (differs) return differs.compare === 'errno' ? { errno } : {};
  const bytes = Buffer.from(memory);
  bytes.fill(0, 0, Math.min(bytes.length, VERSION_BYTES));
  if (bytes.length >= HEADER_BYTES && errno === 0) {
    new Header(bytes).put(Flag.ueventGenerated, false);
  }
  return { errno, bytes: dump(bytes) };
}

/** Lines of 16 bytes, without those that are zero, so that a difference is easy to see. */
function dump(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const part = bytes.subarray(offset, offset + 16);
    if (part.some((byte) => byte !== 0)) lines.push(`${offset} ${part.toString('hex')}`);
  }
  return lines;
}

requireKernel()('ioctls in the real kernel and here', () => {
  let kernel: IoctlResult[];
  let here: IoctlResult[];
  beforeAll(async () => {
    [kernel, here] = [await runIoctlsInKernel(ioctlCases), await runIoctlsHere(ioctlCases)];
  }, 600_000);

  test('each was answered', () => {
    expect(kernel).toHaveLength(ioctlCases.length);
    expect(here).toHaveLength(ioctlCases.length);
  });

  describe.each(ioctlCases.map((each, index) => [each.what, each, index] as const))(
    '%s',
    (_, each, index) => {
      test('is the same', () => {
        expect(comparable(here[index]!, each)).toEqual(comparable(kernel[index]!, each));
      });
    },
  );
});
