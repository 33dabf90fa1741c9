/** `devmapper ls --tree`. */

import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { formatDeviceNumber } from '../../core/device.ts';
import { openBlockNames } from './deps-names.ts';
import { request } from './failure.ts';
import { readTreeOptions, type TreeOptions } from './ls-options.ts';
import { manglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { print, printJson } from './print.ts';
import { readDependencyTree, type TreeNode } from './tree.ts';
import { drawTree, SYMBOLS } from './tree-text.ts';

/** Of what is no terminal, and of one that does not say. */
const DEFAULT_COLUMNS = 80;
/** dmsetup leaves so many free at the right of a terminal, for the `...`. */
const RESERVED_COLUMNS = 3;

export async function printTree(client: DmClient, options: DmsetupOptions): Promise<void> {
  const shown = readTreeOptions(options.options, isUtf8(process.env));
  const tree = await request('deps', {}, () => readDependencyTree(client));
  const roots = shown.inverted ? tree.bottoms : tree.tops;
  const facts = await readNodeFacts(client, tree.devices, shown, options);
  if (options.json) {
    printJson({ devices: describeTree(tree, facts) });
    return;
  }
  print(
    drawTree(roots, {
      symbols: SYMBOLS[shown.symbols],
      compact: shown.compact,
      inverted: shown.inverted,
      label: (node) => labelOf(node, shown, facts),
      columns: lineColumns(shown),
    }),
  );
}

/** What a label needs, by device number. */
interface NodeFacts {
  name: string;
  blockName: string | null;
  status: DeviceStatus | null;
}

type FactsByNumber = ReadonlyMap<string, NodeFacts>;

async function readNodeFacts(
  client: DmClient,
  devices: readonly TreeNode[],
  shown: TreeOptions,
  options: DmsetupOptions,
): Promise<FactsByNumber> {
  const names = shown.blkdevname || options.json ? await openBlockNames(client) : null;
  const needsStatus = shown.active || shown.rw || shown.open || shown.uuid || options.json;
  const mode = manglingMode(options);
  const facts = new Map<string, NodeFacts>();
  for (const node of [...devices, ...devices.flatMap(({ uses }) => uses)]) {
    const number = formatDeviceNumber(node.number);
    if (facts.has(number)) continue;
    const isMapped = node.name !== '';
    facts.set(number, {
      name: isMapped ? unmangle(node.name, 'name', mode) : '',
      blockName: (await names?.blockName(node.number)) ?? null,
      status: isMapped && needsStatus ? await client.status({ name: node.name }) : null,
    });
  }
  return facts;
}

function labelOf(node: TreeNode, shown: TreeOptions, facts: FactsByNumber): string | null {
  const { name, blockName, status } = facts.get(formatDeviceNumber(node.number))!;
  if (name === '' && !shown.device && !shown.blkdevname) return null;
  const block = shown.blkdevname && blockName !== null ? ` <${blockName}>` : '';
  const number = shown.device ? ` (${formatDeviceNumber(node.number)})` : '';
  return `${name}${block}${number}${status === null ? '' : attributesOf(status, shown)}`;
}

function attributesOf(status: DeviceStatus, { active, rw, open, uuid }: TreeOptions): string {
  const words: string[] = [];
  if (active) words.push(status.suspended ? 'SUSPENDED' : 'ACTIVE');
  if (rw) words.push(status.readOnly ? 'RO' : 'RW');
  if (open) words.push(String(status.openCount));
  if (uuid) words.push(unmangle(status.uuid, 'UUID', 'auto'));
  return words.length === 0 ? '' : ` [${words.join(', ')}]`;
}

/** As nodes of a graph: a device that many use would otherwise be there as often as there are ways to it. */
function describeTree(
  { devices }: { devices: readonly TreeNode[] },
  facts: FactsByNumber,
): object[] {
  const numberOf = ({ number }: TreeNode) => formatDeviceNumber(number);
  return devices.map((node) => {
    const { name, status } = facts.get(numberOf(node))!;
    return {
      name,
      number: numberOf(node),
      uuid: unmangle(status!.uuid, 'UUID', 'auto'),
      suspended: status!.suspended,
      readOnly: status!.readOnly,
      openCount: status!.openCount,
      uses: node.uses.map(numberOf),
      usedBy: node.usedBy.map(numberOf),
    };
  });
}

function lineColumns({ symbols, truncate }: TreeOptions): number | null {
  if (!truncate) return null;
  const { isTTY, columns } = process.stdout;
  const isKnown = isTTY && symbols !== 'vt100' && columns > RESERVED_COLUMNS;
  return isKnown ? columns - RESERVED_COLUMNS : DEFAULT_COLUMNS;
}

/** What nl_langinfo(CODESET) would say of this environment. */
function isUtf8(environment: NodeJS.ProcessEnv): boolean {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  return /utf-?8/i.test(locale);
}
