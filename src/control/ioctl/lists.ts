/** LIST_DEVICES, LIST_VERSIONS, GET_TARGET_VERSION. */

import { DmError } from '../../base/errors.ts';
import { Flag } from '../protocol/commands.ts';
import { encodeDevices, encodeTargets } from '../protocol/lists.ts';
import type { IoctlCall } from './call.ts';

/** Name and uuid of the request, if it has them, are what those of the devices must begin with. */
export function listDevices(call: IoctlCall): void {
  const { header, mapper } = call;
  const { name: namePrefix, uuid: uuidPrefix } = header;
  const wantsUuids = header.has(Flag.uuid);
  const devices = mapper
    .list()
    .filter(({ name, uuid }) => name.startsWith(namePrefix) && uuid.startsWith(uuidPrefix))
    .map(({ name, number, eventNumber, uuid }) => {
      return { name, number, eventNumber, uuid: wantsUuids ? uuid : null };
    });
  call.answer(encodeDevices(devices, call.room()));
}

export function listVersions(call: IoctlCall): void {
  call.answer(encodeTargets(call.mapper.registry.list(), call.room()));
}

/** Of the target type whose name is in the header's `name`. */
export function targetVersion(call: IoctlCall): void {
  const { name } = call.header;
  const type = call.mapper.registry.get(name);
  if (!type) throw new DmError('EINVAL', `No target type is named "${name}"`);
  call.answer(encodeTargets([type], call.room()));
}
