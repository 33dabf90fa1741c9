/** The columns of `devmapper info -c`: names, headings, widths and words are dmsetup's. */

import { formatDeviceNumber } from '../../core/device.ts';
import {
  type Field,
  FieldFailure,
  type FieldGroup,
  type FieldLine,
  type FieldValue,
  fieldOfLine,
} from '../report/field.ts';
import type { DeviceFacts } from './info-facts.ts';
import { mangle, unmangle } from './mangle.ts';
import { splitLvmName } from './splitname.ts';

export const NAME_FIELDS: FieldGroup = { prefix: 'name', title: 'Mapped Device Name' };
export const INFO_FIELDS: FieldGroup = { prefix: 'info', title: 'Mapped Device Information' };
export const DEPENDENCY_FIELDS: FieldGroup = {
  prefix: 'deps',
  title: 'Mapped Device Relationship Information',
};
/** Needs all devices. */
export const TREE_FIELDS: FieldGroup = { prefix: 'tree', title: DEPENDENCY_FIELDS.title };
export const SPLIT_FIELDS: FieldGroup = {
  prefix: 'splitname',
  title: 'Mapped Device Name Components',
};

type Status = NonNullable<DeviceFacts['status']>;
type Value = (facts: DeviceFacts) => FieldValue;
type Line = readonly [group: FieldGroup, ...FieldLine<Value>];

function ofStatus(value: (status: Status, facts: DeviceFacts) => FieldValue): Value {
  return (facts) => facts.status && value(facts.status, facts);
}

const NAMES: readonly Line[] = [
  [
    NAME_FIELDS,
    'name',
    'Name',
    16,
    'string',
    ofStatus(({ name }, { mangling }) => unmangle(name, 'name', mangling)),
    'Name of mapped device.',
  ],
  [
    NAME_FIELDS,
    'mangled_name',
    'MangledName',
    16,
    'string',
    ofStatus(({ name }) => mangle(name, 'name', 'auto')),
    'Mangled name of mapped device.',
  ],
  [
    NAME_FIELDS,
    'unmangled_name',
    'UnmangledName',
    16,
    'string',
    ofStatus(({ name }) => unmangle(name, 'name', 'auto')),
    'Unmangled name of mapped device.',
  ],
  [
    NAME_FIELDS,
    'uuid',
    'UUID',
    32,
    'string',
    ofStatus(({ uuid }, { mangling }) => unmangle(uuid, 'UUID', mangling)),
    'Unique (optional) identifier for mapped device.',
  ],
  [
    NAME_FIELDS,
    'mangled_uuid',
    'MangledUUID',
    32,
    'string',
    ofStatus(({ uuid }) => mangle(uuid, 'UUID', 'auto')),
    'Mangled unique (optional) identifier for mapped device.',
  ],
  [
    NAME_FIELDS,
    'unmangled_uuid',
    'UnmangledUUID',
    32,
    'string',
    ofStatus(({ uuid }) => unmangle(uuid, 'UUID', 'auto')),
    'Unmangled unique (optional) identifier for mapped device.',
  ],
  [
    NAME_FIELDS,
    'read_ahead',
    'RAhead',
    6,
    'number',
    ({ readAheadSectors }) => (readAheadSectors === null ? 0 : readAheadSectors),
    'Read ahead value.',
  ],
];

const INFORMATION: readonly Line[] = [
  [INFO_FIELDS, 'blkdevname', 'BlkDevName', 16, 'string', blockNameOf, 'Name of block device.'],
  [
    INFO_FIELDS,
    'attr',
    'Stat',
    4,
    'string',
    ofStatus(attributes),
    '(L)ive, (I)nactive, (s)uspended, (r)ead-only, read-(w)rite.',
  ],
  [
    INFO_FIELDS,
    'tables_loaded',
    'Tables',
    6,
    'string',
    ofStatus(tablesLoaded),
    'Which of the live and inactive table slots are filled.',
  ],
  [
    INFO_FIELDS,
    'suspended',
    'Suspended',
    9,
    'string',
    ofStatus(({ suspended }) => (suspended ? 'Suspended' : 'Active')),
    'Whether the device is suspended.',
  ],
  [
    INFO_FIELDS,
    'readonly',
    'Read-only',
    9,
    'string',
    ofStatus(({ readOnly }) => (readOnly ? 'Read-only' : 'Writeable')),
    'Whether the device is read-only or writeable.',
  ],
  [
    INFO_FIELDS,
    'devno',
    'DevNo',
    5,
    'string',
    ofStatus(({ number }) => formatDeviceNumber(number)),
    'Device major and minor numbers',
  ],
  [
    INFO_FIELDS,
    'major',
    'Maj',
    3,
    'number',
    ofStatus(({ number }) => number.major),
    'Block device major number.',
  ],
  [
    INFO_FIELDS,
    'minor',
    'Min',
    3,
    'number',
    ofStatus(({ number }) => number.minor),
    'Block device minor number.',
  ],
  [
    INFO_FIELDS,
    'open',
    'Open',
    4,
    'number',
    ofStatus(({ openCount }) => openCount),
    'Number of references to open device, if requested.',
  ],
  [
    INFO_FIELDS,
    'segments',
    'Targ',
    4,
    'number',
    ofStatus(({ targetCount }) => targetCount),
    'Number of segments in live table, if present.',
  ],
  [
    INFO_FIELDS,
    'events',
    'Event',
    6,
    'number',
    ofStatus(({ eventNumber }) => eventNumber),
    'Number of most recent event.',
  ],
];

