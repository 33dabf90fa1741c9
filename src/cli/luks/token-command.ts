/** `devmapper luks token`. */

import { readFileSync, writeFileSync } from 'node:fs';
import type { Luks2Volume } from '../../formats/luks/types.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { requireLuks2 } from './requests.ts';
import { wrongWords } from './words.ts';

const HELP = `
Tokens tell programs where a passphrase may come from. They are kept as they are; nothing here asks one for a passphrase.

Examples:
  devmapper luks token add --key-description my:key --key-slot 0 disk.img
  devmapper luks token import --json-file token.json disk.img
  devmapper luks token export --token-id 0 disk.img
  devmapper luks token remove --token-id 0 disk.img
`;

export const tokenCommand: LuksCommand = {
  name: 'token',
  usage: '<add|remove|import|export> <image> [options]',
  summary: 'add, remove, import or export tokens (LUKS2)',
  operands: [2, 2],
  options: [
    'token-id',
    'token-replace',
    'key-description',
    'key-slot',
    'unbound',
    'json-file',
    'header',
  ],
  help: HELP,
  run: token,
};

type Action = (volume: Luks2Volume, options: LuksOptions) => Promise<void>;

const ACTIONS: Readonly<Record<string, { writes: boolean; run: Action }>> = {
  add: { writes: true, run: addToken },
  remove: { writes: true, run: removeToken },
  import: { writes: true, run: importToken },
  export: { writes: false, run: exportToken },
};

async function token({ operands, options }: LuksInvocation): Promise<void> {
  const [name = '', path = ''] = operands;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (!action)
    throw wrongWords('Invalid token operation.', 'expected add, remove, import or export');
  await withImage(path, options, action.writes ? 'header' : 'read', (image) =>
    action.run(requireLuks2(image, 'tokens'), options),
  );
}

async function addToken(volume: Luks2Volume, options: LuksOptions): Promise<void> {
  const description = options['key-description'];
  if (description === undefined) {
    throw wrongWords('--key-description parameter is mandatory for token add action.');
  }
  const slot = options['key-slot'];
  const slots =
    slot !== undefined ? [slot] : options.unbound ? [] : volume.slots().map((each) => each.slot);
  const text = JSON.stringify({
    type: 'luks2-keyring',
    keyslots: slots.map(String),
    key_description: description,
  });
  await volume.importToken(text, placeOf(options));
}

async function removeToken(volume: Luks2Volume, options: LuksOptions): Promise<void> {
  await volume.removeToken(requiredToken(options));
}

async function importToken(volume: Luks2Volume, options: LuksOptions): Promise<void> {
  const text = readFileSync(options['json-file'] ?? 0, 'utf8');
  await volume.importToken(text, placeOf(options));
}

function exportToken(volume: Luks2Volume, options: LuksOptions): Promise<void> {
  const text = volume.tokenText(requiredToken(options));
  const file = options['json-file'];
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  return Promise.resolve();
}

function placeOf(options: LuksOptions): { token?: number; replace?: boolean } {
  const id = options['token-id'];
  return { ...(id !== undefined && { token: id }), replace: options['token-replace'] === true };
}

function requiredToken(options: LuksOptions): number {
  const id = options['token-id'];
  if (id !== undefined) return id;
  throw wrongWords('Action requires specific token. Use --token-id parameter.');
}
