/** Where dmsetup on our daemon, or our own commands, deliberately do not print what dmsetup prints on a kernel. */

export interface Difference {
  /** `exec`: real dmsetup on our daemon; `cli`: our commands. */
  sides: readonly ('exec' | 'cli')[];
  /** Keys of `CommandRecord`. */
  commands: RegExp;
  reason: string;
}

export const differences: readonly Difference[] = [
  {
    sides: ['exec'],
    commands: /^01-versions: dmsetup (targets|version|--version)$/,
    reason: 'What the driver is, and which targets it has, is its own',
  },
  {
    sides: ['exec'],
    commands: /^07-names: dmsetup remove_all$/,
    reason:
      'In a kernel dmsetup complains of a name, mangled twice, among those it removes; all are gone in both',
  },
  {
    sides: ['exec'],
    commands: /^09-concise: stat -c %a %u %g \/dev\/mapper\/s20$/,
    reason: 'What stands for a node in a private view belongs to its user, whatever -U and -G say',
  },
  {
    sides: ['cli'],
    commands:
      /^(05-life: dmsetup info nouuid|09-concise: dmsetup info -c -o name,minor,read_ahead -O minor)$/,
    reason: 'dmsetup asks the node for read-ahead, and complains of one that is not there',
  },
  {
    sides: ['exec', 'cli'],
    commands: /^11-refused-tables: dmsetup load self --table 0 8 linear \/dev\/mapper\/self 0$/,
    reason:
      'The node of a device without a table does not exist (ENOENT); the daemon knows the device without its node and says that it cannot stand on itself (EINVAL)',
  },
  {
    sides: ['exec', 'cli'],
    commands:
      /^11-refused-tables: dmsetup (create on --table 0 8 linear mapper\/self 0|ls)( \(2\))?$/,
    reason: 'mapper/NAME is a device operand of ours',
  },
  {
    sides: ['cli'],
    commands: /^01-versions: dmsetup( --version| version)$/,
    reason: 'The library is ours, and --version tells the version of devmapper alone',
  },
  {
    sides: ['cli'],
    commands: /^01-versions: dmsetup (help( -c)?|-h|info --help)$/,
    reason: 'Help is about our commands, and on standard output',
  },
  {
    sides: ['cli'],
    commands: /^01-versions: dmsetup$/,
    reason: 'Wrong words end with status 2, as everywhere in devmapper',
  },
  {
    sides: ['cli'],
    commands: /^12-refused-words: dmsetup (nosuchcommand|rem y)$/,
    reason: 'The same; and it says in other words that there is no such command',
  },
  {
    sides: ['cli'],
    commands: /^12-refused-words: dmsetup help extra$/,
    reason: 'There is no such command to help with',
  },
  {
    sides: ['cli'],
    commands:
      /^12-refused-words: dmsetup (--nosuchoption|ls --nosuchoption|--readahead|create x --table|create x -u|info -c --separator|info -c -o|load y --table|message x -1 foo|remove --nosuch y|table --target)$/,
    reason: 'The line in front is worded by getopt and begins with the name of the program',
  },
  {
    sides: ['cli'],
    commands:
      /^(07-names|12-refused-words): dmsetup create (-minus|x -[jm] (nonsense|-1)) --table 0 8 zero$/,
    reason: 'dmsetup takes a word for a number to be an option left out; we say which word it is',
  },
  {
    sides: ['cli'],
    commands: /^12-refused-words: dmsetup create x --udevcookie nonsense --table 0 8 zero$/,
    reason: 'There is no udev to wait for, so no cookie is looked at',
  },
  {
    sides: ['cli'],
    commands: /^03-linear: dmsetup info -vv lin$/,
    reason: 'More than one -v shows how libdevmapper works inside',
  },
  {
    sides: ['cli'],
    commands: /^13-refused-devices: dmsetup info \/dev\/mapper\/$/,
    reason: 'There is no folder of nodes that could be taken for a device',
  },
  {
    sides: ['cli'],
    commands: /^08-reports: dmsetup ls .*--exec echo dev$/,
    reason: 'The path is that of the device in our FUSE mount',
  },
  {
    sides: ['cli'],
    commands: /^08-reports: dmsetup info -c -o name -S name=~\[$/,
    reason: 'The words for a broken regular expression',
  },
  {
    sides: ['cli'],
    commands: /^09-concise: dmsetup create s4 --table table$/,
    reason: '--table takes the name of a file, as the help of dmsetup says that it does',
  },
];
