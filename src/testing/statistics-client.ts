/** For tests of `devmapper stats`: a client of a mapper in this process, and what a command prints. */

import { vi } from 'vitest';
import type { DmError } from '../base/errors.ts';
import type { DeviceSelector, DeviceStatus, DmClient } from '../control/client/dm-client.ts';
import { handleStatisticsMessage } from '../control/ioctl/statistics-messages.ts';
import { splitArguments } from '../core/arguments.ts';
import type { MappedDevice } from '../core/mapped-device.ts';
import type { Mapper } from '../core/mapper.ts';

export interface Outcome {
  stdout: string;
  stderr: string;
  failed: boolean;
}

/** As much of a client as statistics need. */
export function statisticsClient(mapper: Mapper): DmClient {
  const find = (selector: DeviceSelector): MappedDevice => {
    if ('name' in selector) return mapper.get(selector.name);
    if ('uuid' in selector) return mapper.findUuid(selector.uuid) ?? mapper.get(selector.uuid);
    const { major, minor } = selector.number;
    return mapper.findNumber(selector.number) ?? mapper.get(`${major}:${minor}`);
  };
  const client: Partial<DmClient> = {
    list: async () =>
      mapper.list().map(({ name, uuid, number }) => ({ name, uuid, number, eventNumber: 0 })),
    status: async (selector) => statusOf(find(selector)),
    table: async (selector) => {
      const device = find(selector);
      return { device: statusOf(device), rows: [...(device.live?.rows ?? [])] };
    },
    message: async (selector, _sector, text) =>
      (await handleStatisticsMessage(find(selector), splitArguments(text))) ?? null,
    daemon: async () => ({ devices: [], leaves: [] }),
    version: async () => [4, 50, 0],
    [Symbol.asyncDispose]: async () => {},
  };
  return client as DmClient;
}

function statusOf(device: MappedDevice): DeviceStatus {
  const { name, uuid, number, openCount, eventNumber, readOnly, suspended } = device;
  return {
    name,
    uuid,
    number,
    openCount,
    eventNumber,
    readOnly,
    suspended,
    targetCount: device.live?.rows.length ?? 0,
    liveTable: device.live !== null,
    inactiveTable: device.inactive !== null,
    deferredRemove: device.deferredRemove,
    internalSuspend: false,
  };
}

/** Runs `run` and gives what it wrote. */
export async function captured(run: () => Promise<unknown>): Promise<Outcome> {
  const outcome: Outcome = { stdout: '', stderr: '', failed: false };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      outcome[name] += String(text);
      return true;
    }),
  );
  try {
    await run();
  } catch (error) {
    outcome.failed = true;
    outcome.stderr += `${(error as DmError).message}\n`;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return outcome;
}
