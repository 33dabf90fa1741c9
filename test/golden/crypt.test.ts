/** Our sector ciphers against what the real kernel's dm-crypt answered and wrote once (crypt.txt; record-crypt.ts records it anew). */

import { expect, test } from 'vitest';
import { parseCipherSpec } from '../../src/crypto/cipher-spec.ts';
import { createSectorCipher } from '../../src/crypto/create-sector-cipher.ts';
import type { SectorCipher } from '../../src/crypto/sector-cipher.ts';
import { hasLegacyCiphers } from '../../src/testing/legacy-ciphers.ts';
import {
  CASE_BYTES,
  type CryptSpec,
  type CryptVariant,
  fingerprint,
  isReversible,
  keyOf,
  plaintext,
  SPECS,
  VARIANTS,
} from './crypt-cases.ts';
import { type Recorded, records } from './crypt-records.ts';

const plain = plaintext();

/** What the kernel says when it has nothing to say. */
const NO_WORDS = 'Unknown error';
/** The kernel has it, Node's OpenSSL 3.0 does not. */
const MISSING_HASH = 'essiv:blake2b-256';
const LEGACY = /blowfish|cast5/;

function create(spec: CryptSpec, variant: CryptVariant): SectorCipher {
  return createSectorCipher({ spec: parseCipherSpec(spec.cipher), key: keyOf(spec), ...variant });
}

/** What is different for this line, for people to read; empty: nothing. */
function differences(recorded: Recorded): string[] {
  return VARIANTS.flatMap((variant, index) => {
    const { sectorBytes, ivLargeSectors, ivOffset } = variant;
    const sectors = `sectors of ${sectorBytes}${ivLargeSectors ? ' counted' : ''} at ${ivOffset}`;
    const print = isMissing(recorded) ? null : (recorded.fingerprints[index] ?? null);
    const wrong =
      print === null ? taken(recorded, variant) : differently(recorded, variant, print);
    return wrong === null ? [] : [`${recorded.cipher} ${recorded.keyBytes}, ${sectors}: ${wrong}`];
  });
}

function differently(recorded: Recorded, variant: CryptVariant, print: string): string | null {
  try {
    using cipher = create(recorded, variant);
    const bytes = new Uint8Array(CASE_BYTES);
    cipher.encrypt(plain, 0, bytes, 0, CASE_BYTES, 0);
    if (fingerprint(bytes) !== print) return 'encrypted differently';
    if (!isReversible(recorded)) return null;
    cipher.decrypt(bytes, 0, bytes, 0, CASE_BYTES, 0);
    return Buffer.compare(bytes, plain) === 0 ? null : 'decrypted differently';
  } catch (error) {
    return (error as Error).message;
  }
}

function isMissing({ cipher }: CryptSpec): boolean {
  return cipher.endsWith(MISSING_HASH) || (!hasLegacyCiphers && LEGACY.test(cipher));
}

/** What the kernel refuses and we take, or refuse in other words. */
function taken(recorded: Recorded, variant: CryptVariant): string | null {
  const words = recorded.refusals.join('" or "');
  try {
    create(recorded, variant).close();
    return `taken, the kernel says "${words}"`;
  } catch (error) {
    const { message } = error as Error;
    const isSame = recorded.refusals.some((refusal) => message.includes(refusal));
    if (isMissing(recorded) && message.includes('Error allocating crypto tfm')) return null;
    return isSame || words === NO_WORDS ? null : `"${message}", the kernel says "${words}"`;
  }
}

const ciphers = [...new Set(records.map(({ cipher }) => cipher.split(/[:-]/, 1)[0]!))];

test('the record is of these cases', () => {
  expect(records.map(({ cipher, keyBytes }) => ({ cipher, keyBytes }))).toEqual(SPECS);
});

test.each(ciphers)('%s as in the kernel', (name) => {
  const own = records.filter(({ cipher }) => cipher.split(/[:-]/, 1)[0] === name);
  expect(own.flatMap(differences)).toEqual([]);
});
