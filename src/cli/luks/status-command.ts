/** `devmapper luks status`. */

import { basename } from 'node:path';
import type { DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import type { RowSpec } from '../../core/table.ts';
import { openClient } from '../dmsetup/connect.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { lookUpCryptDevice } from './crypt-device.ts';
import { WRONG_DEVICE } from './status.ts';

const HELP = `
The text is cryptsetup's status. Exit status 0: the device is there, 4: it is not.

Examples:
  devmapper luks status secret
  devmapper luks status --json secret
`;

export const statusCommand: LuksCommand = {
  name: 'status',
  usage: '<name> [options]',
  summary: 'say what a device is made of',
  operands: [1, 1],
  options: ['json'],
  help: HELP,
  run: status,
};

interface Facts {
  name: string;
  active: true;
  inUse: boolean;
  type: string;
  cipher: string;
  keyBits: number;
  keyLocation: 'keyring' | 'dm-crypt';
  device: string;
  sectorBytes: number;
  offsetSectors: number;
  sizeSectors: number;
  readOnly: boolean;
  suspended: boolean;
  flags: string[];
}

async function status({ operands: [name = ''], options }: LuksInvocation): Promise<number> {
  await using client = await openClient();
  const device = await lookUpCryptDevice(client, name);
  const facts = device === null ? null : await factsOf(client, device, name);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(facts ?? { name, active: false })}\n`);
  } else {
    process.stdout.write(facts === null ? `/dev/mapper/${name} is inactive.\n` : describe(facts));
  }
  return facts === null ? WRONG_DEVICE : 0;
}

async function factsOf(client: DmClient, device: DeviceStatus, asked: string): Promise<Facts> {
  const { uuid, openCount, readOnly, suspended } = device;
  const { rows } = await client.table({ name: device.name }, { kind: 'table' });
  const crypt = rows.find(({ type }) => type === 'crypt') ?? rows[0];
  const features = crypt?.type === 'crypt' ? cryptWords(crypt) : plainWords(crypt);
  return {
    name: basename(asked),
    active: true,
    inUse: openCount > 0,
    type: /^CRYPT-([A-Z0-9]+)-/.exec(uuid)?.[1] ?? 'n/a',
    ...features,
    sizeSectors: rows.reduce((end, { start, length }) => Math.max(end, start + length), 0),
    readOnly,
    suspended,
  };
}

type Words = Pick<
  Facts,
  'cipher' | 'keyBits' | 'keyLocation' | 'device' | 'sectorBytes' | 'offsetSectors' | 'flags'
>;

/** `<cipher> <key> <iv_offset> <device> <offset> [<count> <option>...]`; blanks in the device are escaped. */
function cryptWords({ params }: RowSpec): Words {
  const words = params.split(/(?<!\\) /);
  const [cipher = '', key = '', , device = '', offset = '0', , ...options] = words;
  const [, referenceBytes] = /^:(\d+):/.exec(key) ?? [];
  const keyBytes = referenceBytes === undefined ? key.length / 2 : Number(referenceBytes);
  const sector = options.find((each) => each.startsWith('sector_size:'));
  return {
    cipher,
    keyBits: 8 * keyBytes,
    keyLocation: referenceBytes === undefined ? 'dm-crypt' : 'keyring',
    device: device.replaceAll(/\\(.)/g, '$1'),
    sectorBytes: sector === undefined ? 512 : Number(sector.replace('sector_size:', '')),
    offsetSectors: Number(offset),
    flags: options.filter((each) => each !== sector).map(flagName),
  };
}

/** A volume of which nothing is encrypted yet, or any more. */
function plainWords(row: RowSpec | undefined): Words {
  const [device = '', offset = '0'] = (row?.params ?? '').split(/(?<!\\) /);
  const nothing = {
    cipher: '(null)',
    keyBits: 0,
    keyLocation: 'dm-crypt',
    sectorBytes: 512,
  } as const;
  return { ...nothing, device, offsetSectors: Number(offset), flags: [] };
}

/** As cryptsetup prints dm-crypt's options. */
function flagName(option: string): string {
  return option === 'allow_discards' ? 'discards' : option;
}

function describe(facts: Facts): string {
  const { name, inUse, flags, suspended } = facts;
  const lines = [
    `/dev/mapper/${name} is active${inUse ? ' and is in use' : ''}.`,
    `  type:    ${facts.type}`,
    `  cipher:  ${facts.cipher}`,
    `  keysize: ${facts.keyBits} bits`,
    `  key location: ${facts.keyLocation}`,
    `  device:  ${facts.device}`,
    `  sector size:  ${facts.sectorBytes}`,
    `  offset:  ${facts.offsetSectors} sectors`,
    `  size:    ${facts.sizeSectors} sectors`,
    `  mode:    ${facts.readOnly ? 'readonly' : 'read/write'}${suspended ? ' (suspended)' : ''}`,
    ...(flags.length === 0 ? [] : [`  flags:   ${flags.join(' ')} `]),
  ];
  return `${lines.join('\n')}\n`;
}
