/**
 * Every option of dmsetup (`dmsetup --help`, man dmsetup; those of `dmsetup stats` too), and ours. Like dmsetup, each command takes all of
 * them, before or after its name, and looks at those that mean something to it. Their order is that in getopt's message about
 * ambiguous names.
 */

import { badCommandLine } from './failure.ts';
import type { FoundOption, OptionSpec } from './getopt.ts';

export interface DmsetupOptionSpec extends OptionSpec {
  purpose: string;
}

const TABLE = [
  { long: 'readonly', short: 'r', purpose: 'the table being loaded is for reading only' },
  { long: 'alias', value: 'name', purpose: 'name of the group' },
  { long: 'alldevices', purpose: 'of all devices' },
  { long: 'allprograms', purpose: 'of all programs' },
  { long: 'allregions', purpose: 'of all regions' },
  { long: 'area', purpose: 'an object a row for each area' },
  { long: 'areas', value: 'number', purpose: 'divide a region into so many areas' },
  { long: 'areasize', value: 'size', purpose: 'divide a region into areas of this size' },
  { long: 'bounds', value: 'list', purpose: 'bounds of a histogram of latencies' },
  { long: 'checks', purpose: 'for compatibility: requests are always checked' },
  { long: 'clear', purpose: 'set counters to zero after reading them' },
  { long: 'columns', short: 'cC', purpose: 'a line of columns for each device' },
  { long: 'concise', purpose: 'one line for everything: name,uuid,minor,flags,table;...' },
  { long: 'count', value: 'number', purpose: 'repeat a report so often, 0: until interrupted' },
  { long: 'deferred', purpose: 'an open device goes when its last user closes it' },
  { long: 'exec', value: 'command', purpose: 'run a command with the name of each device' },
  { long: 'select', short: 'S', value: 'selection', purpose: 'only devices that match' },
  { long: 'filemap', purpose: 'a region for each extent of a file' },
  { long: 'follow', value: 'mode', purpose: 'how to follow a file: inode, path, or none' },
  { long: 'force', short: 'f', purpose: 'try harder' },
  { long: 'foreground', purpose: 'do not run in the background' },
  { long: 'gid', short: 'G', value: 'gid', purpose: 'group of the node; only the kernel has one' },
  { long: 'groupid', value: 'id', purpose: 'id of a group' },
  { long: 'group', purpose: 'an object a row for each group' },
  { long: 'help', short: 'h', purpose: 'print help' },
  { long: 'histogram', purpose: 'print histograms' },
  { long: 'inactive', purpose: 'about the inactive table' },
  { long: 'interval', value: 'seconds', purpose: 'time between reports' },
  { long: 'length', value: 'size', purpose: 'length of a region' },
  { long: 'major', short: 'j', value: 'major', purpose: 'the device with this number' },
  {
    long: 'manglename',
    value: 'auto|hex|none',
    purpose: 'how characters outside of 0-9A-Za-z#+-.:=@_ are written',
  },
  { long: 'minor', short: 'm', value: 'minor', purpose: 'the device with this number' },
  {
    long: 'mode',
    short: 'M',
    value: 'octal_mode',
    purpose: 'mode of the node; only the kernel has one',
  },
  { long: 'nameprefixes', purpose: "fields as DM_NAME='value'" },
  { long: 'nogroup', purpose: 'do not make a group of the regions' },
  { long: 'noflush', purpose: 'leave I/O or metadata where it is' },
  { long: 'noheadings', purpose: 'no line of headings' },
  { long: 'nolockfs', purpose: 'do not synchronise a file system first' },
  { long: 'noopencount', purpose: 'do not ask how often a device is open' },
  { long: 'nosuffix', purpose: 'sizes without unit' },
  { long: 'notable', short: 'n', purpose: 'create the device without a table' },
  { long: 'notimesuffix', purpose: 'times without unit' },
  { long: 'udevcookie', value: 'cookie', purpose: 'for compatibility: there is no udev' },
  { long: 'nomonitor', purpose: 'do not follow a file' },
  { long: 'noudevrules', purpose: 'for compatibility: there is no udev' },
  { long: 'noudevsync', purpose: 'for compatibility: there is no udev' },
  { long: 'options', short: 'o', value: 'fields', purpose: 'what to show' },
  { long: 'precise', purpose: 'count nanoseconds' },
  { long: 'programid', value: 'id', purpose: 'of this program' },
  { long: 'raw', purpose: 'values as they are' },
  {
    long: 'readahead',
    value: '[+]sectors|auto|none',
    purpose: 'what the device tells programs to read ahead',
  },
  { long: 'region', purpose: 'an object a row for each region' },
  { long: 'regions', value: 'list', purpose: 'ids of regions' },
  { long: 'regionid', value: 'id', purpose: 'id of a region' },
  { long: 'relative', purpose: 'histograms in percent' },
  { long: 'retry', purpose: 'while the device is open, try again for some seconds' },
  { long: 'rows', purpose: 'a line for each field' },
  { long: 'segments', purpose: 'a region for each row of the table' },
  { long: 'separator', value: 'separator', purpose: 'between fields' },
  { long: 'setuuid', purpose: 'set the uuid of a device that has none' },
  { long: 'showkeys', purpose: 'print encryption keys' },
  { long: 'sort', short: 'O', value: 'fields', purpose: 'sort by fields; -field: in reverse' },
  { long: 'start', value: 'size', purpose: 'start of a region' },
  { long: 'table', value: 'rows|file', purpose: 'rows, or the path of a file with rows' },
  { long: 'target', value: 'type', purpose: 'only rows of this target type' },
  { long: 'tree', purpose: 'dependencies as a tree' },
  { long: 'uid', short: 'U', value: 'uid', purpose: 'owner of the node; only the kernel has one' },
  { long: 'units', value: 'unit', purpose: 'unit of sizes' },
  { long: 'unbuffered', purpose: 'rows as they come, not aligned' },
  { long: 'unquoted', purpose: 'values without quotes' },
  { long: 'userdata', value: 'text', purpose: 'text kept with a region' },
  { long: 'uuid', short: 'u', value: 'uuid', purpose: 'the device with this uuid' },
  { long: 'verbose', short: 'v', purpose: 'say more' },
  { long: 'verifyudev', purpose: 'for compatibility: there is no udev' },
  { long: 'version', purpose: 'print the version' },
  { long: 'yes', short: 'y', purpose: 'answer yes to every question' },
  { long: 'addnodeonresume', purpose: 'for compatibility: there are no nodes' },
  { long: 'addnodeoncreate', purpose: 'for compatibility: there are no nodes' },
  { long: 'json', purpose: 'print one line of JSON' },
  { long: 'kernel', purpose: 'drive the device mapper of this kernel ($DEVMAPPER_BACKEND=kernel)' },
] as const satisfies readonly DmsetupOptionSpec[];

