import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { TransmissionFlag } from '../../protocols/nbd/constants.ts';
import {
  ALL_FLAGS,
  FakeNbdServer,
  type FakeServerSettings,
} from '../../testing/fake-nbd-server.ts';
import { DeviceStore } from '../store.ts';
import { nbdKind } from './kind.ts';

const URI = 'nbd://fake/disk';

function create(settings: Partial<FakeServerSettings> = {}) {
  const server = new FakeNbdServer(settings);
  const clock = new SimulatedClock();
  const kind = nbdKind({ clock, connect: server.connect });
  const store = new DeviceStore({ clock, kinds: [kind] });
  const prepare = async (uri = URI) => {
    const prepared = store.prepare(uri).then(
      () => null,
      (error: unknown) => error as Error,
    );
    for (let turn = 0; turn < 40; turn += 1) await clock.advance(0);
    return prepared;
  };
  return { server, clock, kind, store, prepare };
}

test('matches NBD URIs, right and wrong ones, and nothing else', () => {
  const kind = nbdKind();
  expect(['nbd://h/x', 'NBDS://h', 'nbd+vsock://2/x'].every((word) => kind.matches(word))).toBe(
    true,
  );
  expect(['/dev/nbd0', 'mem:1M', '8:1', 'nbd'].some((word) => kind.matches(word))).toBe(false);
  expect(() => kind.key('nbd+vsock://2/x')).toThrow(/transport "vsock" is not supported/);
});

test('a key is canonical, and its paths are absolute', () => {
  const kind = nbdKind();
  expect(kind.key('NBD://Host:10809')).toBe('nbd://host/');
  expect(kind.key('nbd+unix:///x?socket=s')).toBe(`nbd+unix:///x?socket=${resolve('s')}`);
  expect(kind.key('nbd+unix:///x?socket=%00s')).toBe('nbd+unix:///x?socket=%00s');
  expect(kind.key('nbds://h/?tls-psk-file=k')).toBe(`nbds://h/?tls-psk-file=${resolve('k')}`);
});

test('two tables share one device and its connection', async () => {
  const { server, store, prepare, clock } = create();
  expect(await prepare()).toBe(null);
  const first = store.open(URI, { readOnly: true });
  expect(await prepare('nbd://FAKE:10809/disk')).toBe(null);
  const second = store.open('nbd://FAKE:10809/disk', { readOnly: false });
  expect(second.device).toBe(first.device);
  expect(second.device.readOnly).toBe(false);
  expect(server.connections).toHaveLength(1);
  first.release();
  second.release();
  for (let turn = 0; turn < 5; turn += 1) await clock.advance(0);
  await store.close();
  expect(server.openConnections).toHaveLength(0);
});

test('preparing twice at once connects once', async () => {
  const { server, kind, clock } = create();
  const both = [kind.prepare!(URI), kind.prepare!(URI)];
  for (let turn = 0; turn < 40; turn += 1) await clock.advance(0);
  await Promise.all(both);
  expect(server.connections).toHaveLength(1);
});

test('what nobody opens is given back', async () => {
  const { server, clock, store, prepare } = create();
  await prepare();
  expect(server.openConnections).toHaveLength(1);
  await clock.advance(31_000);
  expect(server.openConnections).toHaveLength(0);
  expect(clock.pendingCount).toBe(0);
  expect(() => store.open(URI, { readOnly: true })).toThrow(/it is not connected/);
});

test('a read-only export opened for writing is refused and let go', async () => {
  const { server, clock, store, prepare } = create({
    flags: ALL_FLAGS | TransmissionFlag.readOnly,
  });
  await prepare();
  expect(() => store.open(URI, { readOnly: false })).toThrow(/the export is read-only/);
  for (let turn = 0; turn < 5; turn += 1) await clock.advance(0);
  expect(server.openConnections).toHaveLength(0);
  await prepare();
  const opened = store.open(URI, { readOnly: true });
  expect(() => store.open(URI, { readOnly: false })).toThrow(/the export is read-only/);
  opened.release();
});

test('a refusal reaches who prepared, and the next attempt may succeed', async () => {
  const { server, prepare } = create();
  server.down = true;
  expect(await prepare()).toMatchObject({ code: 'ECONNREFUSED' });
  server.down = false;
  expect(await prepare()).toBe(null);
});
