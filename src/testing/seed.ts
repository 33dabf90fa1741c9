/** Random tests: a new seed each run, named when the test fails, and repeated with DEVMAPPER_SEED. */

import { createPrng, type Prng, randomSeed } from '../base/prng.ts';

/** The seed of DEVMAPPER_SEED, or one nobody chose. */
export function testSeed(): number {
  const text = process.env['DEVMAPPER_SEED'];
  return text === undefined ? randomSeed() : Number(text);
}

/** Runs `action`; what it throws gets the seed in front, with how to repeat it. */
export async function withSeed(
  action: (prng: Prng) => Promise<void>,
  seed = testSeed(),
): Promise<void> {
  try {
    await action(createPrng(seed));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`With DEVMAPPER_SEED=${seed}: ${reason}`, { cause });
  }
}
