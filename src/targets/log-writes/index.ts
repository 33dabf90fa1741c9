/**
 * log-writes: passes everything on, and logs what is written, so that it can be replayed. `<device> <log device>`
 * Source: Documentation/admin-guide/device-mapper/log-writes.rst; drivers/md/dm-log-writes.c for messages and limits.
 */

import type { TargetType } from '../../core/target.ts';
import { LogWritesTarget } from './log-writes-target.ts';

const KEPT_BYTES = 256 * 2 ** 20;

export const logWrites: TargetType = createLogWrites({ keptBytes: KEPT_BYTES });

/** `keptBytes`: how much may wait to be logged. */
export function createLogWrites({ keptBytes }: { keptBytes: number }): TargetType {
  return {
    name: 'log-writes',
    version: [1, 1, 0],
    usage: '<device> <log device>',
    summary: 'logs every write to a second device, for replay',
    features: ['owns-flush'],
    create(args, context) {
      args.expectCount(args.count >= 2);
      const device = args.open(args.word('device'));
      const logDevice = args.open(args.word('log device'), 'Log device lookup failed');
      return new LogWritesTarget({ device, logDevice, keptBytes }, context);
    },
  };
}
