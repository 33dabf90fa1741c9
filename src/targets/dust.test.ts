import { describe, expect, test } from 'vitest';
import { Errno } from '../base/errors.ts';
import { BioFlag, Op } from '../core/bio.ts';
import { readSectors, submitBio } from '../testing/submit.ts';
import { describeTarget } from '../testing/target-laws.ts';
import { World } from '../testing/world.ts';
import { dust } from './dust.ts';

describeTarget(dust, {
  version: '1.0.0',
  features: [],
  disks: { S: { sizeSectors: 100 }, K: { limits: { logicalBlockBytes: 4096 } } },
  maps: [
    {
      line: '0 100 dust A 8 512',
      at: [
        [0, 'A', 8],
        [99, 'A', 107],
      ],
      status: 'A bypass verbose',
    },
    { line: '64 16 dust A 0 4096', at: [[64, 'A', 0]], status: 'A bypass verbose' },
    { line: '0 16 dust K 8 4096', status: 'K bypass verbose' },
    { line: '0 8 dust A 0 4096', status: 'A bypass verbose' },
    { line: '0 8 dust A 0 +512', prints: 'A 0 512', status: 'A bypass verbose' },
    { line: '0 4194304 dust A 0 1073741824', status: 'A bypass verbose' },
  ],
  rejects: [
    { line: '0 100 dust', error: /dust: Invalid argument count/ },
    { line: '0 100 dust A 0', error: /Invalid argument count/ },
    { line: '0 100 dust A x 512', error: /Invalid device offset sector/ },
    { line: '0 100 dust A +1 512', error: /Invalid device offset sector/ },
    { line: '0 100 dust A 0 x', error: /Invalid block size parameter/ },
    { line: '0 100 dust A 0 0', error: /Invalid block size parameter/ },
    { line: '0 100 dust A 0 -512', error: /Invalid block size parameter/ },
    { line: '0 100 dust A 0 4294967296', error: /Invalid block size parameter/ },
    { line: '0 100 dust A 0 256', error: /Block size must be at least 512/ },
    { line: '0 100 dust A 0 511', error: /Block size must be at least 512/ },
    { line: '0 100 dust A 0 513', error: /Block size must be a power of 2/ },
    { line: '0 100 dust A 0 1536', error: /Block size must be a power of 2/ },
    { line: '0 100 dust A 0 65536', error: /Block size is too large/ },
    { line: '0 7 dust A 0 4096', error: /Block size is too large/ },
    { line: '0 8388608 dust A 0 2147483648', error: /Block size is too large/ },
    // The kernel answers so whatever the cause is.
    { line: '0 100 dust missing 0 512', code: 'EINVAL', error: /Device lookup failed/ },
    { line: '0 100 dust S 1 512', error: /S too small for target: start=1, len=100/ },
  ],
});

const SIZE = 64;
const { EIO } = Errno;

/** 64 sectors on a disk of 80 that is full of 0xaa, eight of zeroes in front. */
async function start(params = 'A 0 512') {
  const reports: string[] = [];
  const report = (message: string) => reports.push(message);
  const world = new World({ disks: { A: { sizeSectors: 80 } }, report });
  const disk = world.disks.get('A');
  disk.bytes.fill(0xaa);
  const device = await world.start('t', `0 8 zero\n8 ${SIZE} dust ${params}`);
  const send = (text: string) => device.message(8, text.split(' '));
  const sendAll = async (...texts: string[]) => {
    for (const text of texts) await send(text);
  };
  const status = () => device.live!.statusLines()[1]!.replace(/^8 64 dust /, '');
  const submit = (op: Op, sector: number, sectorCount = 1) => {
    const data = new Uint8Array(sectorCount * 512).fill(0x55);
    const usesData = op === Op.read || op === Op.write;
    return submitBio(device, { op, sector: 8 + sector, sectorCount, ...(usesData && { data }) });
  };
  /** Sectors of the row that cannot be read, one by one. */
  const unreadable = async () => {
    const found: number[] = [];
    for (let sector = 0; sector < SIZE; sector += 1) {
      if ((await submit(Op.read, sector)) !== 0) found.push(sector);
    }
    return found;
  };
  return { world, disk, device, reports, send, sendAll, status, submit, unreadable };
}

