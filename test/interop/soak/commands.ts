/**
 * Random requests to a daemon, as the clients of a soak send them. All of them are legal to ask; most fail for a reason, since others
 * are at the same devices.
 */

import { DmError } from '../../../src/base/errors.ts';
import type { Prng } from '../../../src/base/prng.ts';
import type { DmClient } from '../../../src/control/client/dm-client.ts';
import type { RowSpec } from '../../../src/core/table.ts';

export const DEVICE_COUNT = 50;
const ROW_SECTORS = 256;
const MAPPED_MAJOR = 252;

export function soakName(index: number): string {
  return `d${index}`;
}

/** What a daemon may answer when several hands are at one device. */
const EXPECTED_CODES: readonly string[] = [
  'EBUSY',
  'EEXIST',
  'EINTR',
  'EINVAL',
  'ENODATA',
  'ENOENT',
  'ENXIO',
];

export interface SoakCommand {
  /** For reports. */
  text: string;
  run(client: DmClient): Promise<unknown>;
}

/** `run` and what it came to: `ok` or an errno's name. Throws what no daemon may answer. */
export async function perform({ text, run }: SoakCommand, client: DmClient): Promise<string> {
  try {
    await run(client);
    return 'ok';
  } catch (error) {
    if (error instanceof DmError && EXPECTED_CODES.includes(error.code)) return error.code;
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`${text}: ${words}`, { cause: error });
  }
}

type Maker = (prng: Prng, name: string) => SoakCommand;

function command(text: string, run: SoakCommand['run']): SoakCommand {
  return { text, run };
}

/** How often, and what. */
const MAKERS: readonly (readonly [weight: number, make: Maker])[] = [
  [12, (_, name) => command(`create ${name}`, (client) => client.create({ name }))],
  [14, makeLoad],
  [20, (_, name) => command(`resume ${name}`, (client) => client.resume({ name }))],
  [6, makeSuspend],
  [8, makeRemove],
  [4, makeRename],
  [3, makeSetUuid],
  [6, makeMessage],
  [4, (_, name) => command(`clear ${name}`, (client) => client.clear({ name }))],
  [3, makeWait],
  [2, makeNextEvent],
  [8, makeQuery],
  [2, () => command('list', (client) => client.list())],
  [1, () => command('targets', (client) => client.targetVersions())],
  [1, makeGeometry],
];
const TOTAL_WEIGHT = MAKERS.reduce((sum, [weight]) => sum + weight, 0);
/** Rare, or nothing else would have a device to be at. */
const REMOVE_ALL_CHANCE = 1 / 2000;

export function randomCommand(prng: Prng): SoakCommand {
  if (prng.chance(REMOVE_ALL_CHANCE)) {
    return command('remove_all', (client) => client.removeAll());
  }
  let ticket = prng.integer(0, TOTAL_WEIGHT - 1);
  const chosen = MAKERS.find(([weight]) => {
    ticket -= weight;
    return ticket < 0;
  })!;
  return chosen[1](prng, randomName(prng));
}

function randomName(prng: Prng): string {
  return soakName(prng.integer(0, DEVICE_COUNT - 1));
}

function makeLoad(prng: Prng, name: string): SoakCommand {
  const rows = randomRows(prng);
  const text = rows.map(({ type, params }) => `${type} ${params}`).join(', ');
  const readOnly = prng.chance(0.1);
  return command(`load ${name}: ${text}`, (client) => client.load({ name }, rows, { readOnly }));
}

function randomRows(prng: Prng): RowSpec[] {
  return Array.from({ length: prng.integer(1, 4) }, (_, index) => {
    const [type, params] = randomTarget(prng);
    return { start: index * ROW_SECTORS, length: ROW_SECTORS, type, params };
  });
}

function randomTarget(prng: Prng): [type: string, params: string] {
  const operand = () => randomOperand(prng);
  return prng.pick<() => [string, string]>([
    () => ['zero', ''],
    () => ['error', ''],
    () => ['linear', `${operand()} ${prng.integer(0, 64)}`],
    () => ['linear', `${operand()} 0`],
    () => ['striped', `2 8 ${operand()} 0 ${operand()} 0`],
    () => ['nosuch', ''],
  ])();
}

function randomOperand(prng: Prng): string {
  if (prng.chance(0.3)) return 'mem:1M';
  if (prng.chance(0.4)) return `image${prng.integer(0, 3)}`;
  if (prng.chance(0.5)) return `${MAPPED_MAJOR}:${prng.integer(0, DEVICE_COUNT)}`;
  return `mapper/${randomName(prng)}`;
}

function makeSuspend(prng: Prng, name: string): SoakCommand {
  const noflush = prng.chance(0.5);
  return command(`suspend ${name}`, (client) => client.suspend({ name }, { noflush }));
}

function makeRemove(prng: Prng, name: string): SoakCommand {
  const deferred = prng.chance(0.3);
  return command(`remove ${name}`, (client) => client.remove({ name }, { deferred }));
}

function makeRename(prng: Prng, name: string): SoakCommand {
  const newName = randomName(prng);
  return command(`rename ${name} ${newName}`, (client) => client.rename({ name }, newName));
}

function makeSetUuid(prng: Prng, name: string): SoakCommand {
  const uuid = `UUID-${prng.integer(0, DEVICE_COUNT)}`;
  return command(`uuid ${name} ${uuid}`, (client) => client.setUuid({ name }, uuid));
}

function makeMessage(prng: Prng, name: string): SoakCommand {
  const text = prng.pick([
    '@stats_create - /4',
    '@stats_create - 100 precise_timestamps',
    '@stats_list',
    '@stats_print 0',
    '@stats_clear 0',
    '@stats_delete 0',
    '@cancel_deferred_remove',
    'nonsense',
  ]);
  return command(`message ${name} ${text}`, (client) => client.message({ name }, 0, text));
}

function makeWait(prng: Prng, name: string): SoakCommand {
  const eventNumber = prng.integer(0, 3);
  const limitMs = prng.integer(0, 300);
  return command(`wait ${name} ${eventNumber}`, (client) =>
    client.wait({ name }, eventNumber, { kind: 'status', signal: AbortSignal.timeout(limitMs) }),
  );
}

function makeNextEvent(prng: Prng): SoakCommand {
  const limitMs = prng.integer(0, 300);
  return command('next event', (client) =>
    client.nextEvent({ signal: AbortSignal.timeout(limitMs) }),
  );
}

function makeQuery(prng: Prng, name: string): SoakCommand {
  const inactive = prng.chance(0.3);
  const kind = prng.pick(['table', 'status', 'measurement'] as const);
  return prng.pick([
    command(`info ${name}`, (client) => client.status({ name }, { inactive })),
    command(`deps ${name}`, (client) => client.dependencies({ name }, { inactive })),
    command(`${kind} ${name}`, (client) => client.table({ name }, { kind, inactive })),
  ]);
}

function makeGeometry(_: Prng, name: string): SoakCommand {
  const geometry = { cylinders: 10, heads: 4, sectors: 8, start: 0 };
  return command(`geometry ${name}`, (client) => client.setGeometry({ name }, geometry));
}
