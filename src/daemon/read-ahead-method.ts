/**
 * `read-ahead {"minor": number, "sectors": number, "minimum": boolean}`: as BLKRASET on the node of a device; with `minimum`
 * only if it is less now. Nothing here reads ahead: programs see the number again, until the next table.
 */

import { DmError } from '../base/errors.ts';
import { readAheadSectors } from '../core/read-ahead.ts';
import { booleanParam, type DaemonMethod, type DaemonParams } from './methods.ts';

/** What the kernel counts in. */
const MOST_SECTORS = 2 ** 32;

/** Answers what it is now. ENXIO: there is no such disk. */
export const readAheadMethod: DaemonMethod = (params, { daemon }) => {
  const { engine } = daemon.mapper;
  const minor = numberParam(params, 'minor');
  const sectors = numberParam(params, 'sectors');
  const device = engine.findNumber({ major: engine.major, minor });
  const present = device && readAheadSectors(device);
  if (!device || present == null) {
    throw new DmError('ENXIO', `Cannot set read-ahead: there is no disk ${engine.major}:${minor}`);
  }
  if (!booleanParam(params, 'minimum') || present < sectors) engine.setReadAhead(device, sectors);
  return { sectors: readAheadSectors(device) };
};

function numberParam(params: DaemonParams, name: string): number {
  const value = params[name];
  const isGood =
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_SECTORS;
  if (isGood) return value;
  const expected = `expected a whole number from 0 to ${MOST_SECTORS}`;
  throw new DmError('EINVAL', `Parameter "${name}": ${expected}, got ${JSON.stringify(value)}`);
}
