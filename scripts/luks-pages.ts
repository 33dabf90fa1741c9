/** `npm run luks-pages`: writes docs/luks/COMMAND.md, a page for each command of `devmapper luks`, from what its help says. */

import { writeFileSync } from 'node:fs';
import { LUKS_COMMANDS } from '../src/cli/luks/commands.ts';
import { commandPage } from '../src/cli/luks/page.ts';

for (const [name, entry] of Object.entries(LUKS_COMMANDS)) {
  const path = new URL(`../docs/luks/${name}.md`, import.meta.url);
  writeFileSync(path, commandPage(await entry.load(), entry.aliases));
}
