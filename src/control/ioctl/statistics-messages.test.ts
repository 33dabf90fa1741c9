import { expect, test } from 'vitest';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { World } from '../../testing/world.ts';
import { handleStatisticsMessage } from './statistics-messages.ts';

function start(): Promise<MappedDevice> {
  return new World().start('d', '0 65536 linear A 0');
}

async function send(device: MappedDevice, text: string, roomBytes?: number) {
  return await handleStatisticsMessage(device, text.split(' '), roomBytes);
}

/** The message and the line of the region that it makes; all as a 6.12 kernel answered. */
test.each([
  ['- /4', '0+65536 16384 - -'],
  ['- /3', '0+65536 21846 - -'],
  ['- 7', '0+65536 7 - -'],
  ['- /99999', '0+65536 1 - -'],
  ['- /4 0', '0+65536 16384 - -'],
  ['- /4 p a', '0+65536 16384 p a'],
  ['- /4 0 p a', '0+65536 16384 p a'],
  ['0+4 4 dmstats', '0+4 4 dmstats -'],
  ['0+4 4 0 - -', '0+4 4 - -'],
  ['- /4 1 histogram:1,2,3 p', '0+65536 16384 p - histogram:1,2,3'],
  ['- /4 2 PRECISE_timestamps Histogram:1', '0+65536 16384 - - precise_timestamps histogram:1'],
  [
    '- /4 3 precise_timestamps precise_timestamps histogram:9',
    '0+65536 16384 - - precise_timestamps histogram:9',
  ],
  ['5+3 1', '5+3 1 - -'],
  ['70000+3 1', '70000+3 1 - -'],
  ['0+65537 65536', '0+65537 65536 - -'],
  ['0+9007199254740993 9007199254740993', '0+9007199254740993 9007199254740993 - -'],
])('@stats_create %s', async (text, line) => {
  const device = await start();
  expect(await send(device, `@stats_create ${text}`)).toBe('0');
  expect(await send(device, '@stats_list')).toBe(`0: ${line}\n`);
});

test.each([
  ['EINVAL', '@stats_create'],
  ['EINVAL', '@stats_create -'],
  ['EINVAL', '@stats_create - 0'],
  ['EINVAL', '@stats_create - /0'],
  ['EINVAL', '@stats_create - /'],
  ['EINVAL', '@stats_create - 1x'],
  ['EINVAL', '@stats_create - -1'],
  ['EINVAL', '@stats_create - /4 1'],
  ['EINVAL', '@stats_create - /4 1 bogus'],
  ['EINVAL', '@stats_create - /4 4294967295 precise_timestamps'],
  ['EINVAL', '@stats_create - /4 p a x'],
  ['EINVAL', '@stats_create - /4 0 p a x'],
  ['EINVAL', '@stats_create - /4 1 histogram:'],
  ['EINVAL', '@stats_create - /4 1 histogram:0'],
  ['EINVAL', '@stats_create - /4 1 histogram:5,5'],
  ['EINVAL', '@stats_create - /4 1 histogram:5,x'],
  ['EINVAL', '@stats_create - /4 1 histogram:5,'],
  ['EINVAL', '@stats_create - /4 2 histogram:1 histogram:2'],
  ['EINVAL', '@stats_create 0+0 1'],
  ['EINVAL', '@stats_create 5+3x 1'],
  ['EINVAL', '@stats_create 5+ 1'],
  ['EINVAL', '@stats_create +5 1'],
  ['EINVAL', '@stats_create 5 1'],
  ['EINVAL', '@stats_create 1+2+3 1'],
  ['EINVAL', '@stats_create 18446744073709551615+1 1'],
  ['EINVAL', '@stats_create 0+4 18446744073709551616'],
  ['EOVERFLOW', '@stats_create 0+100000000000 1'],
  ['EOVERFLOW', '@stats_create 0+8388609 1'],
  ['EINVAL', '@stats_delete'],
  ['EINVAL', '@stats_delete x'],
  ['EINVAL', '@stats_delete -1'],
  ['EINVAL', '@stats_delete 2147483648'],
  ['EINVAL', '@stats_delete 0 0'],
  ['ENOENT', '@stats_delete 1'],
  ['EINVAL', '@stats_clear'],
  ['ENOENT', '@stats_clear 9'],
  ['EINVAL', '@stats_list a b'],
  ['EINVAL', '@stats_print'],
  ['EINVAL', '@stats_print 0x'],
  ['EINVAL', '@stats_print 0 1'],
  ['EINVAL', '@stats_print 0 x 1'],
  ['ENOENT', '@stats_print 7'],
  ['EINVAL', '@stats_set_aux 0'],
  ['EINVAL', '@stats_set_aux 0 a b'],
  ['ENOENT', '@stats_set_aux 9 x'],
] as const)('%s for %s', async (code, text) => {
  const device = await start();
  await send(device, '@stats_create 0+4 4');
  await expect(send(device, text)).rejects.toThrow(expect.objectContaining({ code }));
  expect(await send(device, '@stats_list')).toBe('0: 0+4 4 - -\n');
});

