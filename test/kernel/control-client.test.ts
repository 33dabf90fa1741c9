/** The client library on a real kernel: the same calls as on our daemon, and what the kernel answers. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../interop/serve-process.ts';
import { requireKernel, runInKernel } from './kernel.ts';

const client = fileURLToPath(new URL('../../dist/control/client/index.js', import.meta.url));

/** Runs in the guest, whose root is this machine's: Node and the built program are there. */
const steps = `
import { connectClient } from ${JSON.stringify(client)};
const found = {};
const c = await connectClient({ transport: 'kernel' });
const a = { name: 'a' };
const failure = (error) => [error.code, error.message];
found.backend = c.backend;
found.version = await c.version();
found.empty = await c.list();
found.linear = (await c.targetVersion('linear')).name;
found.created = await c.create({ ...a, uuid: 'UU', number: { major: 253, minor: 9 } });
found.twice = await c.create(a).catch(failure);
found.refused = await c.load(a, [{ start: 0, length: 8, type: 'striped', params: '3 8' }]).catch(failure);
await c.load(a, [{ start: 0, length: 2048, type: 'zero', params: '' }]);
found.live = await c.resume(a);
found.table = (await c.table(a, { kind: 'table' })).rows;
found.list = await c.list();
found.missing = await c.status({ name: 'nope' }).catch(failure);
found.region = await c.message(a, 0, '@stats_create - /1');
const waiting = c.wait({ uuid: 'UU' }, found.live.eventNumber);
await c.rename(a, 'b');
found.waited = (await waiting).device.name;
const abort = new AbortController();
const next = c.wait({ uuid: 'UU' }, found.live.eventNumber + 1, { kind: 'status', signal: abort.signal });
abort.abort();
found.aborted = await next.catch(failure);
for (let index = 0; index < 400; index += 1) await c.create({ name: 'device-' + index });
found.many = (await c.list()).length;
found.daemon = await c.daemon('status').catch(failure);
await c.removeAll();
found.left = await c.list();
await c[Symbol.asyncDispose]();
console.log(JSON.stringify(found));
`;

requireKernel()('the client on a real kernel', () => {
  test('does what it does on our daemon', async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'steps.mjs'), steps);
    const script = `${process.execPath} /share/steps.mjs`;
    const { stdout, stderr, status } = await runInKernel({ script, shareDir: folder.path });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      backend: 'kernel',
      version: [4, expect.any(Number), expect.any(Number)],
      empty: [],
      linear: 'linear',
      created: { name: 'a', uuid: 'UU', number: { major: 253, minor: 9 }, liveTable: false },
      twice: ['EBUSY', 'Device or resource busy'],
      refused: ['EINVAL', 'Invalid argument'],
      live: { liveTable: true, targetCount: 1 },
      table: [{ start: 0, length: 2048, type: 'zero', params: '' }],
      list: [{ name: 'a', uuid: 'UU', number: { major: 253, minor: 9 } }],
      missing: ['ENXIO', 'No such device or address'],
      region: '0',
      waited: 'b',
      aborted: ['EINTR', 'The wait for an event was interrupted'],
      many: 401,
      daemon: ['ENOTSUP', 'the kernel has no daemon to ask'],
      left: [],
    });
  });
});
