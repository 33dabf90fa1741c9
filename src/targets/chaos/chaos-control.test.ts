/** Rules at run time, what waits, and what the device says of itself. */

import { describe, expect, test } from 'vitest';
import { Errno } from '../../base/errors.ts';
import { ChaosRig, isOpen } from '../../testing/chaos-rig.ts';

describe('rules at run time', () => {
  test('are added behind the others, listed, removed by place and name, and printed', async () => {
    const rig = await ChaosRig.start('seed=5 eio:p=0');
    await rig.message('add lost:op=flush,name=liar bitrot:p=0');
    expect(rig.table).toBe('D 0 4 seed=5 eio:p=0 lost:op=flush,name=liar bitrot:p=0');
    await rig.flush();
    expect(await rig.message('list')).toBe(
      '1: eio:p=0 0/1\n2: lost:op=flush,name=liar 1/1\n3: bitrot:p=0 0/0\n',
    );
    expect(rig.status).toBe('on 0 0 3 eio:0/1 liar:1/1 bitrot:0/0');
    await rig.message('remove 1 liar');
    expect(rig.table).toBe('D 0 2 seed=5 bitrot:p=0');
    await rig.message('clear');
    expect(rig.table).toBe('D 0 1 seed=5');
    expect(await rig.message('list')).toBe('');
  });

  test('begin at once, and go with what they hold', async () => {
    const rig = await ChaosRig.start();
    await rig.message('add stall:op=write');
    const written = rig.write(0, 1);
    expect(await isOpen(written)).toBe(true);
    await rig.message('remove 1');
    expect(await written).toBe(0);
  });

  test('are called by place, by name, or by an effect that only one has', async () => {
    const rig = await ChaosRig.start('eio:name=first lost torn lost:op=flush');
    await expect(rig.message('remove lost')).rejects.toThrow(/No such rule: "lost" is several/);
    await expect(rig.message('remove eio')).rejects.toThrow(/or a rule's name, got "eio"/);
    await rig.message('remove torn 4 first');
    expect(rig.table).toBe('D 0 1 lost');
  });

  test('of the same word have a chance each', async () => {
    const rig = await ChaosRig.start('eio:p=0.5 eio:p=0.5');
    for (let count = 0; count < 100; count += 1) await rig.tryRead(0);
    const [first, second] = [...rig.status.matchAll(/eio:(\d+)/g)].map(([, fired]) =>
      Number(fired),
    );
    expect(first).toBeGreaterThan(30);
    expect(second).toBeGreaterThan(10);
  });

  test('are added all or none', async () => {
    const rig = await ChaosRig.start();
    await expect(rig.message('add eio lots')).rejects.toThrow(/got "lots"/);
    expect(rig.table).toBe('D 0');
  });

  test('are triggered once', async () => {
    const rig = await ChaosRig.start('eio:p=0,op=write,name=fail');
    await rig.message('trigger fail');
    expect([await rig.write(0, 1), await rig.write(0, 1)]).toEqual([Errno.EIO, 0]);
  });

  test('load with the same chance as before', async () => {
    const faults = async (rig: ChaosRig) => {
      const errors: number[] = [];
      for (let count = 0; count < 100; count += 1) errors.push(await rig.tryRead(0));
      return errors;
    };
    const rig = await ChaosRig.start('seed=9 lost eio:op=read,p=0.5 latency:ms=0');
    const first = await faults(rig);
    await rig.message('remove 1');
    const again = await ChaosRig.start(rig.table.replace(/^D 0 \d+ /, ''));
    expect(await faults(again)).toEqual(first);
    expect(new Set(first).size).toBe(2);
  });
});

describe('what waits', () => {
  test('for message go goes on then, and comes to its rules no more', async () => {
    const rig = await ChaosRig.start('stall:op=write,count=2');
    const written = [rig.write(0, 1), rig.write(1, 1)];
    expect(await rig.write(2, 1)).toBe(0);
    expect(rig.status).toBe('on 2 0 1 stall:2/3');
    expect(rig.device.eventNumber).toBe(2);
    expect(rig.below(0, 3)).toEqual([0, 0, 1]);
    await rig.message('go');
    expect(await Promise.all(written)).toEqual([0, 0]);
    expect(rig.below(0, 3)).toEqual([1, 1, 1]);
  });

  test('is everything after message stall', async () => {
    const rig = await ChaosRig.start();
    await rig.message('stall');
    const read = rig.tryRead(0);
    expect(await isOpen(read)).toBe(true);
    expect(rig.status).toBe('stalled 1 0 0');
    await rig.message('go');
    expect(await read).toBe(0);
    expect(rig.status).toBe('on 0 0 0');
  });

  test('waits as long as latency says', async () => {
    const rig = await ChaosRig.start('latency:ms=30,op=read latency:ms=20');
    const read = rig.tryRead(0);
    const written = rig.write(0, 1);
    await rig.clock.advance(20);
    expect([await isOpen(written), await isOpen(read)]).toEqual([false, true]);
    await rig.clock.advance(10);
    expect(await isOpen(read)).toBe(false);
  });

  test('never waits longer than a timer can count, which would end it at once', async () => {
    const rig = await ChaosRig.start('timeout:ms=2147483647 latency:ms=2147483647');
    const read = rig.tryRead(0);
    await rig.clock.advance(2 ** 31 - 2);
    expect(await isOpen(read)).toBe(true);
    await rig.clock.advance(1);
    expect(await read).toBe(Errno.ETIMEDOUT);
  });

  test('ends when the device suspends or is removed', async () => {
    const rig = await ChaosRig.start('stall:op=read latency:ms=1h,op=write timeout:op=flush');
    const open = [rig.tryRead(0), rig.write(0, 1), rig.flush()];
    await rig.device.suspend();
    expect(await Promise.all(open)).toEqual([0, 0, Errno.ETIMEDOUT]);
    const queued = rig.tryRead(0);
    await rig.device.resume();
    expect(await isOpen(queued)).toBe(true);
    await rig.world.mapper.remove(rig.device);
    expect(await queued).toBe(0);
    expect(rig.clock.pendingCount).toBe(0);
    expect(rig.world.disks.openCount).toBe(0);
  });
});

describe('power', () => {
  test('goes off and on by message', async () => {
    const rig = await ChaosRig.start();
    await rig.message('power off');
    expect(rig.status).toBe('off 0 0 0');
    expect([await rig.write(0, 1), await rig.flush()]).toEqual([Errno.EIO, Errno.EIO]);
    await rig.message('power on');
    expect(await rig.write(0, 1)).toBe(0);
    await rig.message('power off 20ms');
    expect(await rig.tryRead(0)).toBe(Errno.EIO);
    await rig.clock.advance(20);
    expect(await rig.read(0)).toEqual([1]);
  });

  test('comes back with clear', async () => {
    const rig = await ChaosRig.start('eio');
    await rig.message('power off');
    await rig.message('clear');
    expect(await rig.tryRead(0)).toBe(0);
  });
});

describe('pass-through', () => {
  const allowed = (rig: ChaosRig) => rig.device.live!.rows[0]!.target.passThrough!()?.ops ?? null;

  test.each([
    ['', 'all'],
    ['lost', 'reads'],
    ['eio:op=write+flush torn latency:op=discard', 'reads'],
    ['eio', null],
    ['latency:op=read', null],
    ['stale', null],
    ['reorder', null],
    ['powercut:op=flush,p=0', null],
  ])('with rules "%s": %s', async (rules, ops) => {
    expect(allowed(await ChaosRig.start(rules))).toBe(ops);
  });

  test('ends and begins with rules, stall and power', async () => {
    const rig = await ChaosRig.start();
    const seen: unknown[] = [];
    for (const text of ['add lost', 'clear', 'stall', 'go', 'power off', 'power on']) {
      await rig.message(text);
      seen.push(allowed(rig));
    }
    expect(seen).toEqual(['reads', 'all', null, 'all', null, 'all']);
  });

  test('comes back with the power, without anybody asking', async () => {
    const rig = await ChaosRig.start();
    await rig.message('power off 20ms');
    const seen: unknown[] = [];
    rig.device.attachBypass({
      quiesce: async () => void seen.push(allowed(rig)),
      release: () => undefined,
      statistics: () => undefined,
    });
    await rig.clock.advance(19);
    expect(seen).toEqual([]);
    await rig.clock.advance(2);
    expect(seen).toEqual(['all']);
    await rig.message('power off 20ms');
    await rig.world.mapper.remove(rig.device);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('is asked for anew before a message is answered', async () => {
    const rig = await ChaosRig.start();
    let rest: () => void = () => undefined;
    const seen: unknown[] = [];
    rig.device.attachBypass({
      quiesce: () =>
        new Promise((resolve) => {
          seen.push(allowed(rig));
          rest = resolve;
        }),
      release: () => seen.push('released'),
      statistics: () => undefined,
    });
    const added = rig.message('add eio');
    expect(await isOpen(added)).toBe(true);
    expect(seen).toEqual([null]);
    rest();
    await added;
    expect(seen).toEqual([null, 'released']);
  });
});

describe('messages', () => {
  test('stats is JSON', async () => {
    const rig = await ChaosRig.start('eio:op=write,name=w reorder');
    await rig.write(0, 1);
    await rig.read(0);
    expect(JSON.parse(await rig.message('stats'))).toEqual({
      power: 'on',
      stalled: false,
      waitingRequests: 0,
      unflushedWrites: 0,
      unflushedSectors: 0,
      powerCuts: 0,
      requests: { read: 1, write: 1, flush: 0, discard: 0, 'write-zeroes': 0 },
      rules: [
        { number: 1, name: 'w', effect: 'eio', rule: 'eio:op=write,name=w', met: 1, fired: 1 },
        { number: 2, effect: 'reorder', rule: 'reorder', met: 1, fired: 0 },
      ],
    });
  });

  test('help names every effect, key and message', async () => {
    const rig = await ChaosRig.start();
    const help = await rig.message('help');
    for (const word of ['eio', 'powercut', 'rpm=', 'from=', 'seed=', 'trigger', 'power off']) {
      expect(help).toContain(word);
    }
  });

  test.each([
    ['fail', /Unrecognised message received: expected one of add, .*, got "fail"/],
    ['add', /Invalid argument count: expected "add <rule>...", got 0 words/],
    ['go now', /expected "go", got 1 words/],
    ['remove 1', /No such rule: there are none, got "1"/],
    ['trigger x', /No such rule: there are none, got "x"/],
    ['power', /expected "power on \| power off \[<time>\]", got 0 words/],
    ['power down', /expected "power on/],
    ['power on 5s', /expected "power on/],
    ['power off soon', /ms: expected a time up to .*, got "soon"/],
    ['toString', /Unrecognised message/],
  ])('refuses %s', async (text, error) => {
    const rig = await ChaosRig.start();
    await expect(rig.message(text)).rejects.toThrow(error);
  });

  test('a rule is only found where it is', async () => {
    const rig = await ChaosRig.start('eio:name=a');
    await expect(rig.message('remove 2')).rejects.toThrow(
      /expected 1 to 1, or a rule's name, got "2"/,
    );
    await expect(rig.message('remove 0')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(rig.message('add eio:name=a')).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
