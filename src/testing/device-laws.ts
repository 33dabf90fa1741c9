/**
 * The laws every device at the bottom of a stack keeps. A device's test is one call:
 *
 *     describeDevice('memory', { create: (sizeSectors) => ({ device: new MemoryDevice({ ... }) }) });
 *
 * Each law gets a fresh device that reads as zeroes; messages carry the seed. device-laws.test.ts shows that they catch bugs.
 */

import { describe, test } from 'vitest';
import { createPrng, type Prng, randomSeed } from '../base/prng.ts';
import type { LeafDevice } from '../devices/device-kind.ts';
import { contentLaws } from './device-laws-content.ts';
import { lifeLaws } from './device-laws-life.ts';

export const LAW_DEVICE_SECTORS = 8192;

export interface DeviceUnderTest {
  device: LeafDevice;
  /** After the device is closed: remove files, stop servers. */
  dispose?(): Promise<void> | void;
  /** Makes the next bio with data fail with this errno, where the test has the means. */
  failNext?(errno: number): void;
}

export interface LawSubject extends DeviceUnderTest {
  prng: Prng;
}

export interface DeviceLaw {
  name: string;
  /** Throws where the device breaks it. */
  check(subject: LawSubject): Promise<void>;
}

export interface DeviceFactory {
  /** A device of this many sectors, all zero, writable. */
  create(sizeSectors: number): Promise<DeviceUnderTest> | DeviceUnderTest;
}

export const deviceLaws: readonly DeviceLaw[] = [...contentLaws, ...lifeLaws];

export function describeDevice(name: string, factory: DeviceFactory): void {
  describe(`${name} keeps the laws of devices`, () => {
    for (const law of deviceLaws) test(law.name, () => checkLaw(law, factory));
  });
}

/** One law on a fresh device. */
export async function checkLaw(
  law: DeviceLaw,
  factory: DeviceFactory,
  seed = randomSeed(),
): Promise<void> {
  const subject = await factory.create(LAW_DEVICE_SECTORS);
  try {
    await law.check({ ...subject, prng: createPrng(seed) });
  } catch (error) {
    throw new Error(`${law.name} (seed ${seed}): ${(error as Error).message}`, { cause: error });
  } finally {
    await subject.device.close();
    await subject.dispose?.();
  }
}
