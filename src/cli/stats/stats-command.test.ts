/** What a 6.12 kernel and dmstats 1.02.185 printed for the same words; test/kernel/statistics.test.ts compares more of it. */

import { beforeEach, describe, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { Op } from '../../core/bio.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { captured, statisticsClient } from '../../testing/statistics-client.ts';
import { submitBio } from '../../testing/submit.ts';
import { World } from '../../testing/world.ts';
import { parseWords } from '../dmsetup/getopt.ts';
import { collectOptions, OPTIONS } from '../dmsetup/options.ts';
import { runSubcommand } from './stats-command.ts';

let world: World;
let clock: SimulatedClock;
let device: MappedDevice;

/** A line as dmstats takes it; `'...'` keeps blanks together. */
async function run(line: string) {
  const words = line.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ''));
  const { operands, options } = parseWords(words, OPTIONS);
  const [name = '', ...rest] = operands;
  const client = statisticsClient(world.mapper);
  return await captured(() =>
    runSubcommand(client, name, { operands: rest, options: collectOptions(options) }),
  );
}

/** Standard output of a command that works. */
async function output(line: string): Promise<string> {
  const { stdout, stderr, failed } = await run(line);
  expect(failed, stderr).toBe(false);
  return stdout;
}

async function read(sector: number, sectorCount: number, durationMs: number): Promise<void> {
  world.disks.get('A').answer = (finish) => {
    clock.after(durationMs, finish);
  };
  const data = new Uint8Array(sectorCount * 512);
  const ended = submitBio(device, { op: Op.read, sector, sectorCount, data });
  await clock.advance(durationMs);
  await ended;
}

beforeEach(async () => {
  clock = new SimulatedClock();
  world = new World({ clock });
  device = await world.start('l', '0 65536 linear A 0');
});

describe('create', () => {
  test('over a device, in areas, over a part of it', async () => {
    expect(await output('create l')).toBe('l: Created new region with 1 area(s) as region ID 0\n');
    expect(await output('create --areas 4 l')).toMatch(/with 4 area\(s\) as region ID 1\n$/);
    expect(await output('create --areasize 1M l')).toMatch(/with 34 area\(s\) as region ID 2\n$/);
    await output('create --start 3k l');
    await output('create --length 3K --programid other l');
    await output("create --programid '' --force l --userdata text");
    expect(device.regions.list()).toBe(
      [
        '0: 0+65536 65536 dmstats -',
        '1: 0+65536 16384 dmstats -',
        '2: 0+65536 1953 dmstats -',
        '3: 6+65536 65536 dmstats -',
        '4: 0+5 5 other -',
        '5: 0+65536 65536 - text',
        '',
      ].join('\n'),
    );
  });

  test('with a histogram: precise as soon as its bounds need it', async () => {
    await output('create --bounds 1ms,10 l');
    await output('create --bounds 100ns,5us l');
    await output('create --bounds 10 --precise l');
    expect(device.regions.list()).toBe(
      [
        '0: 0+65536 65536 dmstats - histogram:1,10',
        '1: 0+65536 65536 dmstats - precise_timestamps histogram:100,5000',
        '2: 0+65536 65536 dmstats - precise_timestamps histogram:10',
        '',
      ].join('\n'),
    );
  });

  test('over the rows of a table, as a group', async () => {
    await world.start('s', '0 32768 linear A 0\n32768 8 zero');
    expect(await output('create --segments s')).toBe(
      [
        's: Created new region with 1 area(s) as region ID 0',
        's: Created new region with 1 area(s) as region ID 1',
        'Grouped regions 0,1 as group ID 0',
        '',
      ].join('\n'),
    );
    expect(await output('create --segments --alias g s --userdata u')).toMatch(
      /\nGrouped regions 2,3 as group ID 2 with alias g\n$/,
    );
    expect(world.mapper.get('s').regions.list()).toContain(
      '2: 0+32768 32768 dmstats DMS_GROUP=g:2-3#u\n3: 32768+8 8 dmstats u\n',
    );
  });

  test('on all devices, or several', async () => {
    await world.start('s', '0 8 zero');
    expect(await output('create --alldevices')).toMatch(/^l: .*\ns: .*\n$/);
    expect(await output('create s l')).toMatch(/^s: .* 1\nl: .* 1\n$/);
    expect(JSON.parse(await output('create l --json'))).toEqual({
      created: [{ device: 'l', regions: [{ id: 2, areas: 1 }], group: null }],
    });
  });

  test.each([
    ['create', 'Please specify device(s) or use --alldevices.'],
    ['create --areas 3 --areasize 5 l', 'Please specify one of --areas and --areasize.'],
    ['create --allregions l', 'Cannot use --allregions with create.'],
    ["create --programid '' l", 'Creating a region with no program id requires --force.'],
    ['create --nogroup --alias x --segments l', 'Cannot set alias with --nogroup.'],
    ['create --bounds 5,1 l', 'Histogram boundaries must be in order of increasing magnitude.'],
    ['create --bounds 1xs l', 'Invalid character in histogram: x'],
    ['create --bounds 1,2s,3m l', 'Invalid character in histogram: m'],
    ['create --start x l', 'Invalid start argument: "x"'],
    ["create --userdata 'a b' l", 'l: Could not create statistics region.'],
    ['create --areasize 5q l', 'l: Could not create statistics region.'],
    ['create nosuch', 'device-mapper: table ioctl on nosuch '],
    ['create --filemap /nosuch', 'Could not canonicalize file name: /nosuch'],
    ['create --filemap --nomonitor /', 'Cannot map file: not a device-mapper device.'],
    ['create --filemap --areas 3 /', '--filemap is incompatible with --areas and --area-size.'],
    ['create --filemap', '--filemap requires a file path argument'],
    ['update_filemap /', '--groupid is required to update a filemap group.'],
    ['list --allprograms --programid x', 'Please supply one of --allprograms and --programid'],
    ['bogus', 'Unknown stats command.'],
    ['list nosuch', 'Device does not exist.'],
    ['report --units q l', 'Invalid --units argument.'],
    ['print', 'Please specify a --regionid or use --allregions.'],
    ['clear l', 'Please specify a --regionid or use --allregions.'],
    ['delete l', 'Please specify a --regionid or --groupid, or use --allregions.'],
    ['delete --allregions', 'Please specify device(s) or use --alldevices.'],
    ['delete --regionid 77 l', 'Region ID 77 does not exist'],
    ['group l', 'Group requires --regions.'],
    ['group --regions 0 l', 'Could not create group: no regions found.'],
    ['ungroup l', 'Please specify group id.'],
  ])('refuses %s', async (line, reason) => {
    const { failed, stderr, stdout } = await run(line);
    expect(failed).toBe(true);
    expect(stderr).toContain(reason);
    expect(stderr).toMatch(/Command failed\.\n$/);
    expect(stdout).toBe('');
    expect(device.regions.isEmpty).toBe(true);
  });
});

