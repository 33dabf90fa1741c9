import { describe, expect, test } from 'vitest';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { Op } from '../core/bio.ts';
import { submitBio } from '../testing/submit.ts';
import { describeTarget } from '../testing/target-laws.ts';
import { World } from '../testing/world.ts';
import { delay } from './delay.ts';

describeTarget(delay, {
  version: '1.5.0',
  features: ['owns-flush'],
  disks: { S: { sizeSectors: 100 }, K: { limits: { logicalBlockBytes: 4096 } } },
  maps: [
    {
      line: '0 100 delay A 8 0',
      at: [
        [0, 'A', 8],
        [99, 'A', 107],
      ],
      status: '0 0 0',
    },
    { line: '64 16 delay A 0 1', at: [[64, 'A', 0]], status: '0 0 0' },
    { line: '0 100 delay A 8 1 A 8 0', status: '0 0 0' },
    { line: '0 100 delay A 8 0 A 8 1 A 8 2', status: '0 0 0' },
  ],
  rejects: [
    ...['', 'A', 'A 0', 'A 0 1 A', 'A 0 1 A 0', 'A 0 1 A 0 2 A 0', 'A 0 1 A 0 2 A 0 3 A'].map(
      (params) => ({
        line: `0 100 delay ${params}`,
        error: /delay: Requires exactly 3, 6 or 9 arguments/,
      }),
    ),
    { line: '0 100 delay A x 1', error: /Invalid device sector/ },
    { line: '0 100 delay A 0 x', error: /Invalid delay/ },
    { line: '0 100 delay A 0 -1', error: /Invalid delay/ },
    { line: '0 100 delay A 0 4294967296', error: /Invalid delay/ },
    { line: '0 100 delay missing 0 x', error: /Invalid delay/ },
    { line: '0 100 delay missing 0 1', code: 'ENOENT', error: /Device lookup failed/ },
    { line: '0 100 delay A 0 1 missing 0 1', code: 'ENOENT', error: /Device lookup failed/ },
    { line: '0 100 delay A 0 1 A x 1', error: /Invalid device sector/ },
    { line: '0 100 delay A 0 1 A 0 1 A 0 x', error: /Invalid delay/ },
    { line: '0 100 delay A 0 1 A 0 1 S 1 1', error: /S too small for target: start=1, len=100/ },
  ],
});

const SECTORS = { read: 1, write: 2, discard: 3, 'write-zeroes': 4, 'block-status': 5 };
const OPS = {
  read: Op.read,
  write: Op.write,
  discard: Op.discard,
  'write-zeroes': Op.writeZeroes,
  'block-status': Op.blockStatus,
  flush: Op.flush,
};
type OpName = keyof typeof OPS;

/** A device that notes when bios reach the disks below and when they end; sector 0 is not the row's. */
async function start(params: string) {
  const clock = new SimulatedClock();
  const world = new World({ clock });
  const device = await world.start('t', `0 100 zero\n100 64 delay ${params}`);
  const arrived: string[] = [];
  const ended: string[] = [];
  for (const name of ['A', 'B', 'C']) {
    world.disks.get(name).answer = (finish, { op, sector }) => {
      const what = Object.entries(OPS).find(([, value]) => value === op)![0];
      arrived.push(`${clock.nowMs()} ${what} ${name}:${sector}`);
      finish();
    };
  }
  const send = (op: OpName, sector = 0) => {
    const data = new Uint8Array(512);
    const range = op === 'flush' ? {} : { sector: 100 + sector, sectorCount: 1, data };
    const done = submitBio(device, { op: OPS[op], ...range });
    void done.then((error) => ended.push(`${clock.nowMs()} ${op} ${error}`));
  };
  const status = () => device.live!.statusLines()[1]!.replace(/^100 64 delay /, '');
  return { clock, world, device, arrived, ended, send, status };
}

