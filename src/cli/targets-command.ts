/** `devmapper targets`: what a row of a table can be, as `dmsetup targets` prints it. */

import type { Command } from 'commander';
import type { TargetInfo } from '../mapper/device-mapper.ts';

const EXAMPLES = `
Examples:
  devmapper targets            name and version, as dmsetup prints them
  devmapper targets -v         with arguments and what each is for
  devmapper targets --json     the same for programs`;

interface TargetsOptions {
  verbose?: boolean;
  json?: boolean;
}

export function addTargetsCommand(program: Command): void {
  program
    .command('targets')
    .description('list the target types and their versions')
    .option('-v, --verbose', 'with arguments and purpose')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: TargetsOptions) => {
      const { DeviceMapper } = await import('../mapper/device-mapper.ts');
      process.stdout.write(formatTargets(new DeviceMapper().targets(), options));
    });
}

export function formatTargets(targets: readonly TargetInfo[], options: TargetsOptions): string {
  if (options.json) {
    const list = targets.map(({ version, ...rest }) => ({ ...rest, version: version.join('.') }));
    return `${JSON.stringify({ targets: list })}\n`;
  }
  return targets.map((target) => formatTarget(target, options.verbose ?? false)).join('');
}

function formatTarget({ name, version, usage, summary }: TargetInfo, verbose: boolean): string {
  const line = `${name.padEnd(16)} v${version.join('.')}\n`;
  if (!verbose) return line;
  const row = `<start> <length> ${name} ${usage}`.trimEnd();
  return `${line}    ${summary}\n    ${row}\n`;
}
