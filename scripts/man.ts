/** `npm run man`: writes man/devmapper.1; `npm pack` does it too. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { manPage } from '../src/cli/man-page.ts';
import { createProgram } from '../src/cli/program.ts';
import { packageVersion } from '../src/cli/version.ts';

const folder = fileURLToPath(new URL('../man', import.meta.url));
const date = new Date().toISOString().slice(0, 10);
mkdirSync(folder, { recursive: true });
const page = manPage(await createProgram(null), { version: packageVersion(), date });
writeFileSync(`${folder}/devmapper.1`, page);
