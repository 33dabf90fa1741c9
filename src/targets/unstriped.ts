/**
 * unstriped: one stripe out of a striped device. `<stripes> <chunk> <index> <device> <offset>`
 * Source: Documentation/admin-guide/device-mapper/unstriped.rst
 *
 * Stricter than the kernel, which lets an index equal to the number of stripes through and checks only the row's own
 * length against the device: both give tables whose last requests lie behind the device's end.
 */

import { type ArgumentReader, UINT_MAX } from '../core/arguments.ts';
import type { Bio } from '../core/bio.ts';
import type { TargetType } from '../core/target.ts';

interface Layout {
  stripeCount: number;
  chunkSectors: number;
  index: number;
}

export const unstriped: TargetType = {
  name: 'unstriped',
  version: [1, 1, 0],
  usage: '<stripes> <chunk> <index> <device> <offset>',
  summary: 'shows one stripe of a striped device',
  features: ['stateless'],
  create(args, context) {
    args.expectCount(args.count === 5, 'Invalid number of arguments');
    const { stripeCount, chunkSectors, index } = readLayout(args);
    const device = args.open(args.word('device'), "Couldn't get striped device", 'EINVAL');
    const offset = args.sectors('offset', 'Invalid striped device offset');
    if (context.length % chunkSectors !== 0) {
      const detail = `${context.length} sectors, chunks of ${chunkSectors}`;
      throw args.error('Target length not divisible by chunk size', detail);
    }
    const startSectors = offset + index * chunkSectors;
    const othersSectors = (stripeCount - 1) * chunkSectors;
    const lastChunk = context.length / chunkSectors - 1;
    return {
      maxIoSectors: chunkSectors,
      map(bio: Bio) {
        const sector = bio.sector - context.start;
        bio.device = device;
        bio.sector = startSectors + sector + Math.floor(sector / chunkSectors) * othersSectors;
        return 'remapped';
      },
      table: () => `${stripeCount} ${chunkSectors} ${index} ${device.operand} ${offset}`,
      devices() {
        const lengthSectors = context.length + lastChunk * othersSectors;
        return [{ device, startSectors, lengthSectors }];
      },
    };
  },
};

function readLayout(args: ArgumentReader): Layout {
  const range = { min: 1, max: UINT_MAX, plus: true };
  const stripeCount = args.integer('stripes', 'Invalid stripe count', range);
  const chunkSectors = args.integer('chunk', 'Invalid chunk_size', range);
  const index = args.integer('index', 'Invalid stripe number', { ...range, min: 0 });
  if (index >= stripeCount) {
    const detail = `expected <index> from 0 to ${stripeCount - 1}, got ${index}`;
    throw args.error('Please provide stripe between [0, # of stripes]', detail);
  }
  return { stripeCount, chunkSectors, index };
}
