/** Runs every example of the documentation: docs/examples, and the ts blocks of Markdown pages and doc comments. */

import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the checkout, so that `devmapper` means this package. */
const folder = join(root, '.cache', `examples-${process.pid}`);

async function run(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', path], {
    cwd: root,
    timeout: 60_000,
  });
  return stdout;
}

/** The code behind each opening fence; in a doc comment every line begins with ` * `. */
function snippets(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/^ +\* ?/gm, '');
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code!);
  return blocks.filter(
    (code) => /from 'devmapper/.test(code) && /^(const .* = )?await /m.test(code),
  );
}

/** What an example says that it prints, below its last code. */
function promisedOutput(source: string): string {
  const [, comment] = /^\/\/ Prints:\n((?:\/\/ .*\n)+)$/m.exec(source) ?? [];
  return comment?.replaceAll(/^\/\/ /gm, '') ?? '';
}

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('docs/examples', () => {
  const names = readdirSync(join(root, 'docs/examples')).filter((name) => name.endsWith('.ts'));
  test.each(names)('%s prints what it says', async (name) => {
    const path = join(root, 'docs/examples', name);
    const promised = promisedOutput(readFileSync(path, 'utf8'));
    expect(promised).not.toBe('');
    expect(await run(path)).toBe(promised);
  });
});

describe.each([
  ['README.md', 1],
  ['docs/library.md', 3],
  ['docs/guides/crash-testing.md', 1],
  ['src/mapper/luks.ts', 1],
  ['src/crashtest/crashtest.ts', 1],
  ['src/mapper/device-mapper.ts', 1],
  ['src/mapper/volume.ts', 1],
  ['src/mapper/serve-nbd.ts', 1],
  ['src/mapper/nbd-client.ts', 1],
])('%s', (path, count) => {
  test('its snippets run', async () => {
    const codes = snippets(path);
    expect(codes.length).toBeGreaterThanOrEqual(count);
    for (const [index, code] of codes.entries()) {
      const file = join(folder, `${path.replaceAll(/\W/g, '-')}-${index}.ts`);
      writeFileSync(file, code);
      const output = await run(file);
      // `console.log(x); // 7` promises its output.
      for (const [, expected] of code.matchAll(/^ *console\.log\(.*\); \/\/ (\S+)$/gm)) {
        expect(output.split('\n')).toContain(expected);
      }
    }
  });
});
