/**
 * One list of cases, run over every way that a connection can be served; the outcome must be the same everywhere.
 * The device: a file, zeroes, errors, a striped pair of files and memory, one behind the other.
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import { Command, CommandFlag } from '../../src/protocols/nbd/constants.ts';
import type { Answer, NbdClient, Query } from './nbd-client.ts';

const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Byte offsets of the rows. */
export const ROWS = {
  file: 0,
  zero: 2 * MIB,
  error: 3 * MIB,
  striped: 3.5 * MIB,
  memory: 5.5 * MIB,
  end: 6.5 * MIB,
};
export const BIG_BYTES = 40 * MIB;
export const IMAGES = { a: 2 * MIB + 64 * KIB, b: 2 * MIB, c: 2 * MIB, big: BIG_BYTES } as const;

export interface CaseTable {
  name: string;
  rows: string[];
  readOnly?: boolean;
}

export function caseTables(folder: string): CaseTable[] {
  const file = (name: keyof typeof IMAGES) => join(folder, `${name}.img`);
  const at = (bytes: number) => bytes / SECTOR;
  const { zero, error, striped, memory, end } = ROWS;
  return [
    {
      name: 'disk',
      rows: [
        `0 ${at(zero)} linear ${file('a')} 128`,
        `${at(zero)} ${at(error - zero)} zero`,
        `${at(error)} ${at(striped - error)} error`,
        `${at(striped)} ${at(memory - striped)} striped 2 64 ${file('b')} 0 ${file('c')} 0`,
        `${at(memory)} ${at(end - memory)} linear mem:1M 0`,
      ],
    },
    { name: 'big', rows: [`0 ${at(BIG_BYTES)} linear ${file('big')} 0`] },
    { name: 'ro', rows: [`0 ${at(zero)} linear ${file('c')} 0`], readOnly: true },
  ];
}

export interface Case {
  name: string;
  exportName?: string;
  /** Asks for what a process without system calls of its own cannot do: holes. */
  needsHoles?: boolean;
  contexts?: string[];
  run(client: NbdClient): Promise<unknown>;
}

const hash = (data: Uint8Array) => createHash('sha1').update(data).digest('hex').slice(0, 12);

function outcome({ error, data, statuses }: Answer): unknown {
  return { error, data: data.length > 0 && error === 0 ? hash(data) : '', statuses };
}

/** The outcome, or that the server hung up. */
async function ask(client: NbdClient, query: Query): Promise<unknown> {
  try {
    return outcome(await client.request(query));
  } catch (error) {
    return (error as Error).message;
  }
}

async function askAll(client: NbdClient, queries: Query[]): Promise<unknown[]> {
  return Promise.all(queries.map((query) => ask(client, query)));
}

/** Random for a while and then over again, since making random bytes takes longer than sending them. */
export function bytes(length: number, seed: number): Uint8Array {
  const random = createPrng(seed).fill(new Uint8Array(Math.min(length, 60 * KIB + 512)));
  const all = new Uint8Array(length);
  for (let at = 0; at < length; at += random.length) {
    all.set(random.subarray(0, Math.min(random.length, length - at)), at);
  }
  return all;
}

const { read, write, flush, trim, cache, writeZeroes, blockStatus } = Command;

const PLACES = [
  { name: 'file', offset: ROWS.file + 8 * KIB },
  { name: 'zero', offset: ROWS.zero },
  { name: 'error', offset: ROWS.error },
  { name: 'striped', offset: ROWS.striped + 12 * KIB },
  { name: 'memory', offset: ROWS.memory },
  { name: 'file and zero', offset: ROWS.zero - 4 * KIB },
  { name: 'zero and error', offset: ROWS.error - 4 * KIB },
  { name: 'error and striped', offset: ROWS.striped - 4 * KIB },
  { name: 'striped and memory', offset: ROWS.memory - 4 * KIB },
];
const LENGTHS = [512, 4 * KIB, 20 * KIB, 64 * KIB, 200 * KIB, 256 * KIB];