test('a device without a table has one sector', async () => {
  const device = new World().mapper.create({ name: 'd' });
  await send(device, '@stats_create - /4');
  await send(device, '@stats_create - 4');
  expect(await send(device, '@stats_list')).toBe('0: 0+1 1 - -\n1: 0+1 4 - -\n');
});

test('other messages are none of statistics', async () => {
  const device = await start();
  expect(handleStatisticsMessage(device, ['@stats_bogus'])).toBeUndefined();
  expect(handleStatisticsMessage(device, [])).toBeUndefined();
});

test('names of messages in any case', async () => {
  expect(await send(await start(), '@STATS_List')).toBe('');
});

test('print takes a range of areas; "-" stands for its default', async () => {
  const device = await start();
  await send(device, '@stats_create - /4');
  const line = (area: number) => `${area * 16384}+16384 0 0 0 0 0 0 0 0 0 0 0 0 0\n`;
  const all = line(0) + line(1) + line(2) + line(3);
  expect(await send(device, '@stats_print 0')).toBe(all);
  expect(await send(device, '@stats_print 0 1 1')).toBe(line(1));
  expect(await send(device, '@stats_print 0 1 -')).toBe(line(1) + line(2) + line(3));
  expect(await send(device, '@stats_print 0 - 1')).toBe(line(0));
  expect(await send(device, '@stats_print_clear 0 99 1')).toBe('');
  expect(await send(device, '@stats_print 0 0 0')).toBe('');
});

test('which messages have an answer', async () => {
  const device = await start();
  await send(device, '@stats_create - /1 p');
  expect(await send(device, '@stats_clear 0')).toBe('');
  expect(await send(device, '@stats_set_aux 0 new')).toBeNull();
  expect(await send(device, '@stats_list p')).toBe('0: 0+65536 65536 p new\n');
  expect(await send(device, '@stats_delete 0')).toBeNull();
  expect(await send(device, '@stats_list')).toBe('');
});

test('an answer without room changes nothing', async () => {
  const device = await start();
  const counted = () => device.regions.print(0, { firstArea: 0n, areaCount: 1n });
  expect(await send(device, '@stats_create - /1', 11)).toBe('2147483647');
  expect(await send(device, '@stats_list')).toBe('');
  expect(await send(device, '@stats_create - /1', 12)).toBe('0');
  device.regions.get(0).begin({
    isWrite: true,
    sector: 0,
    sectorCount: 1,
    merged: false,
    startMs: 0,
  });
  device.regions
    .get(0)
    .end({ isWrite: true, sector: 0, sectorCount: 1, merged: false, startMs: 0 }, 0);
  const text = counted();
  expect(text).toMatch(/ 1 0 1 /);
  await send(device, '@stats_print_clear 0', text.length + 1);
  expect(counted()).toBe(text);
  expect(await send(device, '@stats_print_clear 0', text.length + 2)).toBe(text);
  expect(counted()).not.toBe(text);
});
