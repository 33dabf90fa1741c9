/** dm-crypt in a real kernel and our crypt target on the same disks: what the one writes the other reads. */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DeviceMapper } from '../../src/mapper/device-mapper.ts';
import {
  CASE_BYTES,
  CASE_SECTORS,
  type CryptSpec,
  type CryptVariant,
  isReversible,
  paramsOf,
  plaintext,
  VARIANTS,
} from '../golden/crypt-cases.ts';
import { records } from '../golden/crypt-records.ts';
import { temporaryFolder } from '../interop/serve-process.ts';
import { askKernel } from './crypt-kernel.ts';
import { requireKernel } from './kernel.ts';

interface Case {
  spec: CryptSpec;
  variant: CryptVariant;
}

/** Every second line that the kernel takes (as chance has it), with ever another sector size or offset; test/golden has them all. */
const cases: readonly Case[] = records
  .filter((record) => isReversible(record) && !record.cipher.endsWith('blake2b-256'))
  .flatMap((spec, line) => {
    const taken = VARIANTS.filter((_, index) => spec.fingerprints[index]);
    const variant = taken[line % taken.length];
    const isChosen = /[13579bdf]$/.test(spec.fingerprints[0] ?? '');
    return variant === undefined || !isChosen ? [] : [{ spec, variant }];
  });
const written = cases.filter((_, index) => index % 2 === 0);
const read = cases.filter((_, index) => index % 2 === 1);

const paramsList = (list: readonly Case[], device: string) =>
  list.map(({ spec, variant }, index) => paramsOf(spec, variant, device, index * CASE_SECTORS));

const repeated = (list: readonly Case[]) => Buffer.concat(list.map(() => plaintext()));

function makeDisk(path: string, list: readonly Case[]): string {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, list.length * CASE_BYTES);
  closeSync(fd);
  return path;
}

async function openHere(mapper: DeviceMapper, name: string, list: readonly Case[], disk: string) {
  const table = paramsList(list, disk).map(
    (params, index) => `${index * CASE_SECTORS} ${CASE_SECTORS} crypt ${params}`,
  );
  await mapper.create({ name, table: table.join('\n') });
  return mapper.open(name);
}

const titles = (list: readonly Case[], indices: readonly number[]) =>
  indices.map((index) =>
    JSON.stringify(list[index], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    ),
  );

requireKernel()('a disk that the kernel and we encrypt', () => {
  test('there are many ways to', () => {
    expect(cases.length).toBeGreaterThan(200);
  });

  test('either reads what the other wrote', async () => {
    using folder = temporaryFolder();
    await using mapper = new DeviceMapper();
    const theirs = makeDisk(join(folder.path, 'theirs'), written);
    const ours = makeDisk(join(folder.path, 'ours'), read);
    {
      await using volume = await openHere(mapper, 'ours', read, ours);
      await volume.write({ offsetBytes: 0, data: repeated(read) });
      await volume.flush();
    }
    await mapper.remove('ours');

    const { different } = await askKernel({
      judge: [],
      tables: [
        { rows: paramsList(written, '/dev/vda'), write: repeated(written) },
        { rows: paramsList(read, '/dev/vdb'), read: repeated(read) },
      ],
      disks: [theirs, ours],
    });
    expect(titles(read, different[1]!)).toEqual([]);

    await using volume = await openHere(mapper, 'theirs', written, theirs);
    const data = await volume.read({ offsetBytes: 0, lengthBytes: written.length * CASE_BYTES });
    const plain = plaintext();
    const wrong = written.flatMap((_, index) => {
      const part = data.subarray(index * CASE_BYTES, (index + 1) * CASE_BYTES);
      return Buffer.compare(part, plain) === 0 ? [] : [index];
    });
    expect(titles(written, wrong)).toEqual([]);
  });
});
