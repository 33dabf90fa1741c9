/** `bin/devmapper serve` on real files, used by programs that nobody here wrote. */

import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { run, ServeProcess, startProgram, succeed, temporaryFolder } from './serve-process.ts';

const MiB = 1024 * 1024;

/** Two images with random content and their concatenation, in the folder. */
function makeImages(folder: string, seed = 1) {
  mkdirSync(folder, { recursive: true });
  const random = createPrng(seed);
  const first = random.fill(new Uint8Array(3 * MiB));
  const second = random.fill(new Uint8Array(5 * MiB + 512));
  const paths = { a: join(folder, 'a.img'), b: join(folder, 'b.img'), both: join(folder, 'both') };
  writeFileSync(paths.a, first);
  writeFileSync(paths.b, second);
  writeFileSync(paths.both, Buffer.concat([first, second]));
  return paths;
}

const sectors = (path: string) => statSync(path).size / 512;

requireTools(
  'nbdcopy',
  'qemu-img',
  'nbdsh',
  'nbdinfo',
)('joined images', () => {
  test('are the two images byte for byte, for every client', async () => {
    using folder = temporaryFolder();
    const { a, b, both } = makeImages(folder.path);
    await using server = await ServeProcess.start(folder.path, a, b);
    expect(server.devices).toEqual([
      {
        name: 'disk',
        sizeBytes: 8 * MiB + 512,
        readOnly: false,
        table: [`0 ${sectors(a)} linear ${a} 0`, `${sectors(a)} ${sectors(b)} linear ${b} 0`],
        uris: [`nbd+unix:///disk?socket=${folder.path}/nbd.sock`],
      },
    ]);
    const uri = server.uri();
    expect((await succeed('nbdinfo', '--size', uri)).trim()).toBe(String(8 * MiB + 512));
    const copy = join(folder.path, 'copy');
    await succeed('nbdcopy', uri, copy);
    expect(readFileSync(copy).equals(readFileSync(both))).toBe(true);
    await succeed('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, both);
    const script = `assert h.pread(${2 * MiB}, ${2 * MiB}) == open(${JSON.stringify(both)}, 'rb').read()[${2 * MiB}:${4 * MiB}]`;
    await succeed('nbdsh', '-u', uri, '-c', script);
    expect(await server.stop()).toBe(0);
  });

  test('take what a client writes, each its part', async () => {
    using folder = temporaryFolder();
    const { a, b, both } = makeImages(folder.path);
    const other = makeImages(join(folder.path, 'other'), 2);
    await using server = await ServeProcess.start(folder.path, a, b);
    await succeed('nbdcopy', other.both, server.uri());
    expect(await server.stop()).toBe(0);
    expect(readFileSync(a).equals(readFileSync(other.a))).toBe(true);
    expect(readFileSync(b).equals(readFileSync(other.b))).toBe(true);
    expect(readFileSync(a).equals(readFileSync(both).subarray(0, 3 * MiB))).toBe(false);
  });

  test('say which bytes fill no sector', async () => {
    using folder = temporaryFolder();
    const { a, b } = makeImages(folder.path);
    truncateSync(b, 1000);
    await using server = await ServeProcess.start(folder.path, a, b);
    expect(server.devices[0]!.sizeBytes).toBe(3 * MiB + 512);
    expect(server.stderr).toContain(`${b} ends with 488 bytes that fill no sector of 512`);
  });
});

requireTools(
  'nbdcopy',
  'nbdsh',
  'qemu-io',
)('devmapper serve', () => {
  test('serves devices that stand on each other', async () => {
    using folder = temporaryFolder();
    const { a, b, both } = makeImages(folder.path);
    const table = join(folder.path, 'base.table');
    writeFileSync(table, `# two disks\n0 4096 linear ${a} 0\n\n4096 4096 linear ${b} 0\n`);
    await using server = await ServeProcess.start(
      folder.path,
      ...['--name', 'base', '--table', table],
      ...['--name', 'top', '--table', '0 2048 linear mapper/base 3072\\n2048 8 zero'],
    );
    expect(server.devices.map(({ name, table: rows }) => [name, ...rows])).toEqual([
      ['base', `0 4096 linear ${a} 0`, `4096 4096 linear ${b} 0`],
      ['top', '0 2048 linear 252:0 3072', '2048 8 zero '],
    ]);
    const copy = join(folder.path, 'copy');
    await succeed('nbdcopy', server.uri('top'), copy);
    const whole = readFileSync(both);
    const expected = Buffer.concat([
      whole.subarray(3072 * 512, 4096 * 512),
      readFileSync(b).subarray(0, 1024 * 512),
      Buffer.alloc(8 * 512),
    ]);
    expect(readFileSync(copy).equals(expected)).toBe(true);
    expect(await server.stop()).toBe(0);
    expect(server.stderr).toContain('flushed base, top');
  });

  test('listens on TCP, says where, and can be read-only', async () => {
    using folder = temporaryFolder();
    const { a, b, both } = makeImages(folder.path);
    const words = ['--listen', 'localhost:0', '--read-only', a, b];
    await using server = await ServeProcess.start(folder.path, ...words);
    expect(server.socketPath).toBeNull();
    expect(server.uri()).toMatch(/^nbd:\/\/localhost:\d+\/disk$/);
    const script = [
      'assert h.is_read_only()',
      `assert h.pread(512, 0) == open(${JSON.stringify(both)}, 'rb').read(512)`,
    ];
    await succeed('nbdsh', '-u', server.uri(), ...script.flatMap((line) => ['-c', line]));
    const written = await run('qemu-io', '-f', 'raw', '-c', 'write 0 512', server.uri());
    expect(written.status).not.toBe(0);
  });

  test('two of them do not get into each other’s way', async () => {
    using folder = temporaryFolder();
    const { a, b } = makeImages(folder.path);
    await using first = await ServeProcess.start(folder.path, a);
    await using second = await ServeProcess.start(folder.path, b);
    expect(first.socketPath).toBe(join(folder.path, 'nbd.sock'));
    expect(second.socketPath).toMatch(/nbd-\d+\.sock$/);
    const third = await run('devmapper', 'serve', '--socket', first.socketPath!, 'mem:1M');
    expect(third).toMatchObject({ status: 1, stdout: '' });
    expect(third.stderr).toMatch(/^devmapper: Cannot listen on .*: another server answers there/);
    await succeed('nbdsh', '-u', first.uri(), '-c', 'h.pread(512, 0)');
  });

  test('clears away the socket of one that was killed', async () => {
    using folder = temporaryFolder();
    const { a } = makeImages(folder.path);
    {
      await using killed = await ServeProcess.start(folder.path, a);
      killed.signal('SIGKILL');
      await killed.ended();
    }
    expect(existsSync(join(folder.path, 'nbd.sock'))).toBe(true);
    await using server = await ServeProcess.start(folder.path, a);
    expect(server.socketPath).toBe(join(folder.path, 'nbd.sock'));
  });

  test('refuses images that somebody else writes, unless told', async () => {
    using folder = temporaryFolder();
    const { a } = makeImages(folder.path);
    await using server = await ServeProcess.start(folder.path, a);
    const second = await run('devmapper', 'serve', '--socket', join(folder.path, 's'), a);
    expect(second).toMatchObject({ status: 1, stdout: '' });
    expect(second.stderr).toContain(a);
    expect(second.stderr).toContain('--no-lock');
    const qemu = await run('qemu-io', '-f', 'raw', '-c', 'write 0 512', a);
    expect(qemu.stderr + qemu.stdout).toMatch(/lock/);
    await using unlocked = await ServeProcess.start(folder.path, '--no-lock', a);
    expect(unlocked.devices).toHaveLength(1);
    expect(server.devices).toHaveLength(1);
  });

  test('writes pid file and ready line, and takes them away', async () => {
    using folder = temporaryFolder();
    const pidFile = join(folder.path, 'pid');
    await using server = await ServeProcess.start(
      folder.path,
      ...['--pid-file', pidFile, '--ready-fd', '2', 'mem:1M'],
    );
    expect(readFileSync(pidFile, 'utf8')).toBe(`${server.pid}\n`);
    await server.said('ready\n');
    expect(statSync(server.socketPath!).mode & 0o077).toBe(0);
    await server.stop();
    expect(existsSync(pidFile)).toBe(false);
    expect(existsSync(server.socketPath!)).toBe(false);
  });
});

requireTools('nbdsh')('stopping', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends it with 0', async (signal) => {
    using folder = temporaryFolder();
    await using server = await ServeProcess.start(folder.path, 'mem:1M');
    server.signal(signal);
    expect(await server.ended()).toBe(0);
    expect(server.stderr).toContain(`${signal}: stopping`);
    expect(server.stderr).toContain('flushed disk; stopped');
  });

  test('goes on, and ends with 0, when nobody reads any more what it says', async () => {
    using folder = temporaryFolder();
    await using server = await ServeProcess.start(folder.path, '-v', 'mem:1M');
    server.stopReading();
    await succeed('nbdsh', '-u', server.uri(), '-c', 'h.pread(512, 0)');
    await succeed('nbdsh', '-u', server.uri(), '-c', 'h.pread(512, 0)');
    expect(await server.stop()).toBe(0);
  });

  test('what was acknowledged while a client writes is in the files', async () => {
    using folder = temporaryFolder();
    const { a, b } = makeImages(folder.path);
    await using server = await ServeProcess.start(folder.path, a, b);
    // Counts what was acknowledged, one block after the other, until the server goes.
    const script = `
import sys
done = 0
try:
    while True:
        block = done % 2000
        h.pwrite(done.to_bytes(4, 'big') * 1024, block * 4096)
        done += 1
        if done == 50: sys.stderr.write('writing\\n'); sys.stderr.flush()
except nbd.Error:
    pass
print(done)`;
    const writing = run('nbdsh', '-u', server.uri(), '-c', script);
    await untilWritten(a);
    expect(await server.stop()).toBe(0);
    const done = Number((await writing).stdout);
    expect(done).toBeGreaterThan(50);
    const volume = Buffer.concat([readFileSync(a), readFileSync(b)]);
    const last = Math.min(done, 2000);
    for (let block = 0; block < last; block += 1) {
      const rounds = Math.floor((done - 1 - block) / 2000);
      const expected = block + rounds * 2000;
      const found = volume.readUInt32BE(block * 4096);
      // The request after the last acknowledged one may have been carried out too.
      expect([expected, done]).toContain(found);
    }
  });
});

