/** What happened on each mapped device between two answers of the daemon. */

import { SECTOR_BYTES } from '../base/units.ts';
import type { DeviceDetails, DevicesAnswer } from '../daemon/devices-method.ts';

const MS_PER_S = 1000;

export interface Rates {
  readBytesPerSecond: number;
  writeBytesPerSecond: number;
  readsPerSecond: number;
  writesPerSecond: number;
  /** Mean of what ended in the interval; null: nothing did. */
  readMs: number | null;
  writeMs: number | null;
  inFlight: number;
}

/** By device number. Without an answer before, everything counts as idle. */
export function ratesBetween(
  before: DevicesAnswer | null,
  now: DevicesAnswer,
  elapsedMs: number,
): ReadonlyMap<string, Rates> {
  const old = new Map(before?.devices.map((device) => [keyOf(device), device.counters]));
  return new Map(
    now.devices.map((device) => {
      const { counters } = device;
      const start = old.get(keyOf(device)) ?? counters;
      // A device that was removed and made again under the same name counts from zero.
      const since = (name: keyof typeof counters) => Math.max(0, counters[name] - start[name]);
      const perSecond = (count: number) => (elapsedMs > 0 ? (count * MS_PER_S) / elapsedMs : 0);
      const mean = (ms: number, count: number) => (count === 0 ? null : ms / count);
      const rates: Rates = {
        readBytesPerSecond: perSecond(since('readSectors') * SECTOR_BYTES),
        writeBytesPerSecond: perSecond(since('writeSectors') * SECTOR_BYTES),
        readsPerSecond: perSecond(since('reads')),
        writesPerSecond: perSecond(since('writes')),
        readMs: mean(since('readMs'), since('reads')),
        writeMs: mean(since('writeMs'), since('writes')),
        inFlight: Math.max(0, counters.inFlight),
      };
      return [device.number, rates];
    }),
  );
}

function keyOf({ number, name }: DeviceDetails): string {
  return `${number} ${name}`;
}
