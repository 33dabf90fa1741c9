/** `--readahead`: what dmsetup sets on the node of a device, once there is one. */

import { writeFileSync } from 'node:fs';
import type { DmClient } from '../../control/client/dm-client.ts';
import type { DeviceNumber } from '../../core/device.ts';
import { commandFailed, reasonLine } from './failure.ts';
import { kernelReadAheadPath, kernelReadAheadSectors, SECTORS_PER_KIB } from './info-read-ahead.ts';

/** The least that is not nothing: dmsetup rounds up to it, and the kernel down to a multiple of it. */
const PAGE_SECTORS = 8;

export interface WantedReadAhead {
  sectors: number;
  /** Only if it is less now. */
  minimum: boolean;
}

/** null: leave it as it is. Like dmsetup it takes words that are no number to be 0. */
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