const transfers: Case[] = PLACES.flatMap(({ name, offset }) => [
  {
    name: `reads of ${name}`,
    run: (client) =>
      askAll(
        client,
        LENGTHS.map((length) => ({ command: read, offset, length })),
      ),
  },
  {
    name: `writes to ${name}`,
    async run(client) {
      const outcomes: unknown[] = [];
      for (const [index, length] of LENGTHS.entries()) {
        const data = bytes(length, index);
        outcomes.push(await ask(client, { command: write, offset, data }));
        outcomes.push(await ask(client, { command: read, offset, length: 512 }));
      }
      if (name.includes('error')) return outcomes;
      return [...outcomes, await ask(client, { command: read, offset, length: 256 * KIB })];
    },
  },
]);

const commands: [string, number][] = [
  ['read', read],
  ['trim', trim],
  ['cache', cache],
  ['zeroes', writeZeroes],
];

const ranges: [string, number, number][] = [
  ['nothing', 0, 0],
  ['nothing at the end', ROWS.end, 0],
  ['nothing behind the end', ROWS.end + 512, 0],
  ['an odd length', 0, 100],
  ['an odd offset', 100, 512],
  ['the last sector', ROWS.end - 512, 512],
  ['beyond the end', ROWS.end - 512, 1024],
  ['behind the end', ROWS.end, 512],
  ['far away', 2 ** 53 - 512, 512],
];

const judged: Case[] = ranges.flatMap(([what, offset, length]) => [
  ...commands.map(([name, command]) => ({
    name: `${name} of ${what}`,
    needsHoles: name === 'trim',
    run: (client: NbdClient) => ask(client, { command, offset, length }),
  })),
  {
    name: `write of ${what}`,
    run: (client: NbdClient) => ask(client, { command: write, offset, data: bytes(length, 1) }),
  },
]);

const flags: Case[] = Object.entries({ ...CommandFlag, unknown: 1 << 10 }).flatMap(
  ([name, flag]) => [
    ...[...commands, ['flush', flush] as const].map(([commandName, command]) => ({
      name: `${commandName} with flag ${name}`,
      needsHoles: commandName === 'trim' || name === 'fastZero',
      async run(client: NbdClient) {
        // With extended headers this flag announces a payload, which does not come.
        if (flag === CommandFlag.payloadLength && client.mode === 'extended') return null;
        const length = command === flush ? 0 : 4096;
        return ask(client, { command, offset: 0, length, flags: flag });
      },
    })),
    {
      name: `write with flag ${name}`,
      run: (client: NbdClient) =>
        ask(client, { command: write, offset: 0, data: bytes(4096, 9), flags: flag }),
    },
  ],
);

const effects: Case[] = [
  { name: 'an unknown command', run: (client) => ask(client, { command: 42, length: 512 }) },
  {
    name: 'zeroes of every kind',
    async run(client) {
      const outcomes: unknown[] = [];
      for (const flagSet of [0, CommandFlag.fua, CommandFlag.noHole]) {
        for (const offset of [0, ROWS.striped - MIB / 2, ROWS.striped, ROWS.memory]) {
          const range = { offset, length: 256 * KIB };
          await ask(client, { command: write, offset, data: bytes(300 * KIB, 3) });
          outcomes.push(await ask(client, { command: writeZeroes, ...range, flags: flagSet }));
          outcomes.push(await ask(client, { command: read, offset, length: 300 * KIB }));
        }
      }
      return outcomes;
    },
  },
  {
    name: 'trims and what is left',
    needsHoles: true,
    async run(client) {
      const outcomes: unknown[] = [];
      for (const offset of [0, ROWS.zero, ROWS.striped, ROWS.memory]) {
        await ask(client, { command: write, offset, data: bytes(512 * KIB, 4) });
        for (const flagSet of [0, CommandFlag.fua]) {
          const range = { offset, length: 256 * KIB, flags: flagSet };
          outcomes.push(await ask(client, { command: trim, ...range }));
        }
        outcomes.push(await ask(client, { command: read, offset, length: 512 * KIB }));
      }
      return outcomes;
    },
  },
  {
    name: 'flush, cache and durable writes',
    run: (client) =>
      askAll(client, [
        { command: flush },
        { command: cache, offset: 0, length: ROWS.zero },
        { command: cache, offset: ROWS.striped, length: MIB },
        { command: write, offset: 0, data: bytes(256 * KIB, 5), flags: CommandFlag.fua },
        { command: write, offset: ROWS.striped, data: bytes(MIB, 6), flags: CommandFlag.fua },
        { command: flush },
      ]),
  },
  ...['base:allocation', 'devmapper:target'].map((context) => ({
    name: `block status of ${context}`,
    needsHoles: context === 'base:allocation',
    contexts: [context],
    async run(client: NbdClient) {
      if (client.mode === 'simple') return null;
      await ask(client, { command: writeZeroes, offset: 0, length: MIB });
      await ask(client, { command: write, offset: 64 * KIB, data: bytes(64 * KIB, 7) });
      return askAll(client, [
        { command: blockStatus, offset: 0, length: ROWS.error },
        { command: blockStatus, offset: 0, length: ROWS.error, flags: CommandFlag.reqOne },
        { command: blockStatus, offset: ROWS.striped, length: 512 },
        { command: blockStatus, offset: 0, length: ROWS.end },
        { command: blockStatus, offset: ROWS.end, length: 512 },
      ]);
    },
  })),
];

