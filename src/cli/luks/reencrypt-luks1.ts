/** `devmapper luks reencrypt` of LUKS1: which kind it is, and what is asked for. */

import { existsSync } from 'node:fs';
import type { Begun } from '../../mapper/luks/begin-reencrypt.ts';
import {
  beginLuks1Change,
  beginLuks1Decryption,
  beginLuks1Encryption,
  type Luks1Paths,
  markedElsewhere,
  resumeLuks1,
  statePath,
} from '../../mapper/luks/reencrypt-luks1.ts';
import { CommandError } from '../failure.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { processHost } from './passphrase.ts';
import {
  askExisting,
  askNew,
  collectKeys,
  confirmDecrypt,
  confirmEncrypt,
  tuningOf,
  wipeCollected,
} from './reencrypt-requests.ts';
import { cipherRequest, slotRequest } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';
import { wrongWords } from './words.ts';

/** null: nothing was begun yet, all begins anew. */
export async function resumeOfLuks1(
  path: string,
  options: LuksOptions,
): Promise<Begun | 'finished' | null> {
  if (options['init-only']) {
    throw wrongWords(`LUKS1 reencryption is already initialized, in ${statePath(path)}.`);
  }
  return await resumeLuks1(
    pathsOf(path, options),
    () => askExisting(path, options),
    tuningOf(options),
  );
}

export async function beginWithLuks1(
  path: string,
  options: LuksOptions,
  state: 'luks1' | 'none',
): Promise<Begun> {
  refuseOptions(options);
  if (options.encrypt) return await encrypt(path, options, state);
  if (state === 'none') throw new CommandError(`Device ${path} is not a valid LUKS device.`);
  return options.decrypt ? await decrypt(path, options) : await change(path, options);
}

function pathsOf(path: string, { header }: LuksOptions): Luks1Paths {
  return { path, ...(header !== undefined && { header }) };
}

/** Another program's, or ours whose state file is not there. */
export async function refuseMarked(path: string, options: LuksOptions): Promise<void> {
  const uuid = await markedElsewhere(pathsOf(path, options));
  if (uuid === null) return;
  throw new CommandError(`Device ${path} is in LUKS1 re-encryption, and its state is not here.`, {
    details: [
      `begun by devmapper: bring ${statePath(path)} back, it lay beside the image`,
      `begun by cryptsetup: run cryptsetup reencrypt again in the folder with LUKS-${uuid}.log`,
    ],
  });
}

function refuseOptions(options: LuksOptions): void {
  if (options['keep-key']) {
    throw wrongWords(
      'Option --keep-key is not supported for LUKS1.',
      'devmapper luks change-key makes a key slot anew',
    );
  }
  if (options['sector-size'] !== undefined && options['sector-size'] !== 512) {
    throw wrongWords('Unsupported encryption sector size: LUKS1 has 512 bytes only.');
  }
  for (const name of ['label', 'subsystem'] as const) {
    if (options[name] !== undefined) throw wrongWords(`LUKS1 has no ${name}.`);
  }
}

async function encrypt(
  path: string,
  options: LuksOptions,
  state: 'luks1' | 'none',
): Promise<Begun> {
  if (state === 'luks1') {
    throw new CommandError(`Device ${path} is already LUKS device. Aborting operation.`);
  }
  const { hash, uuid } = options;
  const reduceBytes = options['reduce-device-size'];
  await confirmEncrypt(path, options);
  using passphrase = await askNew(path, options);
  return await beginLuks1Encryption(pathsOf(path, options), {
    tuning: tuningOf(options),
    keys: [{ ...slotRequest(options, options['key-slot']), passphrase }],
    ...(reduceBytes !== undefined && { reduceBytes }),
    ...cipherRequest(options),
    ...(hash !== undefined && { hash }),
    ...(uuid !== undefined && { uuid }),
  });
}

/** The header in front needs no file: its state is beside the image anyway. */
async function decrypt(path: string, options: LuksOptions): Promise<Begun> {
  if (options.header !== undefined && !existsSync(options.header)) {
    throw wrongWords(`There is no header in ${options.header}; for LUKS1 none is exported to it.`);
  }
  await confirmDecrypt(path, options);
  const unlocked = await withImage(path, options, 'read', ({ volume }) => {
    const prompt = `Enter passphrase for ${path}`;
    return unlock(volume, { prompt, options, slot: options['key-slot'] });
  });
  try {
    const { volumeKey, passphrase } = unlocked;
    if (passphrase === null) throw wrongWords('Decryption of LUKS1 wants a passphrase.');
    const request = { key: { ...slotRequest(options), passphrase }, tuning: tuningOf(options) };
    return await beginLuks1Decryption(pathsOf(path, options), volumeKey, request);
  } finally {
    wipeUnlocked(unlocked);
  }
}

async function change(path: string, options: LuksOptions): Promise<Begun> {
  const { hash } = options;
  if (options['reduce-device-size'] !== undefined) {
    throw wrongWords('Option --reduce-device-size is for --encrypt only, with LUKS1.');
  }
  const found = await withImage(path, options, 'read', ({ volume }) =>
    collectKeys(volume, path, options),
  );
  if (found.requests.length > 1) {
    processHost.say(
      `To go on after a stop, the passphrase of key slot ${found.slots[0]} is needed.`,
    );
  }
  try {
    const keys = found.requests.map((request, index) => ({
      ...request,
      slot: found.slots[index]!,
    }));
    return await beginLuks1Change(pathsOf(path, options), found.volumeKey, {
      tuning: tuningOf(options),
      keys,
      ...cipherRequest(options),
      ...(hash !== undefined && { hash }),
    });
  } finally {
    wipeCollected(found);
  }
}
