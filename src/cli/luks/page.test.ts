import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LUKS_COMMANDS } from './commands.ts';
import { commandPage } from './page.ts';

test.each(Object.entries(LUKS_COMMANDS))(
  'docs/luks/%s.md says what the help says: npm run luks-pages',
  async (name, entry) => {
    const path = new URL(`../../../docs/luks/${name}.md`, import.meta.url);
    expect(readFileSync(path, 'utf8')).toBe(commandPage(await entry.load(), entry.aliases));
  },
);