describe('messages to dust', () => {
  test('the session of the kernel’s documentation', async () => {
    const { send, status, submit } = await start();
    expect(status()).toBe('A bypass verbose');
    for (const block of [60, 67, 72]) expect(await send(`addbadblock ${block}`)).toBeUndefined();
    expect(await submit(Op.read, 60)).toBe(0);
    expect(await send('enable')).toBeUndefined();
    expect(status()).toBe('A fail_read_on_bad_block verbose');
    expect(await submit(Op.read, 60)).toBe(EIO);
    expect(await send('countbadblocks')).toBe('countbadblocks: 3 badblock(s) found');
    expect(await send('queryblock 72')).toBe('dust_query_block: block 72 found in badblocklist');
    expect(await send('queryblock 71')).toBe(
      'dust_query_block: block 71 not found in badblocklist',
    );
    expect(await send('listbadblocks')).toBe('60\n67\n72\n');
    expect(await send('removebadblock 67')).toBeUndefined();
    expect(await submit(Op.write, 0, SIZE)).toBe(0);
    expect(await send('listbadblocks')).toBe('72\n');
    expect(await send('clearbadblocks')).toBe('dust_clear_badblocks: badblocks cleared');
    expect(await send('clearbadblocks')).toBe('dust_clear_badblocks: no badblocks found');
    expect(await send('listbadblocks')).toBe('No blocks in badblocklist');
    expect(await send('disable')).toBeUndefined();
    expect(status()).toBe('A bypass verbose');
    expect(await send('quiet')).toBeUndefined();
    expect(status()).toBe('A bypass quiet');
    await send('quiet');
    expect(status()).toBe('A bypass verbose');
  });

  test('in any case of letters, and sorted by number', async () => {
    const { send, sendAll } = await start();
    await sendAll('ADDBADBLOCK 12', 'AddBadBlock 9', 'addbadblock 70', 'Enable');
    expect(await send('LISTBADBLOCKS')).toBe('9\n12\n70\n');
    expect(await send('QueryBlock 9')).toContain('block 9 found');
  });

  test.each([
    ['addbadblock', /addbadblock requires an additional argument/],
    ['removebadblock', /removebadblock requires an additional argument/],
    ['queryblock', /queryblock requires an additional argument/],
    ['nonsense', /unrecognized message 'nonsense' received/],
    ['nonsense 1', /unrecognized message 'nonsense' received/],
    ['enable 1', /unrecognized message 'enable' received/],
    ['queryblock 1 1', /unrecognized message 'queryblock' received/],
    ['removebadblock 1 1', /unrecognized message 'removebadblock' received/],
    ['addbadblock 1 2 3', /invalid number of arguments '4'/],
    ['addbadblock x', /expected the number of a block, got "x"/],
    ['addbadblock -1', /expected the number of a block, got "-1"/],
    ['addbadblock 1x', /expected the number of a block/],
    ['nonsense x', /expected the number of a block/],
    ['addbadblock 99999999999999999999', /expected the number of a block/],
    ['addbadblock 1 x', /expected the number of a write fail count, got "x"/],
    ['addbadblock 1 256', /selected write fail count out of range: .* 255, got 256/],
    ['addbadblock 81', /selected block value out of range: expected at most 80, got 81/],
    ['queryblock 81', /selected block value out of range/],
    ['addbadblock 81 1', /selected block value out of range/],
    ['addbadblock 5', /block 5 already in badblocklist/],
    ['addbadblock 5 9', /block 5 already in badblocklist/],
    ['removebadblock 6', /block 6 not found in badblocklist/],
  ])('%s is refused', async (text, error) => {
    const { send } = await start();
    await send('addbadblock 5');
    await expect(send(text)).rejects.toMatchObject({
      name: 'DmError',
      code: 'EINVAL',
      message: expect.stringMatching(error) as string,
    });
    expect(await send('listbadblocks')).toBe('5\n');
  });

  test('the block behind the last one is none, but may be bad', async () => {
    const { send } = await start();
    expect(await send('addbadblock 80')).toBeUndefined();
    expect(await send('countbadblocks')).toContain(' 1 ');
  });
});