/** Until the first block of the image is what the script writes there. */
async function untilWritten(path: string): Promise<void> {
  while (readFileSync(path).readUInt32BE(60 * 4096) !== 60) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

requireTools('nbdkit', 'nbdsh')('a second signal', () => {
  /** A device whose writes take seconds, and one write on its way. */
  async function startSlow(folder: string, delaySeconds: number, ...options: string[]) {
    const socket = join(folder, 'slow.sock');
    const log = join(folder, 'log');
    const filters = ['--filter=log', '--filter=delay'];
    const settings = [`logfile=${log}`, `wdelay=${delaySeconds}`];
    const words = ['-U', socket, ...filters, 'memory', '1M', ...settings];
    const table = `0 2048 linear nbd+unix:///?socket=${socket} 0`;
    const slow = startProgram('nbdkit', '-f', ...words);
    await slow.until(() => answers(socket));
    const server = await ServeProcess.start(folder, '--table', table, ...options);
    const writing = run('nbdsh', '-u', server.uri(), '-c', "h.pwrite(b'x' * 512, 0)");
    await slow.until(() => readFileSync(log, 'utf8').includes('Write'));
    const dispose = async () => {
      await server[Symbol.asyncDispose]();
      slow.kill();
      await writing;
    };
    return { server, [Symbol.asyncDispose]: dispose };
  }

  test('says what is waited for; the drain goes on', async () => {
    using folder = temporaryFolder();
    await using slow = await startSlow(folder.path, 3);
    const { server } = slow;
    server.signal('SIGTERM');
    await server.said('SIGTERM: stopping');
    server.signal('SIGTERM');
    await server.said('Still stopping');
    expect(server.stderr).toMatch(/Still stopping: .*disk: 1 request under way/);
    expect(await server.ended()).toBe(0);
    expect(server.stderr).toContain('flushed disk; stopped');
  });

  test.each<[string, string[], (number | null)[]]>([
    ['with 1', ['--no-workers'], [1]],
    // A thread that waits for its answer can keep Node from exiting; then the process kills itself.
    ['at once, whatever its threads wait for', [], [1, null]],
  ])('a third one gives up %s', async (_how, options, statuses) => {
    using folder = temporaryFolder();
    await using slow = await startSlow(folder.path, 60, ...options);
    const { server } = slow;
    for (const answer of ['SIGTERM: stopping', 'Still stopping', 'gave up on']) {
      server.signal('SIGTERM');
      await server.said(answer);
    }
    expect(statuses).toContain(await server.ended());
    expect(existsSync(server.socketPath!)).toBe(false);
  });
});

async function answers(socket: string): Promise<boolean> {
  return (await run('nbdinfo', '--can', 'connect', `nbd+unix:///?socket=${socket}`)).status === 0;
}
