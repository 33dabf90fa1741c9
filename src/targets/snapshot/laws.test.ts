/** The laws of all targets. A snapshot has a sector in two places by turns, so what becomes of requests to one is in the tests beside this. */

import { describeTarget } from '../../testing/target-laws.ts';
import { snapshot, snapshotOrigin } from './index.ts';

const SMALL = { C: { sizeSectors: 1024 }, O: { sizeSectors: 4096 } };

describeTarget(snapshotOrigin, {
  version: '1.9.0',
  features: [],
  refusesDiscards: true,
  disks: SMALL,
  maps: [
    {
      line: '0 4096 snapshot-origin O',
      at: [
        [0, 'O', 0],
        [4095, 'O', 4095],
      ],
    },
    {
      line: '24 100 snapshot-origin O',
      at: [
        [24, 'O', 24],
        [123, 'O', 123],
      ],
      limits: { discardGranularityBytes: 0 },
    },
  ],
  rejects: [{ line: '0 8 snapshot-origin', error: /origin: incorrect number of arguments/ }],
});

describeTarget(snapshot, {
  version: '1.16.0',
  features: ['owns-flush'],
  exempt: ['whole ranges', 'byte arrays'],
  disks: SMALL,
  maps: [
    {
      line: '0 4096 snapshot O C P 8',
      at: [
        [0, 'O', 0],
        [4095, 'O', 4095],
      ],
      status: '16/1024 16',
      limits: { discardGranularityBytes: 0 },
    },
    { line: '24 100 snapshot O C N 16', at: [[24, 'O', 24]], status: '0/1024 0' },
    { line: '0 64 snapshot O C PO 1', at: [[63, 'O', 63]], status: '2/1024 2' },
  ],
  rejects: [
    { line: '0 64 snapshot O C', error: /requires 4 or more arguments/ },
    { line: '0 4097 snapshot O C P 8', error: /O too small for target/ },
  ],
});
