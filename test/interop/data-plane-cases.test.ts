/** Every way that a connection can be served gives the same answers: threads, the main thread, TLS, a process without koffi. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadSystem } from '../../src/system/index.ts';
import { describeUnless } from '../../src/testing/tools.ts';
import { type ClientOptions, NbdClient, type ReplyMode } from './nbd-client.ts';
import { bytes, CASES, caseTables, IMAGES } from './plane-cases.ts';
import { FOLDERS, PlaneFixture } from './plane-fixture.ts';
import { ServeProcess } from './serve-process.ts';

const obstacle = loadSystem() === null ? 'needs the system calls of the data plane (koffi)' : null;
const PSK = { user: 'alice', key: Buffer.from('00112233445566778899aabbccddeeff', 'hex') };

interface Served extends AsyncDisposable {
  connect(options: Partial<ClientOptions>): Promise<NbdClient>;
}

function writeImages(folder: string): void {
  for (const [index, [name, sizeBytes]] of Object.entries(IMAGES).entries()) {
    writeFileSync(join(folder, `${name}.img`), bytes(sizeBytes, index));
  }
}

interface Way {
  threads?: false;
  transport: 'unix' | 'tcp' | 'tls';
}

async function serveHere(folder: string, { transport, ...options }: Way): Promise<Served> {
  const psk = new Map([[PSK.user, PSK.key]]);
  const tls = transport === 'tls' ? { tls: { psk } } : {};
  const fixture = await PlaneFixture.start({ folder, ...options, ...tls });
  writeImages(fixture.folder);
  for (const { name, rows, readOnly } of caseTables(fixture.folder)) {
    const isReadOnly = readOnly ? { readOnly } : {};
    await fixture.mapper.create({ name, table: rows.join('\n'), ...isReadOnly });
  }
  const address = transport === 'tcp' ? fixture.tcp : fixture.unix;
  const secret = transport === 'tls' ? { psk: PSK } : {};
  return {
    connect: (more) => fixture.connect({ address, ...secret, ...more }),
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
}

/** `devmapper serve` without system calls of its own. */
async function serveWithoutKoffi(parent: string): Promise<Served> {
  const folder = mkdtempSync(join(parent, 'devmapper-plane-'));
  writeImages(folder);
  const words = caseTables(folder).flatMap(({ name, rows }) => [
    '--name',
    name,
    '--table',
    rows.join('\\n'),
  ]);
  process.env['DEVMAPPER_NO_KOFFI'] = '1';
  const server = await ServeProcess.start(folder, ...words).finally(() => {
    delete process.env['DEVMAPPER_NO_KOFFI'];
  });
  return {
    connect: (more) => NbdClient.connect({ address: { path: server.socketPath! }, ...more }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A connection for each case, so that one which ends in a hang-up hurts no other. */
async function outcomes(served: Served, mode: ReplyMode): Promise<Map<string, unknown>> {
  const all = new Map<string, unknown>();
  for (const { name, exportName = 'disk', contexts = [], run } of CASES) {
    const own = mode === 'simple' ? [] : contexts;
    const client = await served.connect({ mode, exportName, contexts: own });
    all.set(name, await run(client));
    client.destroy();
  }
  return all;
}

describeUnless(obstacle)('the same answers', () => {
  describe.each<[string, string]>(Object.entries(FOLDERS))('from files on %s', (_, folder) => {
    describe.each<ReplyMode>(['simple', 'structured', 'extended'])('in %s replies', (mode) => {
      let expected: Map<string, unknown>;

      test('on the main thread, where no case is empty', async () => {
        await using served = await serveHere(folder, { threads: false, transport: 'unix' });
        expected = await outcomes(served, mode);
        expect(expected.size).toBe(CASES.length);
      });

      test.each<[string, Way]>([
        ['a thread, over a Unix socket', { transport: 'unix' }],
        ['a thread, over TCP', { transport: 'tcp' }],
        ['TLS', { transport: 'tls' }],
      ])('through %s', async (_name, way) => {
        await using served = await serveHere(folder, way);
        const found = await outcomes(served, mode);
        for (const [name, outcome] of found) expect.soft(outcome, name).toEqual(expected.get(name));
      });

      test('without system calls of our own', async () => {
        await using served = await serveWithoutKoffi(folder);
        const found = await outcomes(served, mode);
        for (const { name, needsHoles, exportName } of CASES) {
          if (needsHoles || exportName === 'ro') continue;
          expect.soft(found.get(name), name).toEqual(expected.get(name));
        }
      });
    });
  });
});