type Entry = (typeof TABLE)[number];
export type OptionName = Entry['long'];
type ValueName = Extract<Entry, { value: string }>['long'];
type NumberName = 'major' | 'minor' | 'count' | 'interval';

/** Given options by their long names; `verbose` counts. */
export type DmsetupOptions = {
  [Name in Exclude<OptionName, ValueName | 'verbose'>]?: boolean;
} & { [Name in Exclude<ValueName, NumberName>]?: string } & {
  [Name in NumberName]?: number;
} & { verbose?: number };

export const OPTIONS: readonly DmsetupOptionSpec[] = TABLE;

export function optionSpec(name: OptionName): DmsetupOptionSpec {
  return OPTIONS.find(({ long }) => long === name)!;
}

const NUMBERS: readonly string[] = ['major', 'minor', 'count', 'interval'] satisfies NumberName[];

/** The last of several counts, as in dmsetup. */
export function collectOptions(found: readonly FoundOption[]): DmsetupOptions {
  const collected: Record<string, string | number | true> = {};
  for (const { spec, value } of found) {
    if (spec.long === 'verbose') collected['verbose'] = Number(collected['verbose'] ?? 0) + 1;
    else if (value === null) collected[spec.long] = true;
    else collected[spec.long] = NUMBERS.includes(spec.long) ? wholeNumber(spec.long, value) : value;
  }
  const options = collected as DmsetupOptions;
  checkTogether(options);
  return options;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badCommandLine(`Invalid argument for --${name}: "${text}" is not a whole number.`);
}

function checkTogether(options: DmsetupOptions): void {
  if ((options.major === undefined) !== (options.minor === undefined)) {
    throw badCommandLine('Please specify both major number and minor number.');
  }
  if (options.table !== undefined && options.notable) {
    throw badCommandLine('--table and --notable are incompatible.');
  }
  if (options.addnodeonresume && options.addnodeoncreate) {
    throw badCommandLine('--addnodeonresume and --addnodeoncreate are incompatible.');
  }
  const { manglename, mode, readahead } = options;
  if (manglename !== undefined && !['auto', 'hex', 'none'].includes(manglename)) {
    throw badCommandLine('Unknown name mangling mode.');
  }
  if (mode !== undefined && !/^[0-7]+$/.test(mode)) {
    throw badCommandLine(`Invalid argument for --mode: ${mode}. `);
  }
  if (readahead?.startsWith('-')) {
    throw badCommandLine(`Negative read ahead value (${readahead}) is not understood.`);
  }
}
