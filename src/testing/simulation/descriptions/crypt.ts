/** crypt: what lies below is legible through the same key and the same initial vector alone. */

import {
  cutLinear,
  operandOf,
  type Part,
  type RowDraft,
  type TargetDescription,
} from '../description.ts';

const CIPHERS = [
  { spec: 'aes-xts-plain64', keyBytes: 64 },
  { spec: 'aes-cbc-essiv:sha256', keyBytes: 32 },
] as const;

interface Encryption {
  spec: string;
  key: string;
  allowDiscards: boolean;
}

function cryptRow(encryption: Encryption, ivOffset: number, part: Part): RowDraft {
  const { spec, key, allowDiscards } = encryption;
  const { lengthSectors } = part;
  const options = allowDiscards ? ' 1 allow_discards' : '';
  const place = `${operandOf(part)} ${part.startSectors}`;
  return {
    type: 'crypt',
    lengthSectors,
    params: `${spec} ${key} ${ivOffset} ${place}${options}`,
    parts: [part],
    show: ([slots]) =>
      slots!.map((slot, sector) => {
        // Zeroes are ciphertext of something, and what is written to them is gone.
        if (typeof slot === 'string') return slot === 'zero' ? 'anything' : slot;
        return { ...slot, lens: `${slot.lens}/${spec} ${key} ${ivOffset + sector}` };
      }),
    cut: cutLinear(part, (piece, at) => cryptRow(encryption, ivOffset + at, piece)),
  };
}

export const crypt: TargetDescription = {
  name: 'crypt',
  weight: 0.5,
  draw(drawing) {
    const { prng } = drawing;
    const part = drawing.take(prng.integer(1, 40));
    if (part === null) return null;
    const { spec, keyBytes } = prng.pick(CIPHERS);
    const key = Buffer.from(prng.fill(new Uint8Array(keyBytes))).toString('hex');
    const ivOffset = prng.pick([0, prng.integer(1, 1000)]);
    return cryptRow({ spec, key, allowDiscards: prng.chance(0.7) }, ivOffset, part);
  },
};
