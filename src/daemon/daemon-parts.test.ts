import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DmError } from '../base/errors.ts';
import { DeviceMapper } from '../mapper/device-mapper.ts';
import { activatedSockets } from './activation.ts';
import type { Daemon } from './daemon.ts';
import { holder, isLocked, runningError, tryLock } from './instance-lock.ts';
import { createLog, rotateLog, shortened, withoutKeys } from './log.ts';
import { answerDaemonRequest, booleanParam, type DaemonMethod, stringParam } from './methods.ts';
import { outsideOpenCounts } from './open-devices.ts';

function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'devmapper-daemon-parts-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test('one holds the lock, and others learn who', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  expect([isLocked(path), holder(path)]).toEqual([false, null]);
  const lock = tryLock(path)!;
  expect(tryLock(path)).toBeNull();
  expect([isLocked(path), holder(path)]).toEqual([true, process.pid]);
  expect(runningError(path, '/state').message).toContain(`process id ${process.pid} runs there`);
  lock.release();
  expect([isLocked(path), holder(path)]).toEqual([false, null]);
});

test('a lock file that a dead process left is free', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'lock');
  writeFileSync(path, '999999999\n');
  const lock = tryLock(path)!;
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  lock.release();
});

test.each([
  ['nothing', {}, null],
  ['another process', { LISTEN_PID: '8', LISTEN_FDS: '1' }, null],
  ['one without a name', { LISTEN_PID: '7', LISTEN_FDS: '1' }, { control: 3, nbd: null }],
  [
    'one with its unit’s name',
    { LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'x.socket' },
    { control: 3, nbd: null },
  ],
  [
    'both',
    { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'nbd:control' },
    { control: 4, nbd: 3 },
  ],
])('sockets from systemd: %s', (_, environment, expected) => {
  expect(activatedSockets(environment, 7)).toEqual(expected);
});

test.each([
  [{ LISTEN_FDS: '2' }, /socket ""/],
  [{ LISTEN_FDS: '2', LISTEN_FDNAMES: 'nbd:nbd' }, /two are named "nbd"/],
  [{ LISTEN_FDS: 'x' }, /LISTEN_FDS is "x"/],
  [{ LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' }, /socket "web"/],
])('sockets that mean nothing are refused: %j', (environment, message) => {
  expect(() => activatedSockets({ LISTEN_PID: '7', ...environment }, 7)).toThrow(message);
});

test('only opens from outside keep a daemon from stopping', async () => {
  await using mapper = new DeviceMapper();
  await mapper.create({ name: 'below', table: '0 2048 linear mem:1M 0' });
  await mapper.create({
    name: 'top',
    table: '0 8 linear mapper/below 0\n8 8 linear /dev/mapper/below 8',
  });
  expect(outsideOpenCounts(mapper.engine).size).toBe(0);
  await mapper.load('top', '0 8 linear mapper/below 0');
  expect(outsideOpenCounts(mapper.engine).size).toBe(0);
  await mapper.load('top', '0 8 linear mapper/below 0', { readOnly: true });
  expect(mapper.info('below').openCount).toBe(2);
  expect(outsideOpenCounts(mapper.engine).size).toBe(0);
  await using volume = mapper.open('below');
  const counts = [...outsideOpenCounts(mapper.engine)].map(([{ name }, count]) => [name, count]);
  expect(counts).toEqual([['below', 1]]);
  expect(volume.sizeBytes).toBe(1 << 20);
});

test('a key in a reason does not reach the log', () => {
  const reason = `Cannot use ${'ab'.repeat(32)} as key of deadbeef`;
  expect(withoutKeys(reason)).toBe('Cannot use <64 hex digits> as key of deadbeef');
});

test('only a log that has grown large is set aside', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'log');
  rotateLog(path);
  writeFileSync(path, 'small');
  rotateLog(path);
  expect(readFileSync(path, 'utf8')).toBe('small');
  writeFileSync(path, new Uint8Array(9 * 1024 * 1024));
  rotateLog(path);
  expect(readFileSync(`${path}.1`)).toHaveLength(9 * 1024 * 1024);
});

