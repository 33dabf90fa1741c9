/** The cipher of a line. */

import { createSectorCipher } from '../../crypto/create-sector-cipher.ts';
import type { SectorCipher } from '../../crypto/sector-cipher.ts';
import { loadSystem } from '../../system/index.ts';
import { type CryptLine, needsIntegrity } from './line.ts';

let dumpsAreOff = false;

/** Whoever has a key dumps no core from then on, as far as the system lets us say so. */
function forbidCoreDumps(): void {
  if (dumpsAreOff) return;
  dumpsAreOff = true;
  loadSystem()?.process.forbidCoreDumps();
}

export function createCipher(
  { spec, ivOffset, options }: CryptLine,
  key: Uint8Array,
): SectorCipher {
  forbidCoreDumps();
  const { sectorBytes, ivLargeSectors } = options;
  return createSectorCipher({
    // A random IV is refused for what it needs below, after a look at the key.
    spec: needsIntegrity(spec, options) ? { ...spec, ivMode: 'plain64' } : spec,
    key,
    sectorBytes,
    ivLargeSectors,
    ivOffset,
  });
}
