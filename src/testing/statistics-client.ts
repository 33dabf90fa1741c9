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
    status: async (selector) => ({ name: find(selector).name }) as DeviceStatus,
    table: async (selector) => {
      const { name, live } = find(selector);
      return { device: { name } as DeviceStatus, rows: [...(live?.rows ?? [])] };
    },
    message: async (selector, _sector, text) =>
      (await handleStatisticsMessage(find(selector), splitArguments(text))) ?? null,
    version: async () => [4, 50, 0],
    [Symbol.asyncDispose]: async () => {},
  };
  return client as DmClient;
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
