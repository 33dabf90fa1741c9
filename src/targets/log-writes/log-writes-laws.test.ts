import { describeTarget } from '../../testing/target-laws.ts';
import { logWrites } from './index.ts';

describeTarget(logWrites, {
  version: '1.1.0',
  features: ['owns-flush'],
  disks: {
    S: { sizeSectors: 100 },
    K: { limits: { logicalBlockBytes: 4096, physicalBlockBytes: 4096 } },
    N: { limits: { discardGranularityBytes: 0 } },
  },
  maps: [
    {
      line: '0 100 log-writes A L',
      at: [
        [0, 'A', 0],
        [99, 'A', 99],
      ],
      status: '0 0',
    },
    // As in the kernel: the row's start is not taken off.
    { line: '64 16 log-writes A L', at: [[64, 'A', 64]], status: '0 0' },
    {
      line: '0 64 log-writes K L',
      status: '0 7',
      limits: { logicalBlockBytes: 4096, ioMinBytes: 4096 },
    },
    // Too long for the model, in which a discard clears.
    { line: '0 5000 log-writes N L', status: '0 0', limits: { discardGranularityBytes: 512 } },
    // What the kernel does not look at.
    { line: '0 100 log-writes A L more words', prints: 'A L', status: '0 0' },
  ],
  rejects: [
    { line: '0 100 log-writes', error: /log-writes: Invalid argument count/ },
    { line: '0 100 log-writes A', error: /log-writes: Invalid argument count/ },
    { line: '0 100 log-writes missing L', code: 'ENOENT', error: /: Device lookup failed/ },
    { line: '0 100 log-writes A missing', code: 'ENOENT', error: /: Log device lookup failed/ },
    { line: '0 101 log-writes S L', error: /S too small for target: start=0, len=101/ },
    { line: '0 63 log-writes K L', error: /not aligned to h\/w logical block size 4096/ },
  ],
  exempt: ['extra argument'],
});
