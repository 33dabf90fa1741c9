/** The command line of the benchmark. */

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { COMPARISONS, type Comparison } from './comparisons.ts';
import { ROWS, type Row } from './jobs.ts';
import { OURS, PEERS, type ServerName } from './servers.ts';

export const HELP = `Usage: npm run bench -- [options]

Serves one volume of two disks in devmapper, nbdkit and qemu-nbd and compares them with fio and nbdcopy.

  --rounds N      rounds, of which the median counts (default 3)
  --seconds N     length of one measurement (default 2)
  --size MIB      size of each of the two disks (default 256)
  --dir FOLDER    where the images lie (default /dev/shm)
  --rows LIST     ids, "default", or "all", which adds: our server with other tables (default "default")
                  ids: ${[...ROWS, ...COMPARISONS].map(({ id }) => id).join(' ')}
  --tries N       repeat a measurement that other processes disturb, up to N times, and keep the least
                  disturbed one (default 1)
  --only LIST     servers: "ours", "peers", or names: ${[OURS, ...PEERS].join(' ')}
  --quick         a smoke run: one short round over small disks; judges nothing
  --check         exit status 1 when a bar is missed
  --json          results as JSON on standard output
  --micro         instead: what the core costs per bio, without any server
  --isolation     instead: whether a slow disk slows another device down
  --fuse          instead: a device as a file through FUSE, compared with a loop device (root)
  --control       instead: the daemon through its control socket, and what a command costs
  --cipher        instead: the ciphers alone, compared with openssl speed
  --luks          instead: encrypted images, compared with nbdkit's and qemu-nbd's luks
  --reencrypt     instead: re-encryption of a LUKS2 image, compared with cryptsetup
  --crashtest     instead: states after a power cut that a check looks at in a second
  --snapshot      instead: snapshots and their origins, compared with a linear row

Examples:
  npm run bench -- --only ours --rows read-4k --seconds 10
  npm run bench -- --rows all --check
`;

export interface Options {
  mode:
    | 'side-by-side'
    | 'micro'
    | 'isolation'
    | 'fuse'
    | 'control'
    | 'luks'
    | 'reencrypt'
    | 'snapshot'
    | 'crashtest'
    | 'cipher'
    | 'help';
  rounds: number;
  seconds: number;
  tries: number;
  diskBytes: number;
  dir: string;
  servers: ServerName[];
  rows: Row[];
  comparisons: Comparison[];
  quick: boolean;
  check: boolean;
  json: boolean;
}

const MIB = 2 ** 20;

export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      tries: { type: 'string' },
      size: { type: 'string' },
      dir: { type: 'string' },
      rows: { type: 'string', default: 'default' },
      only: { type: 'string', default: 'ours,peers' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      micro: { type: 'boolean', default: false },
      isolation: { type: 'boolean', default: false },
      fuse: { type: 'boolean', default: false },
      control: { type: 'boolean', default: false },
      luks: { type: 'boolean', default: false },
      reencrypt: { type: 'boolean', default: false },
      snapshot: { type: 'boolean', default: false },
      crashtest: { type: 'boolean', default: false },
      cipher: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick, check, json } = values;
  if (quick && check)
    throw new Error('Cannot combine --check with --quick: a smoke run judges nothing');
  const modes = [
    'help',
    'micro',
    'isolation',
    'fuse',
    'control',
    'luks',
    'reencrypt',
    'snapshot',
    'crashtest',
    'cipher',
  ] as const;

  const mode = modes.find((name) => values[name]) ?? 'side-by-side';
  return {
    mode,
    rounds: positive('--rounds', values.rounds, quick ? 1 : 3),
    seconds: positive('--seconds', values.seconds, quick ? 0.5 : 2),
    tries: positive('--tries', values.tries, 1),
    diskBytes: positive('--size', values.size, quick ? 32 : 256) * MIB,
    dir: values.dir ?? defaultFolder(),
    servers: parseServers(values.only),
    ...parseRows(values.rows),
    quick,
    check,
    json,
  };
}

/** tmpfs where there is one, so that no disk is measured. */
function defaultFolder(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

function positive(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} expected a number above 0, got "${text}"`);
  return value;
}

function parseServers(list: string): ServerName[] {
  const names = list.split(',').flatMap((word): ServerName[] => {
    if (word === 'ours') return [OURS];
    if (word === 'peers') return [...PEERS];
    const name = ([OURS, ...PEERS] as const).find((known) => known === word);
    if (name === undefined) throw new Error(`--only does not know a server "${word}"`);
    return [name];
  });
  return [...new Set(names)];
}

function parseRows(list: string): { rows: Row[]; comparisons: Comparison[] } {
  if (list === 'default') return { rows: [...ROWS], comparisons: [] };
  if (list === 'all') return { rows: [...ROWS], comparisons: [...COMPARISONS] };
  const words = list.split(',');
  const unknown = words.find((word) => ![...ROWS, ...COMPARISONS].some(({ id }) => id === word));
  if (unknown !== undefined) throw new Error(`--rows does not know a row "${unknown}"`);
  return {
    rows: ROWS.filter(({ id }) => words.includes(id)),
    comparisons: COMPARISONS.filter(({ id }) => words.includes(id)),
  };
}
