/** `--readahead`: what dmsetup sets on the node of a device, once there is one. */

import { writeFileSync } from 'node:fs';
import type { DmClient } from '../../control/client/dm-client.ts';
import type { DeviceNumber } from '../../core/device.ts';
import { PAGE_SECTORS } from '../../core/read-ahead.ts';
import { commandFailed, reasonLine } from './failure.ts';
import { kernelReadAheadPath, kernelReadAheadSectors, SECTORS_PER_KIB } from './info-read-ahead.ts';

export interface WantedReadAhead {
  sectors: number;
  /** Only if it is less now. */
  minimum: boolean;
}

/** null: leave it as it is. As dmsetup does it: words that are no number are 0, and the least that is not nothing is a page. */
export function parseReadAhead(text: string | undefined): WantedReadAhead | null {
  if (text === undefined || text === 'auto') return null;
  const number = text === 'none' ? 0 : Number(/^\+?(\d+)/.exec(text)?.[1] ?? 0);
  const sectors = number === 0 ? 0 : Math.max(number, PAGE_SECTORS);
  return { sectors, minimum: text.startsWith('+') };
}

export async function setReadAhead(
  client: DmClient,
  number: DeviceNumber,
  text: string | undefined,
): Promise<void> {
  const wanted = parseReadAhead(text);
  if (wanted === null) return;
  try {
    if (client.backend === 'kernel') setInKernel(number, wanted);
    else await client.daemon('read-ahead', { minor: number.minor, ...wanted });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw commandFailed(['Failed to set read-ahead.', reasonLine(reason)], error);
  }
}

function setInKernel(number: DeviceNumber, { sectors, minimum }: WantedReadAhead): void {
  const present = kernelReadAheadSectors(number) ?? 0;
  if (minimum && present >= sectors) return;
  writeFileSync(kernelReadAheadPath(number), `${Math.floor(sectors / SECTORS_PER_KIB)}`);
}
