/** A command's page in docs/luks, in Markdown, from its declaration: what `--help` says is what the page says. */

import { COMMON_OPTIONS, type LuksCommand } from './command.ts';
import { type LuksOptionSpec, OPTIONS, type OptionName } from './option-table.ts';

export function commandPage(command: LuksCommand, aliases: readonly string[]): string {
  const { name, summary, usage } = command;
  const inCryptsetup = aliases.length === 0 ? [] : [`In cryptsetup: \`${aliases.join('`, `')}\`.`];
  const [about, examples] = splitHelp(command.help);
  return [
    `<!-- Written by npm run luks-pages -->`,
    `# devmapper luks ${name}`,
    `${sentence(summary)} ${inCryptsetup.join(' ')}`.trim(),
    `\`\`\`console\n$ devmapper luks ${name} ${usage.replaceAll(/\n\s*/g, ' ')}\n\`\`\``,
    ...(about === '' ? [] : [about]),
    `## Examples\n\n\`\`\`\n${examples}\n\`\`\``,
    `## Options\n\n${optionRows(command)}`,
    `Exit statuses, passphrases and key files: [the overview](README.md).`,
  ]
    .join('\n\n')
    .concat('\n');
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** What is said, and the lines of examples without their indentation; what follows them belongs to what is said. */
function splitHelp(help: string): [about: string, examples: string] {
  const [before = '', rest = ''] = help.split(/^Examples:\n/m);
  const [examples = '', after = ''] = rest.split(/\n\n/);
  const about = [before, after].map((text) => text.trim()).filter((text) => text !== '');
  return [about.join('\n\n'), examples.trimEnd().replaceAll(/^ {2}/gm, '')];
}

function optionRows({ options }: LuksCommand): string {
  const rows = [...options, ...COMMON_OPTIONS].map(optionRow).filter((row) => row !== null);
  return ['| option | |', '|---|---|', ...rows].join('\n');
}

function optionRow(name: OptionName): string | null {
  const { short, value, purpose, hidden }: LuksOptionSpec = OPTIONS[name];
  if (hidden === true) return null;
  const flags = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].join(', ');
  const text = value === undefined ? flags : `${flags} <${value}>`;
  return `| \`${text.replaceAll('|', '\\|')}\` | ${purpose.replaceAll('|', '\\|')} |`;
}
