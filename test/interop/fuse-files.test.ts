/** What programs see of a device's file: bytes, size, holes, and what they may not do. */

import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { createPrng } from '../../src/base/prng.ts';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { FuseFixture, fuseObstacle } from './fuse-fixture.ts';
import { run, succeed } from './serve-process.ts';

const MIB = 1024 * 1024;
const missing = missingTools(['python3']);
const obstacle = fuseObstacle() ?? (missing.length > 0 ? 'needs python3' : null);

describeUnless(obstacle)('a device as a file', () => {
  let fixture: FuseFixture;
  beforeAll(async () => {
    fixture = await FuseFixture.start();
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  test('has the size and the bytes of the device, both ways', async () => {
    const path = await fixture.create('bytes', 8 * MIB, 1);
    const image = `${fixture.folder}/bytes.img`;
    expect(await stat(path)).toMatchObject({ size: 8 * MIB, blksize: 4096, nlink: 1 });
    expect((await stat(path)).mode & 0o170777).toBe(0o100600);
    await succeed('cmp', path, image);
    const other = fixture.image('other.img', 8 * MIB, 2);
    // Without O_DIRECT, and with O_TRUNC, which a device ignores.
    await succeed('dd', `if=${other}`, `of=${path}`, 'bs=64k');
    await succeed('cmp', other, image);
    const third = fixture.image('third.img', 8 * MIB, 3);
    await succeed('dd', `if=${third}`, `of=${path}`, 'bs=1M', 'oflag=direct', 'conv=notrunc');
    await succeed('cmp', third, image);
    expect((await stat(path)).size).toBe(8 * MIB);
  });

  test('takes ranges that are no whole sectors, and many of them in one sector at once', async () => {
    const path = await fixture.create('parts', MIB, 4);
    const expected = createPrng(4).fill(new Uint8Array(MIB));
    await fixture.python(
      path,
      'os.pwrite(fd, b"abcdefg", 509)',
      'os.pwrite(fd, b"z" * 3000, 5000)',
    );
    expected.set(Buffer.from('abcdefg'), 509);
    expected.fill('z'.charCodeAt(0), 5000, 8000);
    expect(Buffer.compare(readFileSync(`${fixture.folder}/parts.img`), expected)).toBe(0);
    const read = await fixture.python(path, 'print(os.pread(fd, 9, 508)[1:8].decode())');
    expect(read).toBe('abcdefg');
    await fixture.python(
      path,
      'from threading import Thread',
      'work = lambda at: [os.pwrite(fd, bytes([at]), 4096 + at) for _ in range(20)]',
      'threads = [Thread(target=work, args=(at,)) for at in range(32)]',
      '[each.start() for each in threads]; [each.join() for each in threads]',
    );
    const written = readFileSync(`${fixture.folder}/parts.img`).subarray(4096, 4128);
    expect([...written]).toEqual(Array.from({ length: 32 }, (_, index) => index));
  });

  test('ends where the device ends', async () => {
    const path = await fixture.create('end', MIB, 5);
    const answers = await fixture.python(
      path,
      'print(len(os.pread(fd, 100, 1048576)), len(os.pread(fd, 8192, 1048576 - 4096)))',
      'print(os.pwrite(fd, b"x" * 8192, 1048576 - 4096))',
      'try: os.pwrite(fd, b"x" * 512, 1048576)',
      'except OSError as e: print(errno.errorcode[e.errno])',
      'print(os.lseek(fd, 0, 2))',
    );
    expect(answers.split('\n')).toEqual(['0 4096', '4096', 'ENOSPC', '1048576']);
  });

  test('keeps its size, owner and place', async () => {
    const path = await fixture.create('fixed', MIB);
    const answers = await fixture.python(
      path,
      'def tell(what, *words):',
      '  try: what(*words); print("ok")',
      '  except OSError as e: print(errno.errorcode[e.errno])',
      'path = sys.argv[1]',
      'tell(os.ftruncate, fd, 1048576); tell(os.ftruncate, fd, 0); tell(os.ftruncate, fd, 1 << 21)',
      'tell(os.chmod, path, 0o600); tell(os.chmod, path, 0o644); tell(os.chown, path, 1, 1)',
      'tell(os.utime, path); tell(os.unlink, path); tell(os.rename, path, path + "2")',
      'tell(os.mkdir, path + "3"); tell(os.listxattr, path)',
    );
    expect(answers.split('\n')).toEqual([
      ...['ok', 'EINVAL', 'EINVAL'],
      ...['ok', 'EPERM', 'EPERM'],
      ...['ok', 'EPERM', 'EPERM'],
      ...['EPERM', 'ENOTSUP'],
    ]);
  });

  test('maps into memory, shared', async () => {
    const path = await fixture.create('mapped', MIB, 6);
    const answers = await fixture.python(
      path,
      'memory = mmap.mmap(fd, 1048576)',
      'before = memory[8192:8200]',
      'print(before == os.pread(fd, 8, 8192))',
      'memory[8192:8197] = b"hello"; memory.flush()',
      'print(os.pread(fd, 5, 8192).decode())',
    );
    expect(answers.split('\n')).toEqual(['True', 'hello']);
    const image = readFileSync(`${fixture.folder}/mapped.img`);
    expect(image.subarray(8192, 8197).toString()).toBe('hello');
  });

  test('punches holes, zeroes, and finds both again', async () => {
    const path = await fixture.create('holes', 4 * MIB, 7);
    const image = `${fixture.folder}/holes.img`;
    await succeed('fallocate', '-p', '-o', '1048576', '-l', '1048576', path);
    await succeed('fallocate', '-z', '-o', '100', '-l', '1000', path);
    await succeed('fallocate', '-o', '0', '-l', '4096', path);
    expect((await run('fallocate', '-o', '0', '-l', String(5 * MIB), path)).status).toBe(1);
    const bytes = readFileSync(image);
    const original = createPrng(7).fill(new Uint8Array(4 * MIB));
    original.fill(0, 100, 1100).fill(0, MIB, 2 * MIB);
    expect(Buffer.compare(bytes, original)).toBe(0);
    const answers = await fixture.python(
      path,
      'print(os.lseek(fd, 0, os.SEEK_HOLE), os.lseek(fd, 1048576, os.SEEK_DATA))',
      'print(os.lseek(fd, 2097152, os.SEEK_HOLE))',
      'try: os.lseek(fd, 4194304, os.SEEK_DATA)',
      'except OSError as e: print(errno.errorcode[e.errno])',
    );
    expect(answers.split('\n')).toEqual([`${MIB} ${2 * MIB}`, String(4 * MIB), 'ENXIO']);
  });

  test('copies between devices inside the daemon', async () => {
    const [from, to] = [await fixture.create('from', 2 * MIB, 8), await fixture.create('to', MIB)];
    const answers = await fixture.python(
      from,
      `to = os.open("${to}", os.O_RDWR)`,
      'print(os.copy_file_range(fd, to, 1048576, 524288, 0))',
      'print(os.copy_file_range(fd, to, 4194304, 1048576 + 3, 100))',
    );
    expect(answers.split('\n')).toEqual(['1048576', String(MIB - 100)]);
    const source = createPrng(8).fill(new Uint8Array(2 * MIB));
    const copied = readFileSync(`${fixture.folder}/to.img`);
    const parts = [source.subarray(524288, 524388), source.subarray(MIB + 3, 2 * MIB - 97)];
    expect(Buffer.compare(copied, Buffer.concat(parts))).toBe(0);
  });

  test('fsync and O_DSYNC reach the disk', async () => {
    const path = await fixture.create('durable', MIB);
    const flushes = () => fixture.mapper.statistics('durable').flushes;
    expect(flushes()).toBe(0);
    await fixture.python(path, 'os.pwrite(fd, b"x" * 512, 0); os.fsync(fd); os.fdatasync(fd)');
    expect(flushes()).toBe(2);
    const durable =
      'fd = os.open(sys.argv[1], os.O_RDWR | os.O_DSYNC); os.pwrite(fd, b"y" * 512, 0)';
    await fixture.python(path, durable);
    expect(readFileSync(`${fixture.folder}/durable.img`)[0]).toBe('y'.charCodeAt(0));
  });

  test('of a read-only device cannot be opened for writing; its node can, and refuses writes', async () => {
    const image = fixture.image('ro.img', MIB, 9);
    const table = `0 2048 linear ${image} 0`;
    await fixture.mapper.create({ name: 'ro', table, readOnly: true });
    const denied = await run('dd', 'if=/dev/zero', `of=${fixture.path('ro')}`, 'conv=notrunc');
    expect(denied.stderr).toContain('Read-only file system');
    await succeed('cmp', fixture.path('ro'), image);
    const { minor } = fixture.mapper.info('ro');
    const refused = await run(
      ...(['dd', 'if=/dev/zero', 'count=1', 'conv=notrunc'] as const),
      `of=${fixture.path(`.node-${minor}-5-77-`.padEnd(160, '.'))}`,
    );
    expect(refused.stderr).toContain('Operation not permitted');
  });

  test('is claimed by one opener, and not while a table stands on it', async () => {
    const path = await fixture.create('claimed', MIB);
    const claim = 'os.open(sys.argv[1], os.O_RDWR | os.O_NOATIME)';
    const answers = await fixture.python(
      path,
      `first = ${claim}; os.close(os.open(sys.argv[1], os.O_RDONLY))`,
      `try: ${claim}`,
      'except OSError as e: print(errno.errorcode[e.errno])',
      `os.close(first); second = ${claim}; print("again")`,
    );
    expect(answers.split('\n')).toEqual(['EBUSY', 'again']);
    const above = { name: 'above', table: '0 2048 linear mapper/claimed 0' };
    const holder = fixture.python(path, `import time; ${claim}; time.sleep(1.5)`);
    while (fixture.mapper.info('claimed').openCount < 2) await sleep(systemClock, 5);
    await expect(fixture.mapper.create(above)).rejects.toMatchObject({ code: 'EBUSY' });
    await holder;
    await fixture.mount.settle();
    await fixture.mapper.create(above);
    await expect(fixture.python(path, claim)).rejects.toThrow('resource busy');
    await fixture.mapper.remove('above');
    await fixture.python(path, claim);
  });

  test('is listed while it has a table; its node is never listed, and there from the first table on', async () => {
    const { minor } = await fixture.mapper.create({ name: 'bare' });
    const node = fixture.path(`.node-${minor}-64769-1234-`.padEnd(160, '.'));
    await expect(stat(node)).rejects.toMatchObject({ code: 'ENOENT' });
    await fixture.mapper.load('bare', '0 16 zero');
    expect((await stat(node)).size).toBe(0);
    await expect(stat(fixture.path('bare'))).rejects.toMatchObject({ code: 'ENOENT' });
    await fixture.mapper.resume('bare');
    const names = await readdir(fixture.mount.folder);
    expect(names).toEqual([...fixture.mapper.list()]);
    expect((await stat(node)).size).toBe(8192);
    for (const name of [`.node-${minor}-1-1-`, `.node-99999-1-1-`.padEnd(160, '.')]) {
      await expect(stat(fixture.path(name))).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });

  test('nothing was reported', () => {
    expect(fixture.reports).toEqual([]);
  });
});
