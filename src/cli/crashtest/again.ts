/** The command line that brings a state back. */

import { resolve } from 'node:path';
import type { CrashtestOptions } from './crashtest-command.ts';

export function againCommand(
  { size, image, check, device }: CrashtestOptions,
  logPath: string | null,
  state: string,
): string {
  const words = ['devmapper', 'crashtest', '--log', logPath ?? 'LOG'];
  if (size !== undefined) words.push('--size', String(size));
  if (image !== undefined) words.push('--image', resolve(image));
  if (!device) words.push('--no-device');
  if (check !== undefined) words.push('--check', check);
  return [...words, '--state', state].map(shellWord).join(' ');
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