describe('list', () => {
  beforeEach(async () => {
    await world.start('s', '0 32768 linear A 0\n32768 32768 linear B 0\n65536 8 zero');
    await output('create l');
    await output('create --segments s');
    await output('create --areas 4 l');
    await output('create --areasize 1M l');
    await output('create --start 1M --length 2M l --bounds 100ns,5us --userdata foo');
  });

  test('regions and groups', async () => {
    expect(await output('list')).toBe(
      `Name             GrpID RgID ObjType RgStart RgSize #Areas ArSize  ProgID ${''}
l                    -    0 region        0 32.00m      1  32.00m dmstats
l                    -    1 region        0 32.00m      4   8.00m dmstats
l                    -    2 region        0 32.00m     34 976.50k dmstats
l                    -    3 region  976.50k  1.91m      1   1.91m dmstats
s                    0    0 region        0 16.00m      1  16.00m dmstats
s                    0    1 region   16.00m 16.00m      1  16.00m dmstats
s                    0    2 region   32.00m  4.00k      1   4.00k dmstats
s                    0  0-2 group         0 32.00m      1  32.00m dmstats
`,
    );
    expect(await output('list --group')).toBe(
      `Name             GrpID RgID ObjType RgStart RgSize #Areas ArSize ProgID ${''}
s                    0  0-2 group         0 32.00m      1 32.00m dmstats
`,
    );
  });

  test('areas, then regions of several areas, then groups', async () => {
    const lines = (await output('list -v')).split('\n').filter((line) => !/ 2 area /.test(line));
    expect(lines.join('\n')).toBe(
      `Name             GrpID RgID ObjType RgStart RgSize #Areas ArID ArStart ArSize  ProgID ${''}
l                    -    0 area          0 32.00m      1    0       0  32.00m dmstats
l                    -    1 area          0 32.00m      4    0       0   8.00m dmstats
l                    -    1 area          0 32.00m      4    1   8.00m   8.00m dmstats
l                    -    1 area          0 32.00m      4    2  16.00m   8.00m dmstats
l                    -    1 area          0 32.00m      4    3  24.00m   8.00m dmstats
l                    -    3 area    976.50k  1.91m      1    0 976.50k   1.91m dmstats
l                    -    1 region        0 32.00m      4    0      0b   8.00m dmstats
l                    -    2 region        0 32.00m     34    0   8.25e 976.50k dmstats
s                    0    0 area          0 16.00m      1    0       0  16.00m dmstats
s                    0    1 area     16.00m 16.00m      1    0  16.00m  16.00m dmstats
s                    0  0-2 group         0 32.00m      1    0       0  32.00m dmstats
`,
    );
  });

  test('chosen fields', async () => {
    const fields = 'stats_name,region_id,user_data,precise,hist_bins,hist_bounds,hist_ranges';
    expect(await output(`list --region --noheadings -o ${fields} l`)).toBe(
      `l:0::0:0::
l:1::0:0::
l:2::0:0::
l:3:foo:1:3:0s,100ns,5us:0s-100ns,100ns-5us,>5us
`,
    );
    expect(await output('list --units s -o region_id,region_len,area_len -S region_id=3 l')).toBe(
      'RgID RgSize ArSize\n   3   3906   3906\n',
    );
    expect(await output('list -o +user_data --programid other')).toBe('');
    const { statistics } = JSON.parse(await output('list --json -o region_id,obj_type l --region'));
    expect(statistics).toHaveLength(4);
    expect(statistics[3]).toEqual({ region_id: 3, obj_type: 'region' });
  });

  test('fields of the device beside those of its regions', async () => {
    expect(
      await output('list --noheadings -o name,devno,segments,region_id,area_count s --region'),
    ).toBe('s:252:1:3:0:1\ns:252:1:3:1:1\ns:252:1:3:2:1\n');
    const all = await output('report --noheadings --nameprefixes -o uuid,all --group s');
    expect(all).toMatch(/^DM_UUID='':DM_NAME='s':.*:DM_READ_COUNT='0':.*:DM_OBJ_TYPE='group'\n$/);
    expect((await run('list -o nosuch')).stderr).toMatch(/\nUnrecognised field: nosuch\n$/);
  });

  test('help names all fields', async () => {
    const { stderr } = await run('list -o help');
    expect(stderr).toContain('  stats_all             - All fields in this section.\n');
    expect(stderr).toContain(
      '  hist_count_ranges     - Latency histogram counts with bin ranges.\n',
    );
    expect(stderr).toContain('  region_all            - All fields in this section.\n');
  });
});

