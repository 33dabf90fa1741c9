/** `bin/devmapper serve` with TLS: keys and certificates as libnbd's clients use them. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools } from '../../src/testing/tools.ts';
import { makeCertificates } from './nbd-serving.ts';
import { run, ServeProcess, succeed, temporaryFolder } from './serve-process.ts';

requireTools('nbdinfo', 'certtool')('TLS', () => {
  test('with a pre-shared key, which the URI leads to', async () => {
    using folder = temporaryFolder();
    const keys = join(folder.path, 'keys');
    writeFileSync(keys, `alice:${'ab'.repeat(32)}\n`);
    await using server = await ServeProcess.start(folder.path, '--tls-psk', keys, 'mem:1M');
    expect(server.uri()).toContain('nbds+unix://alice@/disk?');
    expect((await succeed('nbdinfo', '--size', server.uri())).trim()).toBe('1048576');
    const plain = `nbd+unix:///disk?socket=${server.socketPath}`;
    expect((await run('nbdinfo', '--size', plain)).status).not.toBe(0);
  });

  test('with certificates, of the client too', async () => {
    using folder = temporaryFolder();
    const path = await makeCertificates(join(folder.path, 'certificates'));
    await using server = await ServeProcess.start(
      folder.path,
      ...['--tls-cert', join(path, 'server-cert.pem'), '--tls-key', join(path, 'server-key.pem')],
      ...['--tls-ca', join(path, 'ca-cert.pem'), '--tls-verify-peer'],
      ...['--listen', 'localhost:0', 'mem:1M'],
    );
    expect(server.uri()).toMatch(/^nbds:\/\/localhost:\d+\/disk$/);
    const uri = `${server.uri()}?tls-certificates=${path}`;
    expect((await succeed('nbdinfo', '--size', uri)).trim()).toBe('1048576');
    rmSync(join(path, 'client-cert.pem'));
    expect((await run('nbdinfo', '--size', uri)).status).not.toBe(0);
  });

  test('is needed where others can connect, unless told', async () => {
    const open = await run('devmapper', 'serve', '--listen', '0.0.0.0:0', 'mem:1M');
    expect(open).toMatchObject({ status: 1, stdout: '' });
    expect(open.stderr).toMatch(/others can reach it and TLS is not required/);
    expect(open.stderr).toMatch(/--tls-cert.*--insecure/);
  });
});