describe('bad blocks', () => {
  test('matter from enable to disable', async () => {
    const { sendAll, unreadable } = await start();
    await sendAll('addbadblock 3', 'addbadblock 9');
    expect(await unreadable()).toEqual([]);
    await sendAll('enable');
    expect(await unreadable()).toEqual([3, 9]);
    await sendAll('addbadblock 4', 'removebadblock 9');
    expect(await unreadable()).toEqual([3, 4]);
    await sendAll('disable');
    expect(await unreadable()).toEqual([]);
    await sendAll('enable', 'clearbadblocks');
    expect(await unreadable()).toEqual([]);
  });

  test('are counted on the device below, in its blocks', async () => {
    const { sendAll, unreadable } = await start('A 16 4096');
    await sendAll('addbadblock 1', 'addbadblock 3', 'enable');
    expect(await unreadable()).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  });

  test('are found where pieces begin inside of blocks', async () => {
    const { sendAll, unreadable, submit } = await start('A 13 4096');
    await sendAll('addbadblock 3', 'enable');
    const sectors = [11, 12, 13, 14, 15, 16, 17, 18];
    expect(await unreadable()).toEqual(sectors);
    expect(await submit(Op.read, 8, 4)).toBe(EIO);
    expect(await submit(Op.read, 8, 3)).toBe(0);
  });

  test('fail a read that has other blocks too, and the disk is not asked for them', async () => {
    const { disk, sendAll, submit } = await start();
    await sendAll('addbadblock 5', 'enable');
    disk.recorded = [];
    expect(await submit(Op.read, 4, 3)).toBe(EIO);
    expect(disk.recorded.map(({ sector }) => sector)).toEqual([4, 6]);
  });

  test('fail block status and prefetch as reads', async () => {
    const { device, sendAll, submit } = await start();
    await sendAll('addbadblock 5', 'enable');
    expect(await submit(Op.blockStatus, 5)).toBe(EIO);
    const request = { op: Op.read, sector: 13, sectorCount: 1, flags: BioFlag.prefetch };
    expect(await submitBio(device, request)).toBe(EIO);
  });

  test.each([
    ['a write', Op.write],
    ['a discard', Op.discard],
    ['zeroes', Op.writeZeroes],
  ])('are good again after %s', async (_, op) => {
    const { send, sendAll, submit, unreadable } = await start();
    await sendAll('addbadblock 5', 'addbadblock 7', 'addbadblock 30');
    expect(await submit(op, 7)).toBe(0);
    expect(await send('listbadblocks')).toBe('5\n7\n30\n');
    await send('enable');
    expect(await submit(op, 4, 4)).toBe(0);
    expect(await send('listbadblocks')).toBe('30\n');
    expect(await unreadable()).toEqual([30]);
  });

  test('that a write healed are reported, unless quiet', async () => {
    const { reports, sendAll, submit } = await start();
    await sendAll('enable', 'addbadblock 5 1', 'addbadblock 6', 'addbadblock 7', 'addbadblock 9');
    expect(await submit(Op.write, 5)).toBe(EIO);
    expect(reports).toEqual([]);
    await submit(Op.write, 5);
    await submit(Op.discard, 6, 2);
    expect(reports).toEqual([
      't: dust: block 5 removed from badblocklist by write',
      't: dust: block 6 and 1 more removed from badblocklist by write',
    ]);
    await sendAll('quiet');
    await submit(Op.write, 9);
    expect(reports).toHaveLength(2);
  });

  test('fail so many writes first', async () => {
    const { disk, device, send, sendAll, submit } = await start();
    await sendAll('addbadblock 5 2', 'addbadblock 6 0', 'addbadblock 30 255', 'enable');
    expect(await submit(Op.write, 4, 3)).toBe(EIO);
    expect(await send('listbadblocks')).toBe('5\n30\n');
    expect([4, 5, 6].map((sector) => disk.bytes[sector * 512])).toEqual([0x55, 0xaa, 0x55]);
    expect(await submit(Op.write, 5)).toBe(EIO);
    expect(await submit(Op.write, 5)).toBe(0);
    expect((await readSectors(device, 13, 1))[0]).toBe(0x55);
    for (let count = 0; count < 255; count += 1) expect(await submit(Op.write, 30)).toBe(EIO);
    expect(await submit(Op.write, 30)).toBe(0);
    expect(await send('countbadblocks')).toContain(' 0 ');
  });

  test('a discard of them fails whole, and once for each of its failures', async () => {
    const { disk, send, sendAll, submit } = await start();
    await sendAll('addbadblock 5 1', 'addbadblock 6', 'enable');
    disk.recorded = [];
    expect(await submit(Op.discard, 0, SIZE)).toBe(EIO);
    expect(disk.recorded).toEqual([]);
    expect(await send('listbadblocks')).toBe('5\n6\n');
    expect(await submit(Op.discard, 0, SIZE)).toBe(0);
    expect(disk.recorded).toHaveLength(1);
    expect(await send('countbadblocks')).toContain(' 0 ');
  });

  test('a flush concerns no block', async () => {
    const { send, sendAll, device } = await start();
    await sendAll('addbadblock 0', 'enable');
    expect(await submitBio(device, { op: Op.flush })).toBe(0);
    expect(await send('countbadblocks')).toContain(' 1 ');
  });

  test('outlive a suspend, not a reload', async () => {
    const { world, device, send, sendAll, unreadable } = await start();
    await sendAll('addbadblock 5', 'enable', 'quiet');
    await device.suspend();
    await device.resume();
    expect(await unreadable()).toEqual([5]);
    await world.load(device, device.live!.tableLines().join('\n'));
    await device.resume();
    expect(await send('countbadblocks')).toContain(' 0 ');
    expect(device.live!.statusLines()[1]).toBe('8 64 dust A bypass verbose');
  });
});