describe('report', () => {
  test('rates of the time since it was last asked, and from then on none', async () => {
    await output('create l');
    for (let request = 0; request < 16; request += 1) await read(request * 128, 128, 3);
    const heading = 'Name             GrpID RgID ObjType ArID ArStart ArSize ';
    expect(await output('report l')).toBe(
      `${heading}RMrg/s WMrg/s R/s   W/s  RSz/s WSz/s AvgRqSz QSize Util% AWait RdAWait WrAWait
l                    -    0 area       0       0 32.00m  15.00   0.00 16.00 0.00 1.00m     0  64.00k  0.05  4.80  3.00    3.00    0.00
`,
    );
    expect(await output('report --raw l -o region_id,read_count,util')).toBe(
      'RgID #Reads Util%\n   0      0  0.00\n',
    );
  });

  test('raw counters of areas, regions and groups', async () => {
    await output('create --areas 2 --precise l');
    await output('create l');
    await output('group --regions 0-1 --alias g l');
    await read(32760, 16, 2);
    const fields = 'stats_name,region_id,obj_type,read_count,read_sector_count,read_time,io_ticks';
    expect(await output(`report --noheadings -o ${fields} l`)).toBe(
      `g:0:area:1:8:2000000:2000000
g:0:area:1:8:2000000:2000000
g:1:area:1:16:2000000:2000000
g:0:region:2:16:4000000:4000000
g:0-1:group:3:32:6000000:6000000
`,
    );
  });

  test('histograms', async () => {
    await output('create --bounds 2ms,10ms l');
    const reading = async () => {
      for (const ms of [0, 1, 2, 9, 10, 500, 1, 1]) await read(0, 8, ms);
    };
    const columns = 'hist_count,hist_count_bounds,hist_count_ranges';
    await reading();
    expect(await output(`report --noheadings -o ${columns} l`)).toBe(
      '4:2:2:0s:4:2ms:2:10ms:2:0s-2ms:4:2ms-10ms:2:>10ms:2\n',
    );
    await reading();
    expect(await output(`report -o ${columns} l`)).toBe(
      'Histogram Counts   Histogram Counts                          Histogram Counts                         \n' +
        '     4     2     2     0s:     4,   2ms:     2,  10ms:     2 0s-2ms:     4,2ms-10ms:   2, >10ms:     2\n',
    );
    await reading();
    expect(await output('report --notimesuffix -o hist_count_bounds l')).toMatch(
      /\n {9}0: {5}4, {3}2000000: {5}2, {2}10000000: {5}2\n$/,
    );
    await reading();
    expect(await output('report --histogram --relative -o hist_percent_bounds l')).toMatch(
      /\n {4}0s: 50.00%, {3}2ms: 25.00%, {2}10ms: 25.00%\n$/,
    );
  });
});

