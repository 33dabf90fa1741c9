/** What is said of a line that makes no sense. */

import { expect, test } from 'vitest';
import { runLuks } from './run.ts';

test.each([
  ['open --test-passprase a x', "unknown option '--test-passprase'", 'devmapper luks open --help'],
  ['format -h', "option requires an argument -- 'h'", 'devmapper luks format --help'],
  ['--frob', "unknown option '--frob'", 'devmapper luks --help'],
  ['open -S x a b', '--key-slot expects a whole number', 'devmapper luks open --help'],
])('%s', async (line, reason, help) => {
  await expect(runLuks(line.split(' '))).rejects.toMatchObject({
    message: expect.stringContaining(reason),
    status: 1,
    details: [help],
  });
});
