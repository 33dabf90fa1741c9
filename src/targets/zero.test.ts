import { describeTarget } from '../testing/target-laws.ts';
import { zero } from './zero.ts';

describeTarget(zero, {
  version: '1.2.0',
  answers: 'zero',
  maps: [
    { line: '0 100 zero', limits: { discardGranularityBytes: 512 } },
    { line: '64 16 zero' },
    { line: '0 17179869184 zero' },
  ],
  rejects: [{ line: '0 100 zero A', error: /zero: No arguments required: unexpected "A"/ }],
});
