/** `devmapper luks open`. */

import { DmError } from '../../base/errors.ts';
import type { DmClient } from '../../control/client/dm-client.ts';
import type { RowSpec } from '../../core/table.ts';
import type { Secret } from '../../crypto/secret.ts';
import type { LuksVolume } from '../../formats/luks/types.ts';
import type { LuksImage } from '../../mapper/luks/image.ts';
import { dataOperand, keyDescription, mappedRows, mappedUuid } from '../../mapper/luks/rows.ts';
import { VolumeKeys } from '../../mapper/luks/volume-keys.ts';
import { openClient } from '../dmsetup/connect.ts';
import { mangledName } from '../dmsetup/device-argument.ts';
import { CommandError } from '../failure.ts';
import { type LuksCommand, type LuksInvocation, UNLOCK_OPTIONS } from './command.ts';
import { mapFailure, withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { recoverFirst } from './recover.ts';
import { requireLuks2 } from './requests.ts';
import { BUSY, WRONG_PARAMETERS } from './status.ts';
import { unlock, unlockAgain, wipeUnlocked } from './unlock.ts';
import { wrongWords } from './words.ts';

const HELP = `
The device lives in the daemon, which is started if none runs: an NBD export of that name, a file where FUSE is mounted, a node under
"devmapper exec". Its table names the key by reference; the daemon's keyring gives it up as soon as the device has it.
"devmapper serve --luks IMAGE" does without a daemon.

Examples:
  devmapper luks open disk.img secret
  devmapper luks open --key-file key.bin --readonly disk.img secret
  devmapper luks open --test-passphrase disk.img         only checks the passphrase
  devmapper luks open --header disk.header disk.img secret
  devmapper luks open --allow-discards --persistent disk.img secret
      discards from now on, also when somebody else opens it
`;

const PERFORMANCE_OPTIONS = [
  'perf-same_cpu_crypt',
  'perf-submit_from_crypt_cpus',
  'perf-no_read_workqueue',
  'perf-no_write_workqueue',
] as const;

export const openCommand: LuksCommand = {
  name: 'open',
  usage: '<image> <name> [options]',
  summary: 'make a device of an encrypted image',
  operands: [1, 2],
  options: [
    'type',
    'header',
    ...UNLOCK_OPTIONS,
    'key-slot',
    'volume-key-file',
    'master-key-file',
    'verify-passphrase',
    'tries',
    'readonly',
    'allow-discards',
    'persistent',
    'shared',
    'test-passphrase',
    'unbound',
    ...PERFORMANCE_OPTIONS,
  ],
  help: HELP,
  run: open,
};

async function open({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', name] = operands;
  const isTest = options['test-passphrase'] === true;
  if (name === undefined && !isTest) {
    throw wrongWords(
      'Command requires device and mapped name as arguments.',
      `devmapper luks open ${path} NAME`,
    );
  }
  if (isTest) return await testPassphrase(path, options);
  await openDevice(path, checkedName(name ?? ''), options);
}

/** As the device mapper has it: what udev would not take in a name is written `\xNN`, as cryptsetup does. */
function checkedName(name: string): string {
  if (!name.includes('/')) return mangledName(name, {});
  throw wrongWords(`Name "${name}" invalid. It contains "/".`);
}

async function testPassphrase(path: string, options: LuksOptions): Promise<void> {
  await withImage(path, options, 'read', async ({ volume }) => {
    const unlocked = await unlock(volume, unlockRequest(path, options));
    wipeUnlocked(unlocked);
    if (options.verbose) process.stderr.write(`devmapper: Key slot ${unlocked.slot} unlocked.\n`);
  });
}

function unlockRequest(path: string, options: LuksOptions) {
  return {
    prompt: `Enter passphrase for ${path}`,
    options,
    slot: options['key-slot'],
    verify: options['verify-passphrase'] === true,
  };
}

async function openDevice(path: string, name: string, options: LuksOptions): Promise<void> {
  const access = options.persistent ? 'header' : 'read';
  const request = unlockRequest(path, options);
  using recovered = await recoverFirst(path, options, request);
  await withImage(path, options, access, async (image) => {
    const { volume, data } = image;
    // Before anybody is asked for a passphrase: what could not be mapped anyway.
    const segments = volume.segments(data.sizeBytes);
    await using client = await openClient({ start: true });
    await checkUnused(client, { name, volume, path }, options);
    const unlocked = await unlockAgain(volume, recovered, request);
    try {
      using keys = await VolumeKeys.of(volume, segments, unlocked);
      const allowDiscards = options['allow-discards'] ?? volume.flags.includes('allow-discards');
      const rows = mappedRows(volume, segments, {
        data: dataOperand(path),
        keyBytes: (digest) => keys.get(digest).lengthBytes,
        allowDiscards,
      });
      await withKeys(client, volume, keys, () =>
        createDevice(client, image, { name, rows, readOnly: options.readonly === true }),
      );
    } finally {
      wipeUnlocked(unlocked);
    }
    if (options.persistent) await keepFlags(image, options);
  });
}

interface Wanted {
  name: string;
  volume: LuksVolume;
  path: string;
}

async function checkUnused(
  client: DmClient,
  { name, volume, path }: Wanted,
  options: LuksOptions,
): Promise<void> {
  const devices = await client.list();
  if (devices.some((device) => device.name === name)) throw nameTaken(name);
  const prefix = mappedUuid(volume, '');
  const other = devices.find(({ uuid }) => uuid?.startsWith(prefix));
  if (other === undefined || options.shared) return;
  throw new CommandError(`Cannot use device ${path} which is in use (already mapped or mounted).`, {
    status: BUSY,
    details: [
      `the device ${other.name} maps it; two would write over each other (--shared allows it)`,
    ],
  });
}

function nameTaken(name: string): CommandError {
  return new CommandError(`Device ${name} already exists.`, {
    status: BUSY,
    details: [`devmapper luks close ${name}, or another name`],
  });
}

/** The daemon has the keys until the table is loaded, and gives them up by itself; without a table they are taken back. */
async function withKeys(
  client: DmClient,
  volume: LuksVolume,
  keys: VolumeKeys,
  run: () => Promise<void>,
): Promise<void> {
  const descriptions = keys.digests.map((digest) => keyDescription(volume, digest));
  try {
    for (const [index, digest] of keys.digests.entries()) {
      await addKey(client, descriptions[index]!, keys.get(digest));
    }
    await run();
  } catch (error) {
    // What is on its way says more than that a key could not be taken back either.
    for (const description of descriptions) {
      await client.daemon('key-remove', { description }).catch(() => undefined);
    }
    throw error;
  }
}

async function addKey(client: DmClient, description: string, key: Secret): Promise<void> {
  await client.daemon('key-add', { description, payload: key.bytes, once: true });
}

interface NewDevice {
  name: string;
  rows: readonly RowSpec[];
  readOnly: boolean;
}

async function createDevice(
  client: DmClient,
  { volume, path }: LuksImage,
  { name, rows, readOnly }: NewDevice,
): Promise<void> {
  await createEmpty(client, name, mappedUuid(volume, name));
  try {
    await client.load({ name }, rows, { readOnly, secureData: true });
    await client.resume({ name });
  } catch (error) {
    await client.remove({ name });
    throw mapFailure(error, path);
  }
}

async function createEmpty(client: DmClient, name: string, uuid: string): Promise<void> {
  try {
    await client.create({ name, uuid });
  } catch (error) {
    if (error instanceof DmError && error.code === 'EBUSY') throw nameTaken(name);
    throw error;
  }
}

/** `--persistent`: what was asked for becomes what everybody gets. */
async function keepFlags(image: LuksImage, options: LuksOptions): Promise<void> {
  const luks2 = requireLuks2(image, 'flags that stay');
  const asked = [
    ...(options['allow-discards'] ? ['allow-discards'] : []),
    ...PERFORMANCE_OPTIONS.filter((name) => options[name]).map((name) =>
      name.replace(/^perf-/, '').replaceAll('_', '-'),
    ),
  ];
  if (asked.length === 0) {
    throw new CommandError('Option --persistent is not allowed without a flag to keep.', {
      status: WRONG_PARAMETERS,
    });
  }
  await luks2.setFlags(asked);
}