describe('print, clear, delete, groups', () => {
  beforeEach(async () => {
    await output('create --areas 2 l');
    await output('create l');
    await output('create l');
    await read(0, 8, 5);
  });

  const line = '0+65536 1 0 8 5 0 0 0 0 0 5 5 5 0\n';

  test('print shows what the device mapper shows', async () => {
    expect(await output('print --regionid 1 l')).toBe(line);
    expect(await output('print --regionid 1 --clear l')).toBe(line);
    expect(await output('print --regionid 1')).not.toBe(line);
    const all = await output('print --allregions l');
    expect(all.split('\n')).toHaveLength(2 * (2 + 1 + 1) + 1);
    const counters = [1, 0, 8, 5, 0, 0, 0, 0, 0, 5, 5, 5, 0];
    expect(JSON.parse(await output('print --json --regionid 2 l'))).toEqual({
      regions: [{ device: 'l', region: 2, areas: [{ start: 0, length: 65536, counters }] }],
    });
    expect((await run('print --regionid 9 l')).stderr).toMatch(
      /^device-mapper: message ioctl on l /,
    );
  });

  test('clear sets counters to zero', async () => {
    expect(await output('clear --regionid 1 l')).toBe('');
    expect(await output('print --regionid 1 l')).toMatch(/^0\+65536 0 0 0 /);
    expect(await output('print --regionid 2 l')).toBe(line);
    await output('clear --allregions');
    expect(await output('print --regionid 2 l')).toMatch(/^0\+65536 0 0 0 /);
    expect((await run('clear --regionid 9 l')).stderr).toContain('No such region: 9.\n');
  });

  test('groups lose regions that are deleted, and go with the first one', async () => {
    const grouped = await run('group --regions 0-2 --alias g l');
    expect(grouped.stdout).toBe('Grouped regions 0-2 as group ID 0 on l\n');
    expect(grouped.stderr).toBe(
      'WARNING: region IDs 0 and 1 overlap. Some events will be counted twice.\n' +
        'WARNING: region IDs 1 and 2 overlap. Some events will be counted twice.\n',
    );
    await output('delete --regionid 1 l');
    expect(await output('list --noheadings -o stats_name,region_id,group_id l')).toBe(
      'g:0:0\ng:2:0\ng:0,2:0\n',
    );
    await output('delete --regionid 0 l');
    expect(await output('list --noheadings -o stats_name,region_id,group_id l')).toBe('l:2:-\n');
    await output('delete --allregions l');
    expect(device.regions.isEmpty).toBe(true);
  });

  test('a group is taken apart or deleted', async () => {
    await run('group --regions 0,2 l');
    expect(await output('ungroup --groupid 0 l')).toBe('Removed group ID 0 on l\n');
    const again = await run('ungroup --groupid 0 l');
    expect(again).toMatchObject({ stdout: 'Removed group ID 0 on l\n', failed: true });
    expect(again.stderr).toContain('Group ID 0 does not exist\nCould not delete group 0 on l.\n');
    await run('group --regions 0,2 l');
    expect(await output('delete --groupid 0 l')).toBe('Deleted statistics group 0.\n');
    expect(device.regions.list()).toBe('1: 0+65536 65536 dmstats -\n');
  });

  test.each([
    ['3,99', 'Invalid region ID: 99'],
    ['x', "Could not parse list: 'x'"],
    ['2-1', "Could not parse list: '2-1'"],
    ['0 1', "Could not parse list: '0 1'"],
    ['1', 'Region ID 1 already a member of group ID 1'],
  ])('no group of %s', async (regions, reason) => {
    await output('group --regions 1 l');
    const { failed, stderr } = await run(`group --regions '${regions}' l`);
    expect(failed).toBe(true);
    expect(stderr).toContain(`${reason}\nCould not create group on l: ${regions}\n`);
  });

  test('regions of other programs stay unless asked for', async () => {
    await output('create --programid other l');
    await output('delete --allregions l');
    expect(device.regions.list()).toBe('3: 0+65536 65536 other -\n');
    expect(await output('list')).toBe('');
    await output('delete --allregions --allprograms --alldevices');
    expect(device.regions.isEmpty).toBe(true);
  });

  test('without any device', async () => {
    world = new World();
    expect(await output('list')).toBe('No devices found\n');
    expect(await output('report')).toBe('No devices found\n');
    expect(await output('clear --allregions')).toBe('No devices found\n');
  });
});
