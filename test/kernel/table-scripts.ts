/** More than one command: devices on devices, reloads, messages. See tables.ts for the disks. */

export interface Step {
  run:
    | 'create'
    | 'create-notable'
    | 'create-readonly'
    | 'load'
    | 'resume'
    | 'suspend'
    | 'clear'
    | 'message';
  /** Default `t`. */
  device?: string;
  /** The table's text, or the message with its sector in front. */
  text?: string;
}

export interface TableCase {
  steps: readonly Step[];
  /** Why the kernel and this one answer differently; without it they must not. */
  differs?: string;
}

/** Eight regions on three paths. */
const switchTable: Step = {
  run: 'create',
  text: '0 64 switch 3 8 0 /dev/A 0 /dev/B 0 /dev/C 0',
};

function switchMessage(mappings: string): TableCase {
  return { steps: [switchTable, { run: 'message', text: `0 set_region_mappings ${mappings}` }] };
}

export const scripts: readonly TableCase[] = [
  {
    steps: [
      { run: 'create-notable' },
      { run: 'resume' },
      { run: 'message', text: '0 nonsense' },
      { run: 'suspend' },
      { run: 'resume' },
      { run: 'load', text: '0 100 zero' },
      { run: 'resume' },
      { run: 'resume' },
      { run: 'suspend' },
      { run: 'suspend' },
      { run: 'resume' },
    ],
  },
  {
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'create', text: '0 8 zero' },
    ],
  },
  // On itself, directly.
  { steps: [{ run: 'create-notable' }, { run: 'load', text: '0 8 linear dm:0 0' }] },
  {
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'load', text: '0 8 linear /dev/mapper/t 0' },
    ],
  },
  {
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'load', text: '0 8 linear dm:0 0' },
    ],
  },
  {
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'load', text: '0 8 linear dm:5 0' },
    ],
  },
  {
    differs: 'The kernel looks no deeper than one level for a device on itself',
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'create', device: 'u', text: '0 8 linear /dev/mapper/t 0' },
      { run: 'load', text: '0 8 linear /dev/mapper/u 0' },
      { run: 'clear' },
    ],
  },
  // Stacks.
  {
    steps: [
      { run: 'create', device: 'u', text: '0 4096 striped 2 64 /dev/A 0 /dev/B 0' },
      { run: 'create', text: '0 2048 unstriped 2 64 1 /dev/mapper/u 0' },
    ],
  },
  {
    steps: [
      { run: 'create', device: 'u', text: '0 100 linear /dev/A 7' },
      { run: 'create', text: '0 101 linear /dev/mapper/u 0' },
      { run: 'create', text: '0 90 linear /dev/mapper/u 10' },
    ],
  },
  {
    steps: [
      { run: 'create', device: 'u', text: '0 8 zero' },
      { run: 'load', device: 'u', text: '0 16 linear /dev/A 0' },
      { run: 'create', text: '0 16 linear /dev/mapper/u 0' },
      { run: 'resume', device: 'u' },
      { run: 'create', text: '0 16 linear /dev/mapper/u 0' },
    ],
  },
  // Reload.
  {
    steps: [
      { run: 'create', text: '0 100 linear /dev/A 0' },
      { run: 'load', text: '0 100 linear /dev/A x' },
      { run: 'load', text: '0 200 linear /dev/B 8' },
      { run: 'load', text: '0 50 linear /dev/B 16' },
      { run: 'resume' },
    ],
  },
  {
    steps: [
      { run: 'create', text: '0 100 linear /dev/A 0' },
      { run: 'load', text: '0 200 linear /dev/B 8' },
      { run: 'clear' },
      { run: 'suspend' },
      { run: 'resume' },
    ],
  },
  {
    differs: 'The kernel finds a reloaded table too large for its disk at resume, here at load',
    steps: [
      { run: 'create', text: '0 100 linear /dev/A 0' },
      { run: 'load', text: '0 5000 linear /dev/A 0' },
    ],
  },
  // Read-only.
  { steps: [{ run: 'create-readonly', text: '0 100 linear /dev/A 0' }] },
  // Messages.
  {
    steps: [
      { run: 'create', text: '0 8 zero' },
      { run: 'message', text: '0 nonsense' },
      { run: 'message', text: '8 nonsense' },
      { run: 'message', text: '0 @nonsense' },
    ],
  },
  ...[
    '0:1',
    '0:2 :1 R2,6',
    ':1 :2',
    'R1,5',
    'r2,1',
    '7:0',
    '8:0',
    '0:3',
    '0:',
    ':',
    '0',
    'x:1',
  ].map(switchMessage),
  ...['0x1:1', '0:1x', '-1:1', 'R', 'R1', 'R1,', 'R,1', 'R1,1x', 'R0,1', 'R1,8', 'R1,0'].map(
    switchMessage,
  ),
  ...['R1,fffffffff', '10000000000000001:2', '0:1 1:2 9:0', '7:1 :1', ''].map(switchMessage),
  ...['1:1 R2,3 0:0 R1,2 :2', '0:1,1:1', '0:0 R1', '00000000000000000000000003:1'].map(
    switchMessage,
  ),
  {
    steps: [
      switchTable,
      { run: 'message', text: '0 SET_REGION_MAPPINGS 0:2' },
      { run: 'message', text: '0 nonsense 0:2' },
      { run: 'message', text: '60 set_region_mappings 1:2' },
      { run: 'message', text: '64 set_region_mappings 2:2' },
    ],
  },
];
