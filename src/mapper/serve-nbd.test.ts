import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DeviceMapper } from './device-mapper.ts';
import { connectNbd } from './nbd-client.ts';
import { serveNbd } from './serve-nbd.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devmapper-serve-nbd-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Threads are left out: from source they would need a build. */
const threads = false;

async function mapperWithDisk(): Promise<DeviceMapper> {
  const mapper = new DeviceMapper();
  await mapper.create({ name: 'disk', table: '0 2048 linear mem:1M 0' });
  return mapper;
}

test('a client reads and writes what the volume does; the device counts as open', async () => {
  await using mapper = await mapperWithDisk();
  await using service = await serveNbd(mapper, { port: 0, threads });
  expect(service.uris('disk')[0]).toMatch(/^nbd:\/\/localhost:\d+\/disk$/);
  {
    await using client = await connectNbd(service.uris('disk')[0]!);
    await using volume = mapper.open('disk');
    expect(client.sizeBytes).toBe(volume.sizeBytes);
    await client.write({ offsetBytes: 512, data: new Uint8Array(512).fill(9), fua: true });
    expect((await volume.read({ offsetBytes: 512, lengthBytes: 512 }))[511]).toBe(9);
    await volume.writeZeroes({ offsetBytes: 512, lengthBytes: 512 });
    expect((await client.read({ offsetBytes: 512, lengthBytes: 512 }))[511]).toBe(0);
    expect(mapper.info('disk').openCount).toBeGreaterThan(1);
  }
  expect(await service.close()).toBe(true);
  expect(mapper.info('disk').openCount).toBe(0);
});

test('devices that come later are served, others only if asked for', async () => {
  await using mapper = await mapperWithDisk();
  await using service = await serveNbd(mapper, { port: 0, threads, names: ['later'] });
  await expect(connectNbd(service.uris('disk')[0]!)).rejects.toMatchObject({ name: 'DmError' });
  await mapper.create({ name: 'later', table: '0 8 zero' });
  await using client = await connectNbd(service.uris('later')[0]!);
  expect(client.sizeBytes).toBe(4096);
});

test('read-only exports refuse writes of devices that take them', async () => {
  await using mapper = await mapperWithDisk();
  await using service = await serveNbd(mapper, { port: 0, threads, readOnly: true });
  const uri = service.uris('disk')[0]!;
  await expect(connectNbd(uri)).rejects.toMatchObject({ code: 'EROFS' });
  await using client = await connectNbd(uri, { readOnly: true });
  const write = client.write({ offsetBytes: 0, data: new Uint8Array(512) });
  await expect(write).rejects.toMatchObject({ code: 'EROFS' });
});

test('takes the next socket where another server answers, and both address families', async () => {
  await using mapper = await mapperWithDisk();
  const paths = ['a.sock', 'b.sock'].map((name) => join(folder, name));
  await using first = await serveNbd(mapper, { socketPath: paths, threads });
  await using second = await serveNbd(mapper, { socketPath: paths, port: 0, threads });
  expect([first.socketPath, second.socketPath]).toEqual(paths);
  expect(second.uris('a disk')).toEqual([
    `nbd+unix:///a%20disk?socket=${paths[1]}`,
    expect.stringMatching(/^nbd:\/\/localhost:\d+\/a%20disk$/),
  ]);
  const third = serveNbd(mapper, { socketPath: paths, threads });
  await expect(third).rejects.toMatchObject({ code: 'EBUSY' });
});

test('needs somewhere to listen', async () => {
  await using mapper = await mapperWithDisk();
  await expect(serveNbd(mapper, {})).rejects.toMatchObject({ code: 'EINVAL' });
});
