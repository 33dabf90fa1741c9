/** Makes one planned device, and says what is odd about its images or wrong with its table. */

import { statSync } from 'node:fs';
import { DmError } from '../base/errors.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { RowError } from '../core/table.ts';
import type { DeviceMapper } from '../mapper/device-mapper.ts';
import { CommandError } from './failure.ts';
import type { ServeLuksOptions } from './serve-luks.ts';
import type { PlannedDevice } from './serve-plan.ts';
import {
  locateRow,
  type NumberedRow,
  parseNumberedRows,
  readTableArgument,
} from './table-source.ts';

export interface BuildOptions extends ServeLuksOptions {
  say(line: string): void;
}

export async function buildDevice(
  mapper: DeviceMapper,
  device: PlannedDevice,
  options: BuildOptions,
): Promise<void> {
  const { readOnly = false, say } = options;
  if (device.kind === 'table') {
    await buildFromTable(mapper, device, readOnly);
    return;
  }
  if (device.kind === 'luks') {
    const { buildFromLuks } = await import('./serve-luks.ts');
    await buildFromLuks(mapper, device, options);
    return;
  }
  try {
    await mapper.join({ name: device.name, devices: device.images, readOnly });
  } catch (error) {
    throw new CommandError(`Cannot join ${device.images.join(' ')}: ${reasonOf(error)}`, {
      details: joinAdvice(error, device.images),
      cause: error,
    });
  }
  for (const image of device.images) notePartialSector(image, say);
}

function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  throw error;
}

function joinAdvice(error: unknown, images: readonly string[]): string[] {
  const name = images[0];
  if (error instanceof DmError && error.code === 'ENOENT' && images.length === 1) {
    return [`If "${name}" is to be the name of the device, give its table: --table TABLE`];
  }
  return adviceFor(error);
}

function adviceFor(error: unknown): string[] {
  if (!(error instanceof DmError)) return [];
  if (error.code === 'EROFS' || error.code === 'EACCES') {
    return ['To serve it for reading only: --read-only'];
  }
  if (error.code === 'EBUSY' || error.code === 'EAGAIN') {
    return ['If no other program writes to it: --no-lock'];
  }
  return [];
}

/** Loop devices do the same, silently. */
function notePartialSector(image: string, say: (line: string) => void): void {
  const status = statSync(image, { throwIfNoEntry: false });
  const restBytes = status?.isFile() ? status.size % SECTOR_BYTES : 0;
  if (restBytes === 0) return;
  say(
    `note: ${image} ends with ${restBytes} bytes that fill no sector of ${SECTOR_BYTES}; they are not part of the volume`,
  );
}

async function buildFromTable(
  mapper: DeviceMapper,
  { name, argument }: { name: string; argument: string },
  readOnly: boolean,
): Promise<void> {
  const table = readTableArgument(argument);
  const rows = parseNumberedRows(table);
  try {
    await mapper.create({ name, table: rows.map(({ row }) => row), readOnly });
  } catch (error) {
    throw new CommandError(`Cannot create ${name}: ${reasonOf(error)}`, {
      details: [...rowAdvice(mapper, error, { rows, source: table.source }), ...adviceFor(error)],
      cause: error,
    });
  }
}

/** Where the refused row stands, and what its type expects. */
function rowAdvice(
  mapper: DeviceMapper,
  error: unknown,
  { rows, source }: { rows: readonly NumberedRow[]; source: string },
): string[] {
  if (!(error instanceof RowError)) return [];
  const refused = error.row;
  const numbered = rows.find(
    ({ row }) => row === refused || (row.start === refused.start && row.params === refused.params),
  );
  const where = numbered ? [locateRow(numbered, source)] : [];
  const type = mapper.targets().find((target) => target.name === refused.type);
  if (type) return [...where, `${type.name} takes: ${type.usage || 'no arguments'}`];
  return [...where, '"devmapper targets" lists the types'];
}