describe('delay holds each kind of bios as long as it is told', () => {
  test.each<[string, string[]]>([
    [
      'A 8 100',
      [
        '100 read A:9',
        '100 write A:10',
        '100 discard A:11',
        '100 write-zeroes A:12',
        '100 block-status A:13',
        '100 flush A:0',
      ],
    ],
    [
      'A 8 0 B 16 50',
      [
        '0 read A:9',
        '0 block-status A:13',
        '50 write B:18',
        '50 discard B:19',
        '50 write-zeroes B:20',
        '50 flush B:0',
      ],
    ],
    [
      'A 8 100 B 16 50 C 0 70',
      [
        '50 write B:18',
        '50 discard B:19',
        '50 write-zeroes B:20',
        '70 flush C:0',
        '100 read A:9',
        '100 block-status A:13',
      ],
    ],
    [
      'A 8 5 B 16 0 C 0 0',
      [
        '0 write B:18',
        '0 discard B:19',
        '0 write-zeroes B:20',
        '0 flush C:0',
        '5 read A:9',
        '5 block-status A:13',
      ],
    ],
  ])('%s', async (params, expected) => {
    const { clock, send, arrived, ended, status } = await start(params);
    for (const [op, sector] of Object.entries(SECTORS)) send(op as OpName, sector);
    send('flush');
    await clock.advance(1000);
    expect(arrived).toEqual(expected);
    expect(ended).toHaveLength(6);
    expect(ended.every((text) => text.endsWith(' 0'))).toBe(true);
    expect(status()).toBe('0 0 0');
  });

  test('status counts what is held', async () => {
    const { clock, send, status } = await start('A 0 100 A 0 200 A 0 300');
    for (const op of ['read', 'read', 'read', 'write', 'discard', 'flush'] as const) send(op);
    expect(status()).toBe('3 2 1');
    await clock.advance(100);
    expect(status()).toBe('0 2 1');
    await clock.advance(100);
    expect(status()).toBe('0 0 1');
    await clock.advance(100);
    expect(status()).toBe('0 0 0');
  });

  test('with one timer, however many are held', async () => {
    const { clock, send, arrived } = await start('A 0 100 A 0 30');
    for (let sector = 0; sector < 40; sector += 1) {
      send('read', sector);
      expect(clock.pendingCount).toBe(1);
      await clock.advance(1);
    }
    send('write', 50);
    expect(clock.pendingCount).toBe(1);
    await clock.advance(30);
    expect(arrived).toEqual(['70 write A:50']);
    await clock.advance(100);
    expect(arrived.slice(1)).toEqual(
      Array.from({ length: 40 }, (_, sector) => `${100 + sector} read A:${sector}`),
    );
    expect(clock.pendingCount).toBe(0);
  });

  test('what is due together goes in the order in which it came', async () => {
    const { clock, send, arrived } = await start('A 0 100 A 0 40');
    send('read', 1);
    await clock.advance(60);
    send('write', 2);
    send('write', 3);
    await clock.advance(100);
    expect(arrived).toEqual(['100 read A:1', '100 write A:2', '100 write A:3']);
  });

  test('for weeks', async () => {
    const { clock, send, arrived } = await start('A 0 4294967295');
    const original = clock.after.bind(clock);
    clock.after = (ms, action, options) => {
      expect(ms).toBeLessThan(2 ** 31);
      return original(ms, action, options);
    };
    send('read');
    await clock.advance(4_294_967_294);
    expect(arrived).toEqual([]);
    await clock.advance(1);
    expect(arrived).toEqual(['4294967295 read A:0']);
  });

  test('a clock whose timers fire early', async () => {
    const { clock, send, arrived } = await start('A 0 100');
    const original = clock.after.bind(clock);
    clock.after = (ms, action, options) => original(ms * 0.9, action, options);
    send('read');
    await clock.advance(99.9);
    expect(arrived).toEqual([]);
    await clock.advance(0.2);
    expect(arrived).toHaveLength(1);
  });

  test('thousands, in order', async () => {
    const { clock, send, arrived, ended } = await start('A 0 10');
    for (let round = 0; round < 3; round += 1) {
      for (let count = 0; count < 1500; count += 1) send('read', count % 64);
      await clock.advance(4);
    }
    await clock.advance(10);
    expect(arrived.map((text) => Number(text.split(':')[1]))).toEqual(
      Array.from({ length: 4500 }, (_, index) => (index % 1500) % 64),
    );
    expect(ended).toHaveLength(4500);
  });
});

describe('delay at suspend', () => {
  test('lets everything go, in the order in which it came, and holds nothing until resume', async () => {
    const { clock, device, send, arrived, status } = await start('A 0 300 A 0 100 A 0 200');
    send('read', 1);
    send('flush');
    send('write', 2);
    send('read', 3);
    await clock.advance(10);
    await device.suspend();
    expect(arrived).toEqual(['10 read A:1', '10 flush A:0', '10 write A:2', '10 read A:3']);
    expect([status(), clock.pendingCount]).toEqual(['0 0 0', 0]);
    send('write', 4);
    await clock.advance(10);
    await device.resume();
    await clock.advance(99);
    expect(arrived).toHaveLength(4);
    await clock.advance(1);
    expect(arrived.at(-1)).toBe('120 write A:4');
  });

  test('delays again when the suspend was given up', async () => {
    const { clock, world, device, send, arrived } = await start('A 0 100');
    const { answer } = world.disks.get('A');
    const finishes: (() => void)[] = [];
    world.disks.get('A').answer = (finish) => finishes.push(finish);
    send('read', 1);
    const controller = new AbortController();
    const suspending = device.suspend({ signal: controller.signal });
    controller.abort();
    await expect(suspending).rejects.toThrow(/Interrupted/);
    world.disks.get('A').answer = answer;
    for (const finish of finishes) finish();
    send('read', 2);
    await clock.advance(99);
    expect(arrived).toEqual([]);
    await clock.advance(1);
    expect(arrived).toEqual(['100 read A:2']);
  });

  test('a removal waits for nobody', async () => {
    const { world, device, send, arrived } = await start('A 0 4000000');
    send('write', 1);
    await world.mapper.remove(device);
    expect(arrived).toEqual(['0 write A:1']);
  });
});

describe('delay passed by', () => {
  test.each([
    ['A 8 0', { ops: 'all', sectors: -92, device: { operand: 'A' } }],
    ['A 8 0 A 8 0', { ops: 'all' }],
    ['A 8 0 A 8 0 B 0 9', { ops: 'all' }],
    ['A 8 0 A 9 0', { ops: 'reads' }],
    ['A 8 0 B 8 0', { ops: 'reads' }],
    ['A 8 0 A 8 1', { ops: 'reads', sectors: -92 }],
  ])('%s', async (params, expected) => {
    const { device } = await start(params);
    expect(device.live!.rows[1]!.target.passThrough?.()).toMatchObject(expected);
  });

  test.each(['A 8 1', 'A 8 1 A 8 0'])('not %s', async (params) => {
    const { device } = await start(params);
    expect(device.live!.rows[1]!.target.passThrough?.()).toBeNull();
  });
});
