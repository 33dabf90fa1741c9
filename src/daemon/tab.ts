/** `--tab FILE`: the devices a daemon starts with, in dmsetup's concise format, a line each. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DmError, type ErrnoName, errnoName, errnoOf } from '../base/errors.ts';
import { type ConciseDevice, conciseOfLines, parseConcise } from '../control/client/concise.ts';
import type { Mapper } from '../core/mapper.ts';
import { parseTable } from '../core/table-text.ts';

export interface TabFile {
  path: string;
  devices: readonly ConciseDevice[];
}

/** Throws DmError that names the file. */
export function readTab(path: string): TabFile {
  try {
    return { path, devices: [...parseConcise(conciseOfLines(readFileSync(path, 'utf8')))] };
  } catch (error) {
    throw tabError(path, error);
  }
}

/** All of them or none: a daemon that starts has what its file says. Relative paths are relative to the file. */
export async function createTabDevices(mapper: Mapper, { path, devices }: TabFile): Promise<void> {
  const directory = dirname(resolve(path));
  for (const device of devices) {
    try {
      await createDevice(mapper, device, directory);
    } catch (error) {
      throw tabError(`${path}, device ${device.name}`, error);
    }
  }
}

async function createDevice(mapper: Mapper, spec: ConciseDevice, directory: string): Promise<void> {
  const { name, uuid, minor, readOnly, table } = spec;
  const rows = parseTable(table);
  const device = mapper.create({ name, uuid, ...(minor !== null && { minor }) });
  await mapper.load(device, rows, { readOnly, directory });
  await device.resume();
}

function tabError(where: string, error: unknown): DmError {
  const code = errnoName(errnoOf(error)) as ErrnoName;
  const reason = error instanceof Error ? error.message : String(error);
  return new DmError(code, `Cannot start with the devices of ${where}: ${reason}`, {
    cause: error,
  });
}
