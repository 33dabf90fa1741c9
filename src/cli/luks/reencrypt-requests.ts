/** What every kind of re-encryption asks for: options, passphrases, a confirmation. */

import type { Secret } from '../../crypto/secret.ts';
import type { AddKeyRequest, LuksVolume } from '../../formats/luks/types.ts';
import type { ReencryptTuning } from '../../formats/luks2/reencrypt/types.ts';
import { CommandError } from '../failure.ts';
import { confirm } from './confirm.ts';
import type { LuksOptions } from './option-table.ts';
import { keyFileOf, readPassphrase } from './passphrase.ts';
import { slotRequest } from './requests.ts';
import { unlock, wipeUnlocked } from './unlock.ts';
import { wrongWords } from './words.ts';

export function askExisting(path: string, options: LuksOptions): Promise<Secret> {
  return readPassphrase({ ...keyFileOf(options), prompt: `Enter passphrase for ${path}` });
}

export function tuningOf(options: LuksOptions): ReencryptTuning {
  const resilience = options.resilience;
  const hash = options['resilience-hash'];
  const hotzoneBytes = options['hotzone-size'];
  const deviceBytes = options['device-size'];
  return {
    ...(resilience !== undefined &&
      resilience !== 'datashift' && { resilience: resilienceOf(resilience) }),
    ...(hash !== undefined && { hash }),
    ...(hotzoneBytes !== undefined && { hotzoneBytes }),
    ...(deviceBytes !== undefined && { deviceBytes }),
  };
}

const RESILIENCES = ['checksum', 'journal', 'none'] as const;

function resilienceOf(word: string): (typeof RESILIENCES)[number] {
  const found = RESILIENCES.find((each) => each === word);
  if (found !== undefined) return found;
  throw wrongWords(`Unsupported resilience mode ${word}`, 'expected checksum, journal or none');
}

/** Of an image that is encrypted for the first time. */
export function askNew(path: string, options: LuksOptions): Promise<Secret> {
  return readPassphrase({
    ...keyFileOf(options),
    prompt: `Enter passphrase for ${path}`,
    verify: options['batch-mode'] !== true,
    isNew: true,
  });
}

/** And refuses where there is no place for a header. */
export async function confirmEncrypt(path: string, options: LuksOptions): Promise<void> {
  const reduceBytes = options['reduce-device-size'];
  if (options.header === undefined && reduceBytes === undefined) {
    throw wrongWords(
      'Encryption without detached header (--header) is not possible without data device size reduction (--reduce-device-size).',
    );
  }
  const lost =
    reduceBytes === undefined
      ? []
      : [`The last ${reduceBytes} bytes of ${path} are lost: what is in it must have been shrunk.`];
  await confirm({
    warning: [`This will encrypt the data on ${path} in place.`, ...lost],
    batchMode: options['batch-mode'] === true,
  });
}

/** Decryption, whichever the version. */
export async function confirmDecrypt(path: string, options: LuksOptions): Promise<void> {
  await confirm({
    warning: [`This will decrypt the data on ${path} in place, for good.`],
    batchMode: options['batch-mode'] === true,
  });
}

export interface CollectedKeys {
  volumeKey: Secret;
  /** For the new volume key. */
  requests: AddKeyRequest[];
  /** Of each request, the slot that its passphrase opened. */
  slots: number[];
}

export function wipeCollected({ volumeKey, requests }: CollectedKeys): void {
  volumeKey.wipe();
  for (const { passphrase } of requests) passphrase.wipe();
}

/** The passphrase of each slot that shall go on to exist; those of the others are gone in the end. */
export async function collectKeys(
  volume: LuksVolume,
  path: string,
  options: LuksOptions,
): Promise<CollectedKeys> {
  const wanted = options['key-slot'];
  const slots = volume
    .slots()
    .filter(
      ({ slot, unbound, type }) => type !== 'reencrypt' && !unbound && (wanted ?? slot) === slot,
    );
  if (options['key-file'] !== undefined && slots.length > 1) {
    throw wrongWords(
      'Key file can be used only with --key-slot or with exactly one key slot active.',
      `key slots in use: ${slots.map(({ slot }) => slot).join(', ')}`,
    );
  }
  const requests: AddKeyRequest[] = [];
  let volumeKey: Secret | null = null;
  try {
    for (const { slot } of slots) {
      const prompt =
        slots.length === 1
          ? `Enter passphrase for ${path}`
          : `Enter passphrase for key slot ${slot}`;
      const unlocked = await unlock(volume, { prompt, options, slot });
      volumeKey?.wipe();
      ({ volumeKey } = unlocked);
      requests.push({ ...slotRequest(options), passphrase: unlocked.passphrase! });
    }
    if (volumeKey !== null) return { volumeKey, requests, slots: slots.map(({ slot }) => slot) };
    wipeUnlocked(await unlock(volume, { prompt: '', options, slot: wanted }));
    throw new CommandError('No usable keyslot is available.');
  } catch (error) {
    volumeKey?.wipe();
    for (const { passphrase } of requests) passphrase.wipe();
    throw error;
  }
}
