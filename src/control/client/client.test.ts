import { expect, test } from 'vitest';
import { Mapper } from '../../core/mapper.ts';
import { createTargetRegistry } from '../../core/target.ts';
import { DeviceStore } from '../../devices/store.ts';
import { targets } from '../../targets/index.ts';
import { openLocal } from '../local/local-transport.ts';
import { connectClient, defaultTransport } from './index.ts';
import { IoctlClient } from './ioctl-client.ts';

const rows = [{ start: 0, length: 2048, type: 'zero', params: '' }];
const disk = { name: 'disk' };

function createClient() {
  const mapper = new Mapper({ registry: createTargetRegistry(targets), opener: new DeviceStore() });
  return { mapper, client: new IoctlClient(openLocal('/', mapper)) };
}

test('a device’s life', async () => {
  await using client = await connectClient({ transport: 'local' });
  expect(await client.version()).toEqual([4, 50, 0]);
  expect(await client.list()).toEqual([]);
  const created = await client.create({
    name: 'disk',
    uuid: 'U',
    number: { major: 252, minor: 7 },
  });
  expect(created).toMatchObject({ name: 'disk', uuid: 'U', number: { major: 252, minor: 7 } });
  expect(await client.load(disk, rows, { readOnly: true })).toMatchObject({ inactiveTable: true });
  expect(await client.table(disk, { kind: 'table', inactive: true })).toMatchObject({ rows });
  await client.clear(disk);
  await client.load(disk, rows);
  expect(await client.resume({ uuid: 'U' })).toMatchObject({ liveTable: true, targetCount: 1 });
  expect(await client.dependencies(disk)).toEqual([]);
  expect(await client.suspend(disk)).toMatchObject({ suspended: true });
  await client.resume({ number: { major: 252, minor: 7 } });
  await client.setGeometry(disk, { cylinders: 1, heads: 2, sectors: 3, start: 0 });
  await client.rename(disk, 'other');
  expect(await client.list()).toMatchObject([{ name: 'other', uuid: 'U' }]);
  await client.remove({ name: 'other' });
  expect(await client.list()).toEqual([]);
});

test('a failure is a DmError with the reason in words', async () => {
  const { client } = createClient();
  await expect(client.status({ name: 'nope' })).rejects.toMatchObject({ code: 'ENXIO' });
  await client.create(disk);
  const wrong = [{ start: 0, length: 8, type: 'striped', params: '3 8 mem:1M 0' }];
  await expect(client.load(disk, wrong)).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining('striped') as string,
  });
});

test('an answer that does not fit is asked for again with more room', async () => {
  const { client, mapper } = createClient();
  for (let index = 0; index < 3000; index += 1) mapper.create({ name: `device-${index}` });
  const names = (await client.list()).map(({ name }) => name);
  expect(names).toHaveLength(3000);
  expect(names).toEqual(names.toSorted());
  await client.create(disk);
  const many = Array.from({ length: 2000 }, (_, index) => ({ ...rows[0]!, start: index * 2048 }));
  await client.load(disk, many);
  expect((await client.table(disk, { kind: 'table', inactive: true })).rows).toHaveLength(2000);
});

test('a wait ends with the event, and with its signal, and holds nothing else up', async () => {
  const { client } = createClient();
  await client.create({ ...disk, uuid: 'U' });
  await client.load(disk, rows);
  await client.resume(disk);
  const { eventNumber } = await client.status(disk);
  const waiting = client.wait({ uuid: 'U' }, eventNumber);
  await client.rename(disk, 'renamed');
  expect((await waiting).device.eventNumber).toBeGreaterThan(eventNumber);
  const abort = new AbortController();
  const next = client.wait({ name: 'renamed' }, eventNumber + 1, {
    kind: 'status',
    signal: abort.signal,
  });
  abort.abort();
  await expect(next).rejects.toMatchObject({ code: 'EINTR' });
});

test('the next event of any device', async () => {
  const { client } = createClient();
  await client.create(disk);
  let happened = false;
  const event = client.nextEvent().then(() => {
    happened = true;
  });
  await client.list();
  await client.list();
  expect(happened).toBe(false);
  await client.rename(disk, 'other');
  await event;
});

test('calls made at once are done one after the other', async () => {
  const { client } = createClient();
  const calls = Array.from({ length: 50 }, (_, index) => client.create({ name: `d${index}` }));
  const minors = (await Promise.all(calls)).map(({ number }) => number.minor);
  expect(minors).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test('without a daemon there is nobody to ask', async () => {
  const { client } = createClient();
  await expect(client.daemon('status')).rejects.toMatchObject({ code: 'ENOTSUP' });
});

test('the backend comes from the environment', () => {
  expect(defaultTransport({})).toBe('socket');
  expect(defaultTransport({ DEVMAPPER_BACKEND: 'kernel' })).toBe('kernel');
});
