/** DEV_RENAME: a new name, or with the flag UUID a first uuid. Finds the device by its name only. */

import { DmError } from '../../base/errors.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { checkName } from '../../core/names.ts';
import { Flag, NAME_BYTES, UUID_BYTES } from '../protocol/commands.ts';
import { HEADER_BYTES } from '../protocol/header.ts';
import { decodeText } from '../protocol/strings.ts';
import type { IoctlCall } from './call.ts';
import { fillStatus } from './devices.ts';

export function renameDevice(call: IoctlCall): void {
  const { header, mapper } = call;
  const isUuid = header.has(Flag.uuid);
  const text = readNewText(call, isUuid ? UUID_BYTES : NAME_BYTES);
  if (!isUuid) checkName(text);
  // Whether the new one is free is asked before whether the old one is there.
  const holder = isUuid ? mapper.findUuid(text) : mapper.find(text);
  if (holder) throw alreadyExists(call, text, isUuid);
  const device = findNamed(call, text);
  if (isUuid) mapper.setUuid(device, text);
  else mapper.rename(device, text);
  fillStatus(call, device);
}

function readNewText({ header, input }: IoctlCall, fieldBytes: number): string {
  const { dataStart } = header;
  const text = dataStart < HEADER_BYTES ? null : decodeText(input, dataStart, 'new name or uuid');
  if (text !== null && text !== '' && Buffer.byteLength(text) < fieldBytes) return text;
  throw new DmError('EINVAL', 'Invalid new mapped device name or uuid string supplied');
}

function alreadyExists({ header }: IoctlCall, text: string, isUuid: boolean): DmError {
  const what = isUuid ? 'uuid' : 'name';
  return new DmError(
    'EBUSY',
    `Unable to change ${what} on mapped device ${header.name} to one that already exists: ${text}`,
  );
}

function findNamed({ header, mapper }: IoctlCall, text: string): MappedDevice {
  const device = mapper.find(header.name);
  if (device) return device;
  throw new DmError('ENXIO', `Unable to rename non-existent device, ${header.name} to ${text}`);
}
