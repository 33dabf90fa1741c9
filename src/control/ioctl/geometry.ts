/** DEV_SET_GEOMETRY: cylinders, heads, sectors and start as a string of four numbers. */

import { DmError } from '../../base/errors.ts';
import type { Geometry } from '../../core/device-options.ts';
import { HEADER_BYTES } from '../protocol/header.ts';
import { decodeText } from '../protocol/strings.ts';
import type { IoctlCall } from './call.ts';
import { findDevice } from './devices.ts';

/** As sscanf("%lu %lu %lu %lu%c") reads it: nothing may follow, not even white space. */
const FOUR_NUMBERS =
  /^[ \t\n\v\f\r]*(\d+)[ \t\n\v\f\r]+(\d+)[ \t\n\v\f\r]+(\d+)[ \t\n\v\f\r]+(\d+)$/;
const MAX_CYLINDERS = 65535;
const MAX_HEADS = 255;
const MAX_SECTORS = 255;

export function setGeometry(call: IoctlCall): void {
  const { header, input } = call;
  const { dataStart } = header;
  const device = findDevice(call);
  const text = dataStart < HEADER_BYTES ? null : decodeText(input, dataStart, 'geometry');
  if (text === null) throw new DmError('EINVAL', 'Invalid geometry supplied');
  device.geometry = parseGeometry(text);
  call.answerNothing();
}

function parseGeometry(text: string): Geometry {
  const numbers = FOUR_NUMBERS.exec(text)?.slice(1).map(Number);
  if (!numbers) {
    throw new DmError(
      'EINVAL',
      `Unable to interpret geometry settings: expected "<cylinders> <heads> <sectors> <start>", got "${text}"`,
    );
  }
  const [cylinders, heads, sectors, startSectors] = numbers as [number, number, number, number];
  if (cylinders > MAX_CYLINDERS || heads > MAX_HEADS || sectors > MAX_SECTORS) {
    throw new DmError(
      'EINVAL',
      `Geometry exceeds range limits: expected at most ${MAX_CYLINDERS} ${MAX_HEADS} ${MAX_SECTORS}, got ${cylinders} ${heads} ${sectors}`,
    );
  }
  if (startSectors > cylinders * heads * sectors) {
    throw new DmError(
      'EINVAL',
      `Start sector is beyond the geometry limits: ${startSectors} of ${cylinders * heads * sectors}`,
    );
  }
  return { cylinders, heads, sectors, startSectors };
}
