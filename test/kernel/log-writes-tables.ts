/** log-writes: lines, and messages with the status behind them. The log is a device that forgets it, so that the disks stay as they are. */

import type { Step, TableCase } from './table-scripts.ts';

const log: Step = { run: 'create', device: 'log', text: '0 4096 zero' };

function logged(table: string, ...messages: string[]): TableCase {
  const tell = messages.map((text): Step => ({ run: 'message', text: `0 ${text}` }));
  return { steps: [log, { run: 'create', text: table }, ...tell] };
}

const onA = '0 64 log-writes /dev/A /dev/mapper/log';

/** Of these no log is ever begun. */
export const badLogWrites: readonly string[] = [
  '0 64 log-writes',
  '0 64 log-writes /dev/A',
  '0 64 log-writes /dev/nosuch /dev/B',
  '0 64 log-writes /dev/A /dev/nosuch',
  '0 64 log-writes /dev/nosuch /dev/nosuch',
];

export const logWritesScripts: readonly TableCase[] = [
  logged(onA),
  logged(`${onA} extra`),
  logged('0 4096 log-writes /dev/K /dev/mapper/log', 'mark one'),
  logged('0 64 zero\n64 64 log-writes /dev/A /dev/mapper/log'),
  logged('0 4097 log-writes /dev/A /dev/mapper/log'),
  logged('0 63 log-writes /dev/K /dev/mapper/log'),
  logged(onA, 'mark', 'mark a b', 'foo bar', 'foo', 'MARK x', 'Mark y'),
  {
    steps: [
      { run: 'create', device: 'log', text: '0 4 zero' },
      { run: 'create', text: onA },
      ...['one', 'two', 'three', 'four'].map(
        (mark): Step => ({ run: 'message', text: `0 mark ${mark}` }),
      ),
    ],
  },
  {
    steps: [
      { run: 'create', device: 'log', text: '0 1 zero' },
      { run: 'create', text: onA },
      { run: 'message', text: '0 mark one' },
    ],
  },
  {
    steps: [
      log,
      { run: 'create', text: onA },
      { run: 'suspend' },
      { run: 'message', text: '0 mark one' },
    ],
  },
  {
    ...logged('0 64 zero\n64 4096 log-writes /dev/A /dev/mapper/log'),
    differs:
      'The kernel looks for the row at the start of the disk, and sends its I/O to where the row starts',
  },
];
