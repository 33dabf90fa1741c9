/**
 * crypt: what is on the disk is encrypted. `<cipher> <key> <iv_offset> <device> <offset> [<#options> <options>]`
 * Source: Documentation/admin-guide/device-mapper/dm-crypt.rst
 */

import type { ArgumentReader } from '../../core/arguments.ts';
import type { Target, TargetContext, TargetType } from '../../core/target.ts';
import { type CipherFactory, CryptTarget } from './crypt-target.ts';
import { CRYPT_FACTS } from './facts.ts';
import { readKey, releaseKey } from './key.ts';
import { readLine } from './line.ts';
import { isAead } from './options.ts';

/** With a way to make ciphers, which tests have their own of. */
export function cryptTarget(factory: CipherFactory): TargetType {
  return {
    ...CRYPT_FACTS,
    create: (args, context) => createTarget(args, context, factory),
  };
}

function createTarget(
  args: ArgumentReader,
  context: TargetContext,
  factory: CipherFactory,
): Target {
  const { line, keyWord, finish } = readLine(args, context);
  const key = readKey(keyWord, line.keyBytes, context);
  try {
    // Refused for what it needs below, whatever its key.
    if (isAead(line.options)) finish();
    const cipher = factory(line, key.secret.bytes);
    try {
      return new CryptTarget({ line, place: finish(), key, cipher, factory }, context);
    } catch (error) {
      cipher.close();
      throw error;
    }
  } catch (error) {
    releaseKey(key);
    throw error;
  }
}
