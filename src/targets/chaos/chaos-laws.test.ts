import { describeTarget } from '../../testing/target-laws.ts';
import { chaos } from './index.ts';

const common = { version: '1.0.0', features: ['owns-flush'] } as const;

describeTarget(chaos, {
  ...common,
  maps: [
    {
      line: '0 100 chaos A 8',
      at: [
        [0, 'A', 8],
        [99, 'A', 107],
      ],
      status: 'on 0 0 0',
    },
    { line: '64 16 chaos A 0', at: [[64, 'A', 0]], status: 'on 0 0 0' },
    { line: '0 16 chaos A 0 0', prints: 'A 0', status: 'on 0 0 0' },
    { line: '0 16 chaos A 3 1 seed=7', at: [[5, 'A', 8]], status: 'on 0 0 0' },
    { line: '0 1099511627776 chaos A 0', status: 'on 0 0 0' },
  ],
  rejects: [
    { line: '0 8 chaos', error: /<device> is missing/ },
    { line: '0 8 chaos A', error: /Invalid device sector: <offset> is missing/ },
    { line: '0 8 chaos A x', error: /Invalid device sector: .* got "x"/ },
    { line: '0 8 chaos missing 0', error: /Device lookup failed: .*missing/, code: 'ENOENT' },
    { line: '0 8 chaos A 0 x', error: /Invalid number of feature args: .* got "x"/ },
    { line: '0 8 chaos A 0 2 eio', error: /Invalid number of feature args: <#args> says 2, got 1/ },
    { line: '0 8 chaos A 0 1 seed=-1', error: /Invalid seed: .* got "-1"/ },
    { line: '0 8 chaos A 0 2 eio seed=1', error: /Invalid seed: .* goes in front of all rules/ },
    { line: '0 8 chaos A 0 1 eoi', error: /Invalid rule "eoi": expected one of eio, .* got "eoi"/ },
    { line: '0 8 chaos A 0 2 eio:name=x lost:name=x', error: /rule of name "x"/, code: 'EEXIST' },
    {
      line: '8 16 chaos A 0 1 eio:from=16',
      error: /from: expected a sector of the row, which has 16, got "16"/,
    },
    { line: '0 16 chaos B 0 1 torn:sectors=4', error: /sectors: expected a multiple .* 8 sectors/ },
    {
      line: '0 16 chaos B 0 1 misdirected:shift=4',
      error: /shift: expected a multiple .* got "4"/,
    },
  ],
  disks: { B: { limits: { logicalBlockBytes: 4096 } } },
});
