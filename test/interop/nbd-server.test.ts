/** The NBD server against clients that nobody here wrote. Every test looks at the bytes. */

import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { requireTools } from '../../src/testing/tools.ts';
import { ServedVolume, VOLUME_BYTES } from './nbd-serving.ts';
import { run, succeed } from './serve-process.ts';

/** The same random bytes on every run. */
const CONTENT = createPrng(7).fill(Buffer.alloc(VOLUME_BYTES)) as Buffer;
const MIB = 2 ** 20;

function expectSame(got: Uint8Array, expected: Uint8Array): void {
  // Not toEqual: a difference in megabytes takes minutes to print.
  expect(Buffer.compare(got, expected), 'the bytes are the same').toBe(0);
}

requireTools('nbdinfo')('nbdinfo', () => {
  test('shows what an export is and can', async () => {
    await using volume = await ServedVolume.start();
    const info = JSON.parse(await succeed('nbdinfo', '--json', volume.uri(''))) as object;
    expect(info).toMatchObject({
      protocol: 'newstyle-fixed',
      TLS: false,
      structured: true,
      exports: [
        {
          'export-name': 'disk',
          description: 'two disks',
          'export-size': VOLUME_BYTES,
          contexts: ['base:allocation', 'devmapper:target'],
          is_read_only: false,
          can_cache: true,
          can_df: true,
          can_fast_zero: true,
          can_flush: true,
          can_fua: true,
          can_multi_conn: true,
          can_trim: true,
          can_zero: true,
          block_size_minimum: 512,
          block_size_preferred: 4096,
          block_size_maximum: 32 * MIB,
        },
      ],
    });
  });

  test('lists all of them', async () => {
    await using volume = await ServedVolume.start();
    const list = JSON.parse(await succeed('nbdinfo', '--list', '--json', volume.uri(''))) as {
      exports: object[];
    };
    expect(list.exports).toMatchObject([
      { 'export-name': 'disk', description: 'two disks', is_read_only: false },
      { 'export-name': 'locked', is_read_only: true, can_trim: false, can_zero: false },
    ]);
  });

  test('an unknown export is refused with its name', async () => {
    await using volume = await ServedVolume.start();
    const { status, stderr } = await run('nbdinfo', volume.uri('other'));
    expect(status).not.toBe(0);
    expect(stderr).toContain('No such file or directory for export: other');
  });

  test('maps holes and the rows of the table', async () => {
    await using volume = await ServedVolume.start();
    const half = VOLUME_BYTES / 2;
    const bytes = Buffer.alloc(VOLUME_BYTES);
    bytes.fill(1, half - 4096, half + 8192);
    volume.fill(bytes);
    const map = async (context: string) => {
      const text = await succeed('nbdinfo', `--map${context}`, '--json', volume.uri());
      const extents = JSON.parse(text) as { offset: number; length: number; type: number }[];
      return extents.map(({ offset, length, type }) => [offset, length, type]);
    };
    expect(await map('')).toEqual([
      [0, half - 4096, 3],
      [half - 4096, 12288, 0],
      [half + 8192, half - 8192, 3],
    ]);
    expect(await map('=devmapper:target')).toEqual([
      [0, half, 0],
      [half, half, 1],
    ]);
  });
});

requireTools('nbdcopy')('nbdcopy', () => {
  test.each([
    ['one connection', ['--connections=1']],
    ['four connections', ['--connections=4', '--requests=16']],
    ['large requests', ['--request-size=33554432']],
  ])('writes and reads all of it, %s', async (_name, words) => {
    await using volume = await ServedVolume.start();
    writeFileSync(volume.path('in'), CONTENT);
    await succeed('nbdcopy', '--flush', ...words, volume.path('in'), volume.uri());
    expectSame(volume.bytes(), CONTENT);
    expect(volume.recorded().some(({ op }) => op === 'flush')).toBe(true);
    await succeed('nbdcopy', ...words, volume.uri('locked'), volume.path('out'));
    expectSame(readFileSync(volume.path('out')), CONTENT);
  });

  test('a sparse image writes its holes as zeroes', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(CONTENT);
    const sparse = Buffer.alloc(VOLUME_BYTES);
    CONTENT.copy(sparse, 5 * MIB, 0, MIB);
    writeFileSync(volume.path('in'), sparse);
    await succeed('nbdcopy', volume.path('in'), volume.uri());
    expectSame(volume.bytes(), sparse);
    expect(volume.recorded().some(({ op }) => op === 'write-zeroes')).toBe(true);
  });
});

