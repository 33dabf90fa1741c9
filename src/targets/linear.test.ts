import { describeTarget } from '../testing/target-laws.ts';
import { linear } from './linear.ts';

describeTarget(linear, {
  version: '1.5.0',
  disks: { S: { sizeSectors: 100 }, K: { limits: { logicalBlockBytes: 4096 } } },
  maps: [
    {
      line: '0 100 linear A 8',
      at: [
        [0, 'A', 8],
        [99, 'A', 107],
      ],
    },
    {
      line: '64 16 linear A 0',
      at: [
        [64, 'A', 0],
        [79, 'A', 15],
      ],
    },
    { line: '0 100 linear S 0' },
    { line: '8 16 linear K 24', limits: { logicalBlockBytes: 4096 } },
    {
      line: '4294967296 8589934592 linear A 17179869184',
      at: [
        [4294967296, 'A', 17179869184],
        [12884901887, 'A', 25769803775],
      ],
    },
  ],
  rejects: [
    { line: '0 100 linear', error: /linear: Invalid argument count/ },
    { line: '0 100 linear A', error: /linear: Invalid argument count/ },
    { line: '0 100 linear A 8 9', error: /linear: Invalid argument count/ },
    { line: '0 100 linear A 8x', error: /Invalid device sector: <offset> .* got "8x"/ },
    { line: '0 100 linear A +8', error: /Invalid device sector/ },
    { line: '0 100 linear A -8', error: /Invalid device sector/ },
    { line: '0 100 linear A 0x8', error: /Invalid device sector/ },
    { line: '0 100 linear A 99999999999999999999', error: /Invalid device sector/ },
    // The offset is read before the device is looked up.
    { line: '0 100 linear missing x', error: /Invalid device sector/ },
    { line: '0 100 linear missing 0', code: 'ENOENT', error: /Device lookup failed: .*missing/ },
    { line: '0 100 linear S 1', error: /too small for target: start=1, len=100, dev_size=100/ },
    { line: '0 100 linear K 0', error: /len=100 not aligned to h\/w logical block size 4096/ },
    { line: '0 8 linear K 4', error: /start=4 not aligned to h\/w logical block size 4096/ },
  ],
});
