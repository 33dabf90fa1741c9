/** Headers with random damage: only DmError and FormatError ever come out, and soon, also for a wrong key. */

import { expect, test } from 'vitest';
import { DmError, FormatError } from '../../src/base/errors.ts';
import type { Prng } from '../../src/base/prng.ts';
import { Secret } from '../../src/crypto/secret.ts';
import { openLuks, probeLuks } from '../../src/formats/luks/index.ts';
import type { LuksVolume } from '../../src/formats/luks/types.ts';
import { repairLuks1 } from '../../src/formats/luks1/repair.ts';
import { MemoryByteDisk } from '../../src/testing/memory-disk.ts';
import { withSeed } from '../../src/testing/seed.ts';
import {
  COPY_BYTES,
  jsonText,
  makeLuks1,
  makeLuks2,
  setText,
  sign,
} from '../golden/luks-evil/base.ts';

const ROUNDS = 300;
const MAX_ROUND_MS = 10_000;
/** Of the LUKS1 header, and of the binary header of LUKS2. */
const FIELDS_BYTES = 592;

const [luks1, luks2] = await Promise.all([makeLuks1(), makeLuks2()]);

const interesting = [0, 1, 0x7f, 0x80, 0xff];

function flipBytes(prng: Prng, bytes: Uint8Array): void {
  const count = prng.integer(1, 4);
  for (let index = 0; index < count; index += 1) {
    const at = prng.integer(0, bytes.length - 1);
    if (prng.chance(0.5)) bytes[at]! ^= 1 << prng.integer(0, 7);
    else bytes[at] = prng.pick(interesting);
  }
}

/** JSON that is still nearly JSON: pieces doubled, cut, exchanged for others that parsers trip over. */
function mutateText(prng: Prng, text: string): string {
  const words = [
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-1',
    '1e999',
    '""',
    'null',
    '\\u0000',
    '\\',
    '18446744073709551616',
  ];
  const at = prng.integer(0, text.length);
  const end = Math.min(text.length, at + prng.integer(0, 40));
  switch (prng.integer(0, 4)) {
    case 0:
      return text.slice(0, at) + text.slice(end);
    case 1:
      return text.slice(0, end) + text.slice(at);
    case 2:
      return text.slice(0, at) + prng.pick(words) + text.slice(end);
    case 3:
      return text.replaceAll(/"\d+"|\d+/g, (number) =>
        prng.chance(0.1)
          ? prng.pick(['0', '-1', '"0"', '"-1"', '4294967296', '"18446744073709551615"'])
          : number,
      );
    default:
      return text.slice(0, at) + '['.repeat(prng.integer(1, 3000)) + text.slice(at);
  }
}

/** Iterations may be any number that the format allows, and so take any time; a caller ends that with a signal. */
function isQuick(volume: LuksVolume): boolean {
  const facts = JSON.stringify(volume.dumpJson());
  return [...facts.matchAll(/"iterations":"?(\d+)/g)].every(([, count]) => Number(count) <= 10_000);
}

async function mustSurvive(image: Uint8Array): Promise<void> {
  const disk = new MemoryByteDisk(image, { readOnly: true });
  const startMs = performance.now();
  try {
    await probeLuks(disk);
    const volume = await openLuks(disk);
    volume.dumpText();
    volume.dumpJson();
    volume.slots();
    volume.segments(2 ** 40);
    using wrong = Secret.allocate(volume.keyBytes);
    if (isQuick(volume)) await volume.unlock(wrong);
  } catch (error) {
    if (!(error instanceof DmError || error instanceof FormatError)) throw error;
  }
  expect(performance.now() - startMs).toBeLessThan(MAX_ROUND_MS);
}

async function rounds(mutate: (prng: Prng) => Uint8Array, count = ROUNDS): Promise<void> {
  await withSeed(async (prng) => {
    for (let round = 0; round < count; round += 1) await mustSurvive(mutate(prng));
  });
}

test('LUKS1: flipped bytes', async () => {
  await rounds((prng) => {
    const image = new Uint8Array(luks1);
    flipBytes(prng, image.subarray(0, FIELDS_BYTES));
    return image;
  }, 40);
});

test('LUKS1: repair of flipped bytes gives a header that opens, or a refusal', async () => {
  await withSeed(async (prng) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const image = new Uint8Array(luks1.subarray(0, 2 ** 20));
      flipBytes(prng, image.subarray(208, FIELDS_BYTES));
      const disk = new MemoryByteDisk(image);
      try {
        await repairLuks1(disk);
        await openLuks(disk);
      } catch (error) {
        if (!(error instanceof DmError || error instanceof FormatError)) throw error;
        expect(disk.writeCount).toBe(0);
      }
    }
  });
});

test('LUKS2: flipped bytes of the binary header, signed again', async () => {
  await rounds((prng) => {
    const image = new Uint8Array(luks2);
    const flipped = prng.pick([0, COPY_BYTES]);
    flipBytes(prng, image.subarray(flipped, flipped + FIELDS_BYTES));
    sign(image);
    return image;
  }, 30);
});

test('LUKS2: mutated metadata, signed again', async () => {
  await rounds((prng) => {
    const image = new Uint8Array(luks2);
    let text = jsonText(image);
    for (let count = prng.integer(1, 3); count > 0; count -= 1) text = mutateText(prng, text);
    setText(image, text.slice(0, 12_000));
    return image;
  });
});

test('noise with a magic', async () => {
  await rounds((prng) => {
    const image = prng.fill(new Uint8Array(65536));
    image.set([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0, prng.pick([1, 2])]);
    return image;
  }, 50);
});
