import { expect, test } from 'vitest';
import { conciseOfLines, formatConcise, parseConcise } from './concise.ts';

function parsed(text: string) {
  const devices = [];
  try {
    for (const device of parseConcise(text)) devices.push(device);
  } catch (error) {
    const { message, details } = error as { message: string; details: string | null };
    return { devices, message, details };
  }
  return { devices, message: null, details: null };
}

const zero = { uuid: '', minor: null, readOnly: false, table: '0 8 zero' };

// What dmsetup 1.02.185 did with each of them in a 6.12 kernel.
const read: [text: string, devices: object[]][] = [
  ['', []],
  ['a,,,,0 8 zero', [{ ...zero, name: 'a' }]],
  ['a,,,,0 8 zero,8 8 error', [{ ...zero, name: 'a', table: '0 8 zero\n8 8 error' }]],
  [
    'a,,,,0 8 zero;\nb,U,5,ro,0 8 zero;\n',
    [
      { ...zero, name: 'a' },
      { name: 'b', uuid: 'U', minor: 5, readOnly: true, table: '0 8 zero' },
    ],
  ],
  [
    ' a , , , , 0 8 zero ; b,,,,0 8 zero',
    [
      { ...zero, name: ' a ', table: '0 8 zero ' },
      { ...zero, name: 'b' },
    ],
  ],
  ['a\\,b,u\\;x,,,0 8 zero', [{ ...zero, name: 'a,b', uuid: 'u;x' }]],
  ['a\\\\,,,,0 8 zero', [{ ...zero, name: 'a\\' }]],
  ['a,,x,,0 8 zero', [{ ...zero, name: 'a', minor: 0 }]],
  ['a,,5:3,,0 8 zero', [{ ...zero, name: 'a', minor: 5 }]],
  ['a,,3000000,,0 8 zero', [{ ...zero, name: 'a', minor: 902848 }]],
];

test.each(read)('reads %j', (text, devices) => {
  expect(parsed(text)).toEqual({ devices, message: null, details: null });
});

const five = 'five comma-separated fields are required for each device';
const refused: [text: string, count: number, message: string, details: string | null][] = [
  [
    'a,,,,0 8 zero;;b,,,,0 8 zero',
    1,
    `F${five.slice(1)}`,
    'Parsed 1 fields: name:  uuid: (null) minor: (null) flags: (null) table: (null)',
  ],
  [
    'a,,,',
    0,
    `Incomplete entry: ${five}`,
    'Parsed 4 fields: name: a uuid:  minor:  flags:  table: (null)',
  ],
  [
    'a,,,rw',
    0,
    `F${five.slice(1)}`,
    'Parsed 4 fields: name: a uuid:  minor:  flags: rw table: (null)',
  ],
  [
    'a,,,,',
    0,
    `Incomplete entry: ${five}`,
    'Parsed 5 fields: name: a uuid:  minor:  flags:  table: ',
  ],
  [
    'a,,,,0 8 zero,',
    0,
    `Incomplete entry: ${five}`,
    'Parsed 5 fields: name: a uuid:  minor:  flags:  table: 0 8 zero\n',
  ],
  [
    'a,,,,0 8 zero\\',
    0,
    'Backslash must be followed by another character at end of string.',
    'Parsed 5 fields: name: a uuid:  minor:  flags:  table: 0 8 zero',
  ],
  ['a,,,xx,0 8 zero', 0, "Invalid flags parameter 'xx' must be 'ro' or 'rw' or empty.", null],
  ['a,,,ro ,0 8 zero', 0, "Invalid flags parameter 'ro ' must be 'ro' or 'rw' or empty.", null],
];

test.each(refused)('refuses %j, but not what stands before', (text, count, message, details) => {
  const result = parsed(text);
  expect(result.devices).toHaveLength(count);
  expect(result).toMatchObject({ message, details });
});

test('what is printed reads as the same devices', () => {
  const rows = ['0 8 linear /a,b\\ c;d 0', '8 8 zero '];
  const text = formatConcise([
    { name: 'p,q;r\\s', uuid: '', minor: 0, readOnly: false, rows },
    { name: 'rr', uuid: 'u,v;w', minor: 1, readOnly: true, rows: ['0 8 zero '] },
  ]);
  expect(text).toContain('p\\,q\\;r\\\\s,,0,rw,');
  expect(parsed(text).devices).toEqual([
    { name: 'p,q;r\\s', uuid: '', minor: 0, readOnly: false, table: rows.join('\n') },
    { name: 'rr', uuid: 'u,v;w', minor: 1, readOnly: true, table: '0 8 zero ' },
  ]);
});

test('a file has comments, a device a line, and lines that go on', () => {
  const text =
    '# devices\na,,,,0 8 zero\n\nb,,,,0 8 zero;\nc,,,ro,\n  0 8 zero,\n8 8 error;d,,,,0 1 zero\n#end';
  const lines = [...parseConcise(conciseOfLines(text))].map(({ name, table }) => [name, table]);
  expect(lines).toEqual([
    ['a', '0 8 zero'],
    ['b', '0 8 zero'],
    ['c', '0 8 zero\n8 8 error'],
    ['d', '0 1 zero'],
  ]);
});
