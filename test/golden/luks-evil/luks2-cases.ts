/**
 * LUKS2 headers with one thing wrong, made after the list of cases that cryptsetup's own suite has, and the rules of the LUKS2 On-Disk Format
 * Specification 1.1.
 */

import { editBinary, editJson, jsonText, setText, sign } from './base.ts';
import type { EvilCase, Verdict } from './evil-case.ts';
import { metadataCases } from './metadata-cases.ts';

const text = (name: string, takenBy: Verdict, change: (text: string) => string): EvilCase => ({
  name,
  takenBy,
  change: (image) => setText(image, change(jsonText(image))),
});

const At = { version: 6, size: 8, sequence: 16, checksumName: 72, uuid: 168, offset: 256 };
const setSize = (view: DataView, bytes: number) => view.setBigUint64(At.size, BigInt(bytes));
const garbage = (image: Uint8Array, from: number, to: number) => image.fill(0xa5, from, to);

const copies: EvilCase[] = [
  { name: 'nothing wrong', takenBy: 'both', change: () => {} },
  { name: 'primary checksum', takenBy: 'both', change: (image) => garbage(image, 448, 450) },
  { name: 'secondary checksum', takenBy: 'both', change: (image) => garbage(image, 16832, 16834) },
  {
    name: 'both checksums',
    takenBy: 'nobody',
    change: (image) => {
      garbage(image, 448, 450);
      garbage(image, 16832, 16834);
    },
  },
  { name: 'primary magic', takenBy: 'both', change: (image) => garbage(image, 0, 6) },
  { name: 'primary gone', takenBy: 'both', change: (image) => image.fill(0, 0, 16384) },
  { name: 'secondary gone', takenBy: 'both', change: (image) => image.fill(0, 16384, 32768) },
  { name: 'both gone', takenBy: 'nobody', change: (image) => image.fill(0, 0, 32768) },
  {
    name: 'primary with the magic of the secondary',
    takenBy: 'both',
    change: (image) => editBinary(image, (view) => view.setUint32(0, 0x534b554c), 'primary'),
  },
  {
    name: 'version 3 in both',
    takenBy: 'nobody',
    change: (image) => editBinary(image, (view) => view.setUint16(At.version, 3)),
  },
  {
    name: 'size of no known header in both',
    takenBy: 'nobody',
    change: (image) => editBinary(image, (view) => setSize(view, 16385)),
  },
  {
    name: 'size of 2^63 in both',
    takenBy: 'nobody',
    change: (image) => editBinary(image, (view) => view.setBigUint64(At.size, 2n ** 63n)),
  },
  {
    name: 'size of 32 KiB in the primary only',
    takenBy: 'nobody',
    change: (image) => {
      editBinary(image, (view) => setSize(view, 32768), 'primary');
      sign(image, 'primary', 32768);
    },
  },
  {
    name: 'size of 0 in both',
    takenBy: 'nobody',
    change: (image) => editBinary(image, (view) => setSize(view, 0)),
  },
  {
    name: 'offset of another place in the primary',
    takenBy: 'both',
    change: (image) => editBinary(image, (view) => view.setBigUint64(At.offset, 4096n), 'primary'),
  },
  {
    name: 'offset 0 in both',
    takenBy: 'both',
    change: (image) => editBinary(image, (view) => view.setBigUint64(At.offset, 0n)),
  },
  {
    name: 'checksum algorithm nobody knows, in both',
    takenBy: 'nobody',
    change: (image) => editBinary(image, (view) => view.setUint8(At.checksumName, 0x78)),
  },
  {
    name: 'secondary newer by one',
    takenBy: 'both',
    change: (image) => editBinary(image, (view) => view.setUint8(At.sequence + 7, 9), 'secondary'),
  },
  {
    name: 'sequence number 2^64 - 1',
    takenBy: 'both',
    change: (image) => editBinary(image, (view) => view.setBigUint64(At.sequence, 2n ** 64n - 1n)),
  },
  {
    name: 'JSON broken in the primary, whole in the secondary',
    takenBy: 'both',
    change: (image) => setText(image, '{', 'primary'),
  },
  {
    name: 'JSON of two volumes, both right',
    takenBy: 'both',
    change: (image) =>
      editJson(
        image,
        (root) => {
          root.config.flags = ['allow-discards'];
        },
        'primary',
      ),
  },
];

const texts: EvilCase[] = [
  text('JSON that ends in the middle', 'nobody', (all) => all.slice(0, -1)),
  text('no JSON', 'nobody', () => ''),
  text('JSON array', 'nobody', () => '[]'),
  text('JSON null', 'nobody', () => 'null'),
  text('empty object', 'nobody', () => '{}'),
  text('text behind the object', 'nobody', (all) => `${all}x`),
  text('second object behind the first', 'nobody', (all) => `${all}{}`),
  text('space before the object', 'nobody', (all) => ` ${all}`),
  text('blanks and a line feed behind the object', 'both', (all) => `${all} \t\r\n`),
  text('spaces inside', 'both', (all) => all.replaceAll(',', ' , ')),
  text('single quotes', 'cryptsetup', (all) => all.replaceAll('"', "'")),
  text('comment', 'cryptsetup', (all) => all.replace('{', '{/* hello */')),
  text('comma at the end', 'cryptsetup', (all) => all.replace('{"type"', '{"x":[1,],"type"')),
  text('duplicate section', 'both', (all) =>
    all.replace('{"keyslots"', '{"keyslots":{},"keyslots"'),
  ),
  text('number with leading zeros', 'cryptsetup', (all) =>
    all.replace('"stripes":4000', '"stripes":04000'),
  ),
  text('number as 4e3', 'nobody', (all) => all.replace('"stripes":4000', '"stripes":4e3')),
  text('NaN', 'nobody', (all) => all.replace('"stripes":4000', '"stripes":NaN')),
  text('non-ASCII in a string', 'both', (all) =>
    all.replace('{"keyslots"', '{"x":"äöü","keyslots"'),
  ),
  text('40 arrays in each other', 'nobody', (all) =>
    all.replace('{"keyslots"', `{"x":${'['.repeat(40)}${']'.repeat(40)},"keyslots"`),
  ),
  text('a string of 8 KiB', 'both', (all) =>
    all.replace('{"keyslots"', `{"x":"${'y'.repeat(8192)}","keyslots"`),
  ),
  {
    name: 'JSON area full, without a NUL',
    takenBy: 'nobody',
    change: (image) => {
      const all = jsonText(image);
      setText(image, all.replace(/}$/, `,"x":"${'y'.repeat(12288 - all.length - 7)}"}`));
    },
  },
  {
    name: 'bytes behind the NUL',
    takenBy: 'nobody',
    change: (image) => setText(image, `${jsonText(image)}\0garbage`),
  },
  {
    name: 'bytes that are no UTF-8',
    takenBy: 'cryptsetup',
    change: (image) => {
      const all = new TextEncoder().encode(
        jsonText(image).replace('{"keyslots"', '{"x":"@@","keyslots"'),
      );
      all.set([0xff, 0xfe], all.indexOf(0x40));
      setText(image, all);
    },
  },
];

export const luks2Cases: readonly EvilCase[] = [...copies, ...texts, ...metadataCases];
