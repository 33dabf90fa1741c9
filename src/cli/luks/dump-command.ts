/** `devmapper luks dump`. */

import type { Secret } from '../../crypto/secret.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';
import type { LuksImage } from '../../mapper/luks/image.ts';
import { type LuksCommand, type LuksInvocation, UNLOCK_OPTIONS } from './command.ts';
import { confirm } from './confirm.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { requireLuks2 } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';

const HELP = `
The text is cryptsetup's luksDump. Nothing of it is secret but what --dump-volume-key prints.

Examples:
  devmapper luks dump disk.img
  devmapper luks dump --json disk.img                   the same facts for programs, LUKS1 and LUKS2
  devmapper luks dump --dump-json-metadata disk.img     the JSON on the disk, as it is (LUKS2)
  devmapper luks dump --dump-volume-key --key-file key.bin disk.img
`;

export const dumpCommand: LuksCommand = {
  name: 'dump',
  usage: '<image> [options]',
  summary: 'print what the header says',
  operands: [1, 1],
  options: [
    'type',
    'header',
    'json',
    'dump-json-metadata',
    'dump-volume-key',
    'dump-master-key',
    'volume-key-file',
    'master-key-file',
    'key-slot',
    'unbound',
    ...UNLOCK_OPTIONS,
    'tries',
  ],
  help: HELP,
  run: dump,
};

async function dump({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  await withImage(path, options, 'read', async ({ volume }) => {
    if (options['dump-volume-key']) await dumpKey(volume, path, options);
    else process.stdout.write(dumpText({ volume, path }, options));
  });
}

type Opened = Pick<LuksImage, 'volume' | 'path'>;

function dumpText({ volume, path }: Opened, options: LuksOptions): string {
  if (options.json) return `${JSON.stringify(volume.dumpJson(), null, 2)}\n`;
  if (!options['dump-json-metadata']) return volume.dumpText();
  return requireLuks2({ volume, path }, 'JSON in its header').metadataText();
}

const KEY_WARNING = [
  'The header dump with volume key is sensitive information',
  'that allows access to encrypted partition without a passphrase.',
  'This dump should be stored encrypted in a safe place.',
];

async function dumpKey(volume: LuksVolume, path: string, options: LuksOptions): Promise<void> {
  await confirm({ warning: KEY_WARNING, batchMode: options['batch-mode'] === true });
  const request = { prompt: `Enter passphrase for ${path}`, options, slot: options['key-slot'] };
  const unlocked = await unlock(volume, request);
  try {
    const file = options['volume-key-file'];
    if (file !== undefined) await writeKey(file, unlocked.volumeKey);
    else printKey(volume, path, unlocked.volumeKey);
  } finally {
    wipeUnlocked(unlocked);
  }
}

async function writeKey(file: string, key: Secret): Promise<void> {
  const { writeFileSync } = await import('node:fs');
  writeFileSync(file, key.bytes, { flag: 'wx', mode: 0o400 });
}

const BYTES_A_LINE = 16;

function printKey(volume: LuksVolume, path: string, key: Secret): void {
  const [cipherName, ...mode] = volume.cipher.split('-');
  const facts = [
    `LUKS header information for ${path}`,
    `Cipher name:   \t${cipherName}`,
    `Cipher mode:   \t${mode.join('-')}`,
    `Payload offset:\t${volume.dataOffsetBytes / 512}`,
    `UUID:          \t${volume.uuid}`,
    `MK bits:       \t${8 * key.lengthBytes}`,
    'MK dump:\t',
  ].join('\n');
  process.stdout.write(facts);
  const digits = hexDigits(key.bytes);
  try {
    process.stdout.write(digits);
  } finally {
    digits.fill(0);
  }
}

const LINE_START = Buffer.from('\n\t\t');

/** `f3 db ... 1d \n\t\t6c ...`: as bytes, because a string could not be wiped. */
function hexDigits(key: Uint8Array): Buffer {
  const lineCount = Math.ceil(key.byteLength / BYTES_A_LINE);
  const text = Buffer.alloc(3 * key.byteLength + (lineCount - 1) * LINE_START.length + 1);
  const digit = (value: number) => (value < 10 ? 0x30 + value : 0x57 + value);
  let at = 0;
  for (const [index, byte] of key.entries()) {
    if (index > 0 && index % BYTES_A_LINE === 0) at += LINE_START.copy(text, at);
    text[at] = digit(byte >> 4);
    text[at + 1] = digit(byte & 0xf);
    text[at + 2] = 0x20;
    at += 3;
  }
  text[at] = 0x0a;
  return text;
}