requireTools('nbdsh')('nbdsh', () => {
  /** Runs Python lines with `h` connected; fails when one of them does. */
  const script = (uri: string, ...lines: string[]) =>
    succeed('nbdsh', '-u', uri, '-c', lines.join('\n'));
  const prelude = [
    'import errno',
    'def refused(number, action):',
    '    try:',
    '        action()',
    '    except nbd.Error as e:',
    '        assert e.errnum == number, (e.errnum, str(e))',
    '        return',
    '    raise AssertionError("not refused")',
  ];

  test('writes, reads, zeroes, trims, flushes, caches', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(CONTENT);
    await script(
      volume.uri(),
      'h.pwrite(b"x" * 4096, 8192)',
      'assert h.pread(4096, 8192) == b"x" * 4096',
      'h.pwrite(b"y" * 512, 65536, nbd.CMD_FLAG_FUA)',
      'h.zero(4096, 131072)',
      'h.zero(4096, 196608, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_FAST_ZERO)',
      'h.trim(4096, 262144, nbd.CMD_FLAG_FUA)',
      'h.flush()',
      'h.cache(4096, 0)',
    );
    const expected = Buffer.from(CONTENT);
    expected.fill('x', 8192, 12288).fill('y', 65536, 66048);
    for (const offset of [131072, 196608, 262144]) expected.fill(0, offset, offset + 4096);
    expectSame(volume.bytes(), expected);
    const flagged = volume.recorded().map(({ op, flags }) => `${op}:${flags}`);
    expect(flagged).toEqual(expect.arrayContaining(['write:1', 'write-zeroes:7', 'read:8']));
  });

  test('sees structured chunks and extents', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(Buffer.concat([Buffer.alloc(65536), CONTENT.subarray(65536)]));
    await succeed(
      'nbdsh',
      '-c',
      [
        'h.add_meta_context("base:allocation")',
        'h.add_meta_context("devmapper:target")',
        `h.connect_uri("${volume.uri()}")`,
        'assert h.get_structured_replies_negotiated()',
        'chunks = []',
        'def chunk(buf, offset, status, err):',
        '    chunks.append((len(buf), offset, status))',
        'h.pread_structured(4096, 512, chunk, nbd.CMD_FLAG_DF)',
        'assert chunks == [(4096, 512, nbd.READ_DATA)], chunks',
        'seen = {}',
        'def extent(context, offset, entries, err):',
        '    seen[context] = entries',
        'h.block_status(131072, 0, extent)',
        'assert seen["base:allocation"][:2] == [65536, 3], seen',
        'assert seen["devmapper:target"] == [131072, 0], seen',
        'h.block_status(131072, 0, extent, nbd.CMD_FLAG_REQ_ONE)',
        'assert seen["base:allocation"] == [65536, 3], seen',
        `h.block_status(1024, ${VOLUME_BYTES / 2 - 512}, extent)`,
        'assert seen["devmapper:target"] == [512, 0, 512, 1], seen',
      ].join('\n'),
    );
  });

  test.each(['True', 'False'])(
    'bad requests are refused one by one, structured %s',
    async (structured) => {
      await using volume = await ServedVolume.start();
      volume.fill(CONTENT);
      await succeed(
        'nbdsh',
        '-c',
        [
          ...prelude,
          `h.set_request_structured_replies(${structured})`,
          `h.connect_uri("${volume.uri()}")`,
          'h.set_strict_mode(0)',
          'size = h.get_size()',
          'refused(errno.EINVAL, lambda: h.pread(511, 0))',
          'refused(errno.EINVAL, lambda: h.pread(512, 1))',
          'refused(errno.EINVAL, lambda: h.pread(512, size))',
          'refused(errno.EINVAL, lambda: h.pread(1024, size - 512))',
          'refused(errno.EINVAL, lambda: h.pread(512, 1 << 62))',
          'refused(errno.ENOSPC, lambda: h.pwrite(b"x" * 512, size))',
          'refused(errno.EINVAL, lambda: h.pwrite(b"x" * 100, 0))',
          'refused(errno.ENOSPC, lambda: h.zero(1024, size - 512))',
          'refused(errno.EINVAL, lambda: h.trim(1024, size - 512))',
          'refused(errno.EINVAL, lambda: h.block_status(512, 0, lambda *a: 0))',
          'refused(errno.EINVAL, lambda: h.pread(512, 0, 1 << 10))',
          'refused(errno.EINVAL, lambda: h.flush(nbd.CMD_FLAG_DF))',
          'assert h.pread(512, 0) is not None',
        ].join('\n'),
      );
      expectSame(volume.bytes(), CONTENT);
    },
  );

  test('a read-only export refuses every change', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(CONTENT);
    await script(
      volume.uri('locked'),
      ...prelude,
      'h.set_strict_mode(0)',
      'refused(errno.EPERM, lambda: h.pwrite(b"x" * 512, 0))',
      'refused(errno.EPERM, lambda: h.trim(512, 0))',
      'refused(errno.EPERM, lambda: h.zero(512, 0))',
      'h.flush()',
    );
    expectSame(volume.bytes(), CONTENT);
  });

  test('a write that is too large is refused and the connection lives', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(CONTENT);
    await script(
      volume.uri(),
      ...prelude,
      'h.set_strict_mode(0)',
      'refused(errno.EINVAL, lambda: h.pwrite(b"x" * (33 << 20), 0))',
      'assert len(h.pread(512, 0)) == 512',
    );
    expectSame(volume.bytes(), CONTENT);
  });

  test('a client that pulls the plug leaves nothing behind', async () => {
    await using volume = await ServedVolume.start();
    await script(
      volume.uri(),
      'import os',
      'buffer = nbd.Buffer(4 << 20)',
      'for i in range(16): h.aio_pread(buffer, 0)',
      'h.poll(0)',
      'os._exit(0)',
    );
    await expect.poll(() => volume.server.status()).toEqual({ connections: [], pooledBytes: 0 });
  });
});