const RELATIONSHIPS: readonly Line[] = [
  [
    DEPENDENCY_FIELDS,
    'device_count',
    '#Devs',
    5,
    'number',
    ({ uses }) => uses?.length,
    'Number of devices used by this one.',
  ],
  [
    TREE_FIELDS,
    'devs_used',
    'DevNamesUsed',
    16,
    'string',
    ({ node }) => node && join(node.uses, ({ name }) => name),
    'List of names of mapped devices used by this one.',
  ],
  [
    DEPENDENCY_FIELDS,
    'devnos_used',
    'DevNosUsed',
    16,
    'string',
    ({ uses }) => uses && join(uses, ({ number }) => formatDeviceNumber(number)),
    'List of device numbers of devices used by this one.',
  ],
  [
    DEPENDENCY_FIELDS,
    'blkdevs_used',
    'BlkDevNamesUsed',
    16,
    'string',
    ({ uses }) => uses && join(uses, ({ blockName }) => blockName),
    'List of names of block devices used by this one.',
  ],
  [
    TREE_FIELDS,
    'device_ref_count',
    '#Refs',
    5,
    'number',
    ({ node }) => node?.usedBy.length,
    'Number of mapped devices referencing this one.',
  ],
  [
    TREE_FIELDS,
    'names_using_dev',
    'RefNames',
    8,
    'string',
    ({ node }) => node && join(node.usedBy, ({ name }) => name),
    'List of names of mapped devices using this one.',
  ],
  [
    TREE_FIELDS,
    'devnos_using_dev',
    'RefDevNos',
    9,
    'string',
    ({ node }) => node && join(node.usedBy, ({ number }) => formatDeviceNumber(number)),
    'List of device numbers of mapped devices using this one.',
  ],
];

const COMPONENTS: readonly Line[] = [
  [
    SPLIT_FIELDS,
    'subsystem',
    'Subsys',
    6,
    'string',
    ({ split }) => split?.subsystem,
    'Userspace subsystem responsible for this device.',
  ],
  [
    SPLIT_FIELDS,
    'vg_name',
    'VG',
    4,
    'string',
    (facts) => partsOf(facts)?.vgName,
    'LVM Volume Group name.',
  ],
  [
    SPLIT_FIELDS,
    'lv_name',
    'LV',
    4,
    'string',
    (facts) => partsOf(facts)?.lvName,
    'LVM Logical Volume name.',
  ],
  [
    SPLIT_FIELDS,
    'lv_layer',
    'LVLayer',
    7,
    'string',
    (facts) => partsOf(facts)?.lvLayer,
    'LVM device layer.',
  ],
];

/** For rows of any kind that know their device. */
export function deviceFields<Row>(factsOf: (row: Row) => DeviceFacts): Field<Row>[] {
  return [...NAMES, ...INFORMATION, ...RELATIONSHIPS, ...COMPONENTS].map(([group, ...line]) =>
    fieldOfLine(group, line, (value, row) => value(factsOf(row))),
  );
}

function join<T>(items: readonly T[], text: (item: T) => string): string {
  return items
    .map(text)
    .filter((each) => each !== '')
    .join(',');
}

function blockNameOf({ blockName, status }: DeviceFacts): FieldValue {
  if (blockName !== null) return blockName;
  const number = formatDeviceNumber(status!.number);
  throw new FieldFailure(`Could not resolve block device name for ${number}.`);
}

function attributes({ liveTable, inactiveTable, suspended, readOnly }: Status): string {
  return [
    liveTable ? 'L' : '-',
    inactiveTable ? 'I' : '-',
    suspended ? 's' : '-',
    readOnly ? 'r' : 'w',
  ].join('');
}

function tablesLoaded({ liveTable, inactiveTable }: Status): string {
  if (liveTable) return inactiveTable ? 'Both' : 'Live';
  return inactiveTable ? 'Inactive' : 'None';
}

function partsOf({ split }: DeviceFacts) {
  if (split === undefined || split.subsystem === 'LVM') return split && splitLvmName(split.name);
  return { vgName: '', lvName: '', lvLayer: '' };
}
