/** `devmapper targets`: the target types of the mapper, as dmsetup prints them; with -v what each is for, which dmsetup does not know. */

import type { TargetVersion } from '../../control/client/dm-client.ts';
import { addDmsetupCommand, type CommandHost, type Invocation } from './command.ts';
import { withClient } from './connect.ts';
import { request } from './failure.ts';
import type { DmsetupOptions } from './options.ts';
import { print } from './print.ts';
import { versionLine } from './target-version-command.ts';

const HELP = `
Examples:
  devmapper targets            name and version, as dmsetup prints them
  devmapper targets -v         with arguments and what each is for
  devmapper targets --json     the same for programs
`;

export function addTargetsCommand(host: CommandHost): void {
  addDmsetupCommand(host, {
    name: 'targets',
    usage: '',
    summary: 'list the target types and their versions',
    operands: [0, 0],
    options: ['verbose', 'json'],
    help: HELP,
    run: listTargets,
  });
}

interface DescribedTarget extends TargetVersion {
  usage?: string;
  summary?: string;
}

function listTargets({ options }: Invocation): Promise<void> {
  return withClient(options, async (client) => {
    const targets = await request('targets', {}, () => client.targetVersions());
    const wantsWords = options.json ?? options.verbose;
    const described =
      wantsWords && client.backend === 'devmapper' ? await describe(targets) : targets;
    print(formatTargets(described, options));
  });
}

/** Arguments and purpose, from the registry of this program: the daemon's is the same. */
async function describe(targets: readonly TargetVersion[]): Promise<DescribedTarget[]> {
  const { DeviceMapper } = await import('../../mapper/device-mapper.ts');
  const known = new DeviceMapper().targets();
  return targets.map((target) => {
    const info = known.find(({ name }) => name === target.name);
    return info ? { ...target, usage: info.usage, summary: info.summary } : target;
  });
}

export function formatTargets(
  targets: readonly DescribedTarget[],
  { json, verbose }: DmsetupOptions,
): string {
  if (json) {
    const list = targets.map(({ version, ...rest }) => ({ ...rest, version: version.join('.') }));
    return `${JSON.stringify({ targets: list })}\n`;
  }
  return targets
    .map((target) => `${versionLine(target)}${verbose ? wordsOf(target) : ''}`)
    .join('');
}

function wordsOf({ name, usage, summary }: DescribedTarget): string {
  if (usage === undefined || summary === undefined) return '';
  return `    ${summary}\n    ${`<start> <length> ${name} ${usage}`.trimEnd()}\n`;
}
