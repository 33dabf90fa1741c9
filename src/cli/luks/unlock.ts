/** Opens the lock: a passphrase from wherever it comes, several tries at a terminal, or the volume key itself. */

import { DmError } from '../../base/errors.ts';
import { Secret } from '../../crypto/secret.ts';
import type { LuksVolume, Unlocked } from '../../formats/luks/types.ts';
import type { UnlockedWith } from '../../mapper/luks/volume-keys.ts';
import { CommandError } from '../failure.ts';
import { readKeyFile } from './key-file.ts';
import type { LuksOptions } from './option-table.ts';
import { keyFileOf, type PassphraseHost, processHost, readPassphrase } from './passphrase.ts';
import { BAD_PASSPHRASE, WRONG_PARAMETERS } from './status.ts';

/** What unlocking needs of a volume. */
export type Unlockable = Pick<LuksVolume, 'keyBytes' | 'slots' | 'unlock' | 'unlockWithVolumeKey'>;

export interface UnlockRequest {
  prompt: string;
  options: LuksOptions;
  /** Only this one. */
  slot?: number | undefined;
  /** Twice at a terminal. */
  verify?: boolean;
  host?: PassphraseHost;
}

const USUAL_TRIES = 3;
export const NO_KEY = 'No key available with this passphrase.';

/** Throws CommandError, status 2 for a wrong passphrase. */
export async function unlock(volume: Unlockable, request: UnlockRequest): Promise<UnlockedWith> {
  const { options, host = processHost } = request;
  const keyFile = options['volume-key-file'];
  if (keyFile !== undefined) return await unlockWithKey(volume, keyFile);
  checkSlots(volume, request.slot);
  const canRetry = options['key-file'] === undefined && host.stdinIsTerminal();
  const tries = canRetry ? (options.tries ?? USUAL_TRIES) : 1;
  for (let left = tries; ; left -= 1) {
    const passphrase = await readPassphrase(
      { ...keyFileOf(options), prompt: request.prompt, verify: request.verify ?? false },
      host,
    );
    const unlocked = await attempt(volume, passphrase, request);
    if (unlocked !== null) return { ...unlocked, passphrase };
    const hint = hintFor(passphrase, options);
    passphrase.wipe();
    if (left <= 1) throw noKey(volume, request, hint);
    host.say(NO_KEY);
  }
}

/** With the passphrase that was right for what came before, if there was anything; the caller wipes that one too. */
export async function unlockAgain(
  volume: Unlockable,
  known: Secret | null,
  request: UnlockRequest,
): Promise<UnlockedWith> {
  if (known === null) return await unlock(volume, request);
  return { ...(await volume.unlock(known)), passphrase: Secret.from(known.bytes) };
}

async function attempt(
  volume: Unlockable,
  passphrase: Secret,
  { slot }: UnlockRequest,
): Promise<Unlocked | null> {
  try {
    return await volume.unlock(passphrase, slot === undefined ? {} : { slot });
  } catch (error) {
    if (error instanceof DmError && error.code === 'EPERM') return null;
    passphrase.wipe();
    throw error;
  }
}

/** Nobody need type anything for what cannot succeed. */
function checkSlots(volume: Unlockable, slot: number | undefined): void {
  const slots = volume.slots().map((each) => each.slot);
  const isThere = slot === undefined ? slots.length > 0 : slots.includes(slot);
  if (isThere) return;
  const used =
    slots.length === 0 ? 'no key slot is in use: it cannot be opened any more' : usedSlots(slots);
  throw new CommandError('No usable keyslot is available.', {
    status: WRONG_PARAMETERS,
    details: [used],
  });
}

function usedSlots(slots: readonly number[]): string {
  return `key slots in use: ${slots.join(', ')}`;
}

const NEWLINE = 0x0a;

/** The commonest reason why a key file that looks right is wrong. */
function hintFor(passphrase: Secret, options: LuksOptions): string[] {
  const { bytes } = passphrase;
  if (options['key-file'] === undefined || bytes.at(-1) !== NEWLINE) return [];
  return [
    'the key file ends with a newline, which is part of the key: if it should not be, pipe it in without --key-file',
  ];
}

function noKey(volume: Unlockable, { slot }: UnlockRequest, hint: string[]): CommandError {
  const tried =
    slot === undefined
      ? usedSlots(volume.slots().map((each) => each.slot))
      : `only key slot ${slot} was tried`;
  return new CommandError(NO_KEY, { status: BAD_PASSPHRASE, details: [tried, ...hint] });
}

async function unlockWithKey(volume: Unlockable, keyFile: string): Promise<UnlockedWith> {
  using key = await readKeyFile(keyFile, { sizeBytes: volume.keyBytes });
  return { ...(await volume.unlockWithVolumeKey(key)), passphrase: null };
}

/** Ends both. */
export function wipeUnlocked({ volumeKey, passphrase }: UnlockedWith): void {
  volumeKey.wipe();
  passphrase?.wipe();
}