const methods: Record<string, DaemonMethod> = {
  double: (params) => Number(params['value']) * 2,
  nothing: () => undefined,
  fail: () => {
    throw new DmError('EBUSY', 'not now');
  },
  flags: (params) => [booleanParam(params, 'on'), stringParam(params, 'text')],
};

async function ask(text: string | Uint8Array) {
  const context = {
    daemon: {} as Daemon,
    session: { armedEventNumber: 0 },
    signal: new AbortController().signal,
  };
  const { errno, buffer, reason } = await answerDaemonRequest(methods, Buffer.from(text), context);
  return [errno, Buffer.from(buffer).toString(), reason];
}

test.each([
  ['{"method":"double","params":{"value":4}}', 0, '8', ''],
  ['{"method":"nothing"}', 0, 'null', ''],
  ['{"method":"flags","params":{"on":true}}', 0, '[true,null]', ''],
])('a request %s is answered', async (text, ...expected) => {
  expect(await ask(text)).toEqual(expected);
});

test.each([
  ['{"method":"fail"}', 16, /not now/],
  ['{"method":"toString"}', 95, /No daemon method "toString", expected one of double, fail/],
  ['{"method":7}', 22, /expected \{"method": "NAME"/],
  ['{"method":"double","params":[]}', 22, /"params" is not an object/],
  ['{"method":"flags","params":{"on":1}}', 22, /"on": expected true or false, got 1/],
  ['{"method":"flags","params":{"text":1}}', 22, /"text": expected a string, got 1/],
  ['not JSON', 22, /not JSON/],
  ['null', 22, /expected/],
  [' '.repeat(2 << 20), 7, /at most/],
])('a request %.40s is refused', async (text, errno, reason) => {
  const [gotErrno, , gotReason] = await ask(text);
  expect(gotErrno).toBe(errno);
  expect(gotReason).toMatch(reason);
});

test('nothing that goes into the log has a key, or is as long as a client likes', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'log');
  const fd = openSync(path, 'a');
  const log = createLog({ level: 'info', fd, path });
  log.warn({ row: `crypt ${'ab'.repeat(32)}` }, `message ${'0f'.repeat(16)}`);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain('<64 hex digits>');
  expect(text).toContain('<32 hex digits>');
  expect(text).not.toContain('abab');
  expect(shortened('x'.repeat(5000))).toMatch(/^x{1000}\.\.\. \(5000 characters\)$/);
  closeSync(fd);
});

test('a log is set aside while the daemon runs, and only when it is the file of that name', () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'log');
  const other = join(folder.path, 'other');
  const [fd, otherFd] = [openSync(path, 'a'), openSync(other, 'a')];
  truncateSync(path, 9 << 20);
  truncateSync(other, 9 << 20);
  const line = 'x'.repeat(300_000);
  createLog({ level: 'info', fd: otherFd, path }).info(line);
  expect(statSync(other).size).toBeGreaterThan(9 << 20);
  const log = createLog({ level: 'info', fd, path });
  log.info(line);
  expect(statSync(`${path}.1`).size).toBeGreaterThan(9 << 20);
  log.info('next');
  expect(readFileSync(path, 'utf8')).toMatch(/^\{.*"msg":"next"\}\n$/);
  for (const each of [fd, otherFd]) closeSync(each);
});

test('a lock does not follow a link to somebody’s file', () => {
  using folder = temporaryFolder();
  const precious = join(folder.path, 'precious');
  writeFileSync(precious, 'precious');
  symlinkSync(precious, join(folder.path, 'lock'));
  expect(() => tryLock(join(folder.path, 'lock'))).toThrow('ELOOP');
  expect(readFileSync(precious, 'utf8')).toBe('precious');
});
