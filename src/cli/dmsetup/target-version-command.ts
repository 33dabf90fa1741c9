/** `devmapper target-version`. */

import type { TargetVersion } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { request } from './failure.ts';
import { print, printJson } from './print.ts';

const HELP = `
Examples:
  devmapper target-version linear striped
`;

export function addTargetVersionCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'target-version',
    usage: '<target>...',
    summary: 'print the versions of target types',
    operands: [1, Infinity],
    options: ['json'],
    help: HELP,
    run: printTargetVersions,
  });
}

async function printTargetVersions({ operands, options }: Invocation): Promise<void> {
  const targets: object[] = [];
  await withClient(options, async (client) => {
    for (const name of operands) {
      const target = await request('target-version', { name }, () => client.targetVersion(name));
      if (options.json) targets.push({ ...target, version: target.version.join('.') });
      else print(versionLine(target));
    }
  });
  if (options.json) printJson({ targets });
}

export function versionLine({ name, version }: TargetVersion): string {
  return `${name.padEnd(16)} v${version.join('.')}\n`;
}
