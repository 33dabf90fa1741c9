import { describeTarget } from '../testing/target-laws.ts';
import { error } from './error.ts';

describeTarget(error, {
  version: '1.7.0',
  features: ['stateless', 'wildcard'],
  answers: 'error',
  exempt: ['extra argument'],
  disks: {
    S: { sizeSectors: 100 },
    K: { limits: { logicalBlockBytes: 4096, discardGranularityBytes: 0 } },
  },
  maps: [
    { line: '0 100 error' },
    { line: '64 16 error' },
    // Any number of arguments but two means nothing, as in the kernel.
    { line: '0 100 error one', prints: '' },
    { line: '0 100 error A 8 9', prints: '' },
    {
      line: '0 8 error K 16',
      prints: '',
      limits: { logicalBlockBytes: 4096, discardGranularityBytes: 4096 },
    },
  ],
  rejects: [
    { line: '0 100 error A x', error: /error: Invalid device sector/ },
    { line: '0 100 error missing 0', code: 'ENOENT', error: /Device lookup failed/ },
    { line: '0 100 error S 8', error: /too small for target: start=8, len=100, dev_size=100/ },
  ],
});
