/** Options as requests to the volume. */

import type {
  AddKeyRequest,
  FormatRequest,
  Luks2Volume,
  LuksVolume,
  PbkdfName,
  PbkdfRequest,
  SlotPriority,
} from '../../formats/luks/types.ts';
import { CommandError } from '../failure.ts';
import type { LuksOptions } from './option-table.ts';
import { WRONG_PARAMETERS } from './status.ts';
import { wrongWords } from './words.ts';

const PBKDFS: readonly PbkdfName[] = ['pbkdf2', 'argon2i', 'argon2id'];

/** Throws CommandError for what does not go together. */
export function pbkdfRequest(options: LuksOptions): PbkdfRequest {
  const { pbkdf, hash } = options;
  const forceIterations = options['pbkdf-force-iterations'];
  const iterTimeMs = options['iter-time'];
  const memoryKiB = options['pbkdf-memory'];
  const parallel = options['pbkdf-parallel'];
  if (forceIterations !== undefined && iterTimeMs !== undefined) {
    throw wrongWords('PBKDF forced iterations cannot be combined with iteration time option.');
  }
  const name = PBKDFS.find((each) => each === pbkdf);
  if (pbkdf !== undefined && name === undefined) {
    throw wrongWords(
      'Password-based key derivation function (PBKDF) can be only pbkdf2 or argon2i/argon2id.',
      `got "${pbkdf}"`,
    );
  }
  return {
    ...(name !== undefined && { name }),
    ...(hash !== undefined && { hash }),
    ...(iterTimeMs !== undefined && { iterTimeMs }),
    ...(forceIterations !== undefined && { forceIterations }),
    ...(memoryKiB !== undefined && { memoryKiB }),
    ...(parallel !== undefined && { parallel }),
  };
}

/** All but the passphrase. */
export function slotRequest(
  options: LuksOptions,
  slot?: number,
): Omit<AddKeyRequest, 'passphrase'> {
  const areaCipher = options['keyslot-cipher'];
  const areaKeyBits = options['keyslot-key-size'];
  return {
    pbkdf: pbkdfRequest(options),
    ...(slot !== undefined && { slot }),
    ...(areaCipher !== undefined && { areaCipher }),
    ...(areaKeyBits !== undefined && {
      areaKeyBytes: bitsToBytes('keyslot-key-size', areaKeyBits),
    }),
  };
}

/** How data are encrypted, as far as the options say. */
export function cipherRequest({
  cipher,
  'key-size': keyBits,
}: LuksOptions): Pick<FormatRequest, 'cipher' | 'keyBytes'> {
  return {
    ...(cipher !== undefined && { cipher }),
    ...(keyBits !== undefined && { keyBytes: bitsToBytes('key-size', keyBits) }),
  };
}

type HeaderFact = 'hash' | 'uuid' | 'label' | 'subsystem' | 'sectorBytes';

/** What a new header says besides its key slots and its place. */
export function headerRequest(
  options: LuksOptions,
): Pick<FormatRequest, HeaderFact | 'cipher' | 'keyBytes' | 'metadataBytes' | 'keyslotsBytes'> {
  const { hash, uuid, label, subsystem } = options;
  const sectorBytes = options['sector-size'];
  const metadataBytes = options['luks2-metadata-size'];
  const keyslotsBytes = options['luks2-keyslots-size'];
  return {
    ...cipherRequest(options),
    ...(hash !== undefined && { hash }),
    ...(uuid !== undefined && { uuid }),
    ...(label !== undefined && { label }),
    ...(subsystem !== undefined && { subsystem }),
    ...(sectorBytes !== undefined && { sectorBytes }),
    ...(metadataBytes !== undefined && { metadataBytes }),
    ...(keyslotsBytes !== undefined && { keyslotsBytes }),
  };
}

export function bitsToBytes(option: string, bits: number): number {
  if (bits % 8 === 0) return bits / 8;
  throw wrongWords('Key size must be a multiple of 8 bits', `--${option} says ${bits}`);
}

const PRIORITIES: readonly SlotPriority[] = ['ignore', 'normal', 'prefer'];

export function priorityOf(word: string): SlotPriority {
  const priority = PRIORITIES.find((each) => each === word);
  if (priority !== undefined) return priority;
  throw wrongWords('Option --priority can be only ignore/normal/prefer.', `got "${word}"`);
}

interface OpenVolume {
  volume: LuksVolume;
  path: string;
}

/** Throws CommandError for LUKS1: `what` names the feature. */
export function requireLuks2({ volume, path }: OpenVolume, what: string): Luks2Volume {
  if (volume.version === 2) return volume as Luks2Volume;
  throw new CommandError(`Device ${path} is not a valid LUKS2 device.`, {
    status: WRONG_PARAMETERS,
    details: [
      `it is LUKS1, which has no ${what}`,
      `devmapper luks convert --type luks2 ${path} makes it LUKS2`,
    ],
  });
}

/** A slot's number as an operand. */
export function slotOperand(word: string): number {
  if (/^\d{1,3}$/.test(word)) return Number(word);
  throw wrongWords(`A key slot is a number, got "${word}"`);
}