requireTools('qemu-img')('qemu-img', () => {
  test('info, convert there and back, compare', async () => {
    await using volume = await ServedVolume.start();
    const info = await succeed('qemu-img', 'info', '--output=json', volume.uri());
    expect(JSON.parse(info)).toMatchObject({ format: 'raw', 'virtual-size': VOLUME_BYTES });
    writeFileSync(volume.path('in'), CONTENT);
    const raw = ['-f', 'raw', '-O', 'raw'];
    await succeed('qemu-img', 'convert', '-n', ...raw, volume.path('in'), volume.uri());
    expectSame(volume.bytes(), CONTENT);
    await succeed('qemu-img', 'convert', ...raw, volume.uri(), volume.path('out'));
    expectSame(readFileSync(volume.path('out')), CONTENT);
    const compare = ['compare', '-f', 'raw', '-F', 'raw', volume.path('in'), volume.uri()];
    expect(await succeed('qemu-img', ...compare)).toContain('identical');
    volume.fill(Buffer.alloc(VOLUME_BYTES));
    expect((await run('qemu-img', ...compare)).status).toBe(1);
  });

  test('map', async () => {
    await using volume = await ServedVolume.start();
    const bytes = Buffer.alloc(VOLUME_BYTES);
    bytes.fill(1, MIB, 2 * MIB);
    volume.fill(bytes);
    const map = await succeed('qemu-img', 'map', '--output=json', '-f', 'raw', volume.uri());
    expect(JSON.parse(map)).toMatchObject([
      { start: 0, length: MIB, zero: true, data: false },
      { start: MIB, length: MIB, zero: false, data: true },
      { start: 2 * MIB, length: VOLUME_BYTES - 2 * MIB, zero: true, data: false },
    ]);
  });
});

requireTools('qemu-io')('qemu-io', () => {
  test('writes, zeroes and discards, and verifies patterns', async () => {
    await using volume = await ServedVolume.start();
    volume.fill(CONTENT);
    const commands = [
      'write -P 0xaa 1M 1M',
      'write -f -P 0xbb 4k 8k',
      'write -z 2M 64k',
      'write -z -u 3M 64k',
      'discard 4M 64k',
      'flush',
      'read -P 0xaa 1M 1M',
      'read -P 0xbb 4k 8k',
      'read -P 0 2M 64k',
      'aio_write -P 0xcc 8M 1M',
      'aio_write -P 0xdd 9M 1M',
      'aio_flush',
    ];
    const words = commands.flatMap((command) => ['-c', command]);
    const output = await succeed('qemu-io', '-f', 'raw', ...words, volume.uri());
    expect(output).not.toMatch(/failed|error/i);
    const expected = Buffer.from(CONTENT);
    expected
      .fill(0xaa, MIB, 2 * MIB)
      .fill(0xbb, 4096, 12288)
      .fill(0, 2 * MIB, 2 * MIB + 65536);
    expected.fill(0, 3 * MIB, 3 * MIB + 65536).fill(0, 4 * MIB, 4 * MIB + 65536);
    expected.fill(0xcc, 8 * MIB, 9 * MIB).fill(0xdd, 9 * MIB, 10 * MIB);
    expectSame(volume.bytes(), expected);
  });
});

requireTools('fio')('fio', () => {
  test('random writes at depth 32 verify', async () => {
    await using volume = await ServedVolume.start();
    const output = await succeed(
      'fio',
      '--name=verify',
      '--ioengine=nbd',
      `--uri=${volume.uri()}`,
      '--rw=randwrite',
      '--bsrange=512-256k',
      '--blockalign=512',
      '--iodepth=32',
      '--size=8m',
      '--io_size=16m',
      '--verify=crc32c',
      '--verify_state_save=0',
      '--verify_fatal=1',
      '--output-format=json',
    );
    const { jobs } = JSON.parse(output.slice(output.indexOf('{'))) as {
      jobs: [{ error: number; read: { io_bytes: number } }];
    };
    expect(jobs[0].error).toBe(0);
    expect(jobs[0].read.io_bytes).toBeGreaterThan(MIB);
    expect(volume.bytes().some((byte) => byte !== 0)).toBe(true);
  });
});

requireTools('nbdkit', 'nbdcopy')("nbdkit's nbd plugin", () => {
  test('passes everything through', async () => {
    await using volume = await ServedVolume.start();
    writeFileSync(volume.path('in'), CONTENT);
    const copies = `nbdcopy ${volume.path('in')} "$uri" && nbdcopy "$uri" ${volume.path('out')}`;
    await succeed(
      'nbdkit',
      '-U',
      '-',
      'nbd',
      `socket=${volume.socketPath}`,
      'export=disk',
      'shared=1',
      '--run',
      copies,
    );
    expectSame(volume.bytes(), CONTENT);
    expectSame(readFileSync(volume.path('out')), CONTENT);
  });
});
