/** What changes sectors, counted from the start of the row. */

import type { Op } from '../../core/bio.ts';

export interface Write {
  op: typeof Op.write | typeof Op.discard | typeof Op.writeZeroes;
  flags: number;
  sector: number;
  sectorCount: number;
  data: Uint8Array;
  dataOffset: number;
}