describe('dust passed by', () => {
  test('unless a bad block counts, and told so before the message is answered', async () => {
    const { device, send } = await start('A 3 512');
    const { target } = device.live!.rows[1]!;
    const calls: string[] = [];
    device.attachBypass({
      quiesce: async () => {
        calls.push(`stop: ${target.passThrough?.()?.ops ?? 'nothing'}`);
      },
      release: () => {
        calls.push('go');
      },
      statistics: () => undefined,
    });
    const tell = async (text: string) => {
      calls.length = 0;
      await send(text);
      return calls.join(', ');
    };
    expect(target.passThrough?.()).toMatchObject({ sectors: -5, ops: 'all' });
    expect(await tell('addbadblock 3')).toBe('');
    expect(await tell('enable')).toBe('stop: nothing, go');
    expect(await tell('addbadblock 4')).toBe('');
    expect(await tell('removebadblock 3')).toBe('');
    expect(await tell('removebadblock 4')).toBe('stop: all, go');
    expect(await tell('addbadblock 4 7')).toBe('stop: nothing, go');
    expect(await tell('clearbadblocks')).toBe('stop: all, go');
    expect(await tell('disable')).toBe('');
  });

  test('a message is answered when no other thread passes by any more', async () => {
    const { device, send } = await start();
    await send('addbadblock 3');
    let rest: () => void = () => {};
    device.attachBypass({
      quiesce: () =>
        new Promise((resolve) => {
          rest = resolve;
        }),
      release: () => undefined,
      statistics: () => undefined,
    });
    let isAnswered = false;
    const answered = send('enable').then(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    rest();
    await answered;
    expect(isAnswered).toBe(true);
  });
});

function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