const large: Case[] = [
  {
    name: 'the largest requests',
    exportName: 'big',
    async run(client) {
      const data = bytes(32 * MIB, 8);
      return [
        await ask(client, { command: read, offset: 4 * MIB, length: 32 * MIB }),
        await ask(client, { command: write, offset: MIB, data }),
        await ask(client, { command: read, offset: MIB, length: 32 * MIB }),
      ];
    },
  },
  {
    name: 'reads that are too large',
    exportName: 'big',
    async run(client) {
      return [
        await ask(client, { command: read, offset: 0, length: 32 * MIB + 512 }),
        await ask(client, { command: read, offset: 0, length: 512 }),
      ];
    },
  },
  {
    name: 'writes that are too large',
    exportName: 'big',
    async run(client) {
      return [
        await ask(client, { command: write, offset: 0, data: new Uint8Array(33 * MIB) }),
        await ask(client, { command: read, offset: 0, length: 4096 }),
      ];
    },
  },
  {
    name: 'writes that are far too large',
    exportName: 'big',
    run: (client) => ask(client, { command: write, offset: 0, length: 65 * MIB }),
  },
];

const readOnly: Case[] = [
  ['read', { command: read, offset: 0, length: 128 * KIB }],
  ['write', { command: write, offset: 0, data: bytes(512, 1) }],
  ['long write', { command: write, offset: 0, data: bytes(512 * KIB, 1) }],
  ['zeroes', { command: writeZeroes, offset: 0, length: 512 }],
  ['trim', { command: trim, offset: 0, length: 512 }],
  ['flush', { command: flush }],
].map(([name, query]) => ({
  name: `${name as string} of a read-only export`,
  exportName: 'ro',
  run: (client) => ask(client, query as Query),
}));

const endings: Case[] = [
  {
    name: 'bytes that are no request',
    async run(client) {
      client.socket.write(new Uint8Array(64).fill(0x5a));
      return (await client.ended)?.message ?? 'hung up';
    },
  },
  {
    name: 'a write with extended headers that announces no payload',
    async run(client) {
      if (client.mode !== 'extended') return null;
      const query = { command: write, offset: 0, length: 4096, withoutPayloadFlag: true };
      const answers = askAll(client, [query, { command: read, offset: 0, length: 4096 }]);
      return answers;
    },
  },
  {
    name: 'an orderly end with requests under way',
    async run(client) {
      const answers = askAll(client, underWay());
      await client.disconnect();
      return answers;
    },
  },
  {
    name: 'half a connection shut with requests under way',
    async run(client) {
      const answers = askAll(client, underWay());
      client.socket.end();
      const outcomes = await answers;
      await client.ended;
      return outcomes;
    },
  },
];

function underWay(): Query[] {
  return Array.from({ length: 24 }, (_, index) => {
    const offset = (index % 12) * 128 * KIB;
    if (index % 3 === 0) return { command: flush };
    if (index % 3 === 1) return { command: read, offset: 1600 * KIB, length: 96 * KIB };
    return { command: write, offset, data: bytes(16 * KIB, index), flags: CommandFlag.fua };
  });
}

export const CASES: readonly Case[] = [
  ...transfers,
  ...judged,
  ...flags,
  ...effects,
  ...large,
  ...readOnly,
  ...endings,
];
