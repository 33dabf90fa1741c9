/**
 * dm-statistics and dmstats: the same script in a real kernel and here gives the same, but for times.
 *
 * Deliberate differences, which the script leaves out:
 * - dmstats cuts off the last letter of the user data of a region that is precise or has a histogram; ours shows all of it.
 * - the kernel gives a region up to a quarter of the machine's memory, ours 256 MiB together.
 */

import { beforeAll, expect, test } from 'vitest';
import { requireKernel } from './kernel.ts';
import { type LineRecord, runHere, runInRealKernel } from './statistics-twin.ts';

const devices = [
  { name: 'l', table: '0 65536 linear A 0' },
  { name: 's', table: '0 65536 striped 2 64 A 0 B 0' },
  { name: 'rows', table: '0 32768 linear A 65536\n32768 32768 linear B 65536\n65536 8 zero' },
];

const messages = [
  'message l @stats_create - /4',
  'message l @stats_create 0+1024 512 2 precise_timestamps histogram:1000,10000 prog aux',
  'message l @STATS_list',
  'message l @stats_create 100+1000 333 1 histogram:1,2,3 p',
  'message l @stats_create -',
  'message l @stats_create - /4 p a x',
  'message l @stats_create - /4 1 histogram:5,5',
  'message l @stats_create 5+3x 1',
  'message l @stats_create 18446744073709551615+1 1',
  'message l @stats_create 0+100000000000 1',
  'message l @stats_create - /4 2 PRECISE_timestamps Histogram:1',
  'message l @stats_create - /99999 0 p a',
  'message l @stats_create 0+18446744073709551615 18446744073709551615',
  'message l @stats_create 70000+3 1',
  'message l @stats_list',
  'message l @stats_delete 3',
  'message l @stats_delete 3',
  'message l @stats_create 5+3 1',
  'message l @stats_list p',
  'message l @stats_set_aux 1 newaux',
  'message l @stats_set_aux 9 x',
  'message l @stats_list prog',
  'message l @stats_print 9',
  'message l @stats_print 0 1',
  'message l @stats_delete 4',
];

const io = [
  'read l 0 128',
  'read l 128 128',
  'read l 1000 8',
  'write l 1008 8',
  'write l 1016 8',
  'read l 1024 8',
  'read l 16380 8',
  'discard l 32768 128',
  'message l @stats_print 0',
  'message l @stats_print 1',
  'message l @stats_print 2',
  'message l @stats_print 0 1 1',
  'message l @stats_print 0 2 -',
  'message l @stats_print_clear 0 0 1',
  'message l @stats_print 0',
  'message l @stats_clear 1',
  'message l @stats_print 1',
  'message s @stats_create - /2',
  'message s @stats_create 0+100 100',
  'read s 0 256',
  'read s 32 64',
  'write s 32700 200',
  'discard s 0 1024',
  'message s @stats_print 0',
  'message s @stats_print 1',
  'suspend s',
  'message s @stats_create - /1',
  'message s @stats_delete 0',
  'message s @stats_list',
  'resume s',
  'read rows 32760 16',
  'message rows @stats_create - /1',
  'read rows 32760 16',
  'read rows 65536 8',
  'message rows @stats_print 0',
  'message rows @stats_delete 0',
];

const timeless =
  'stats_name,region_id,obj_type,read_count,reads_merged_count,read_sector_count,write_count';

const commands = [
  'stats delete --allregions --allprograms --alldevices',
  'stats list',
  'stats create l',
  'stats create --areas 4 l',
  'stats create --areasize 1M l',
  'stats create --segments --alias three rows',
  'stats create --segments --nogroup rows --programid other',
  'stats create --bounds 1ms,10 l',
  'stats create --start 3k --length 3K l --userdata text',
  'stats create nosuch',
  'stats list',
  'stats list --allprograms -v rows',
  'stats list --group --allprograms',
  'stats list -o all l',
  'stats list --histogram --region',
  'stats list --nameprefixes --units s l',
  'stats list -O -region_id -o region_id,area_count l',
  'stats list -S region_id=1 -o region_id,area_len --units 3k l',
  'stats list --rows l',
  'message l @stats_list',
  'message rows @stats_list',
  'read l 0 128',
  'read l 128 128',
  'write l 60000 8',
  `stats report -o ${timeless} --region l`,
  `stats report -o ${timeless} --region l`,
  'read rows 32760 16',
  'read rows 65536 8',
  `stats report -o ${timeless} rows`,
  'stats report -o reads_per_sec,read_size_per_sec,avg_request_size,hist_count,interval_ns,util rows',
  'stats print --regionid 0 l',
  'stats group --regions 0-1 --alias both l',
  'stats group --regions 1,3 l',
  'stats list l',
  'stats delete --regionid 1 l',
  'stats ungroup --groupid 3 l',
  'stats ungroup --groupid 3 l',
  'stats clear --allregions l',
  'stats delete --groupid 0 rows',
  'stats list --allprograms',
  'stats delete --allregions --alldevices --allprograms',
  'stats list --allprograms',
];

const lines = [...messages, ...io, ...commands];

/** What depends on time in lines of `@stats_print`: durations, and which bins of a histogram were hit. */
function withoutTimes(output: string): string {
  return output.replace(/^(\d+\+\d+) ((?:\d+ ?){13})(.*)$/gm, (_, range, counters, histogram) => {
    const numbers = String(counters).trim().split(' ');
    const kept = [0, 1, 2, 4, 5, 6, 8].map((index) => numbers[index]);
    const bins = String(histogram).split(':').map(Number);
    return `${range} ${kept.join(' ')} ${bins.length} bins, ${bins.reduce((sum, bin) => sum + bin)} in them`;
  });
}

function comparable({ output, failure }: LineRecord): LineRecord {
  return { output: withoutTimes(output), failure };
}

requireKernel()('dm-statistics', () => {
  let theirs: LineRecord[];
  let ours: LineRecord[];

  beforeAll(async () => {
    theirs = await runInRealKernel(devices, lines);
    ours = await runHere(devices, lines);
  }, 520_000);

  test.each(lines.map((line, index) => [index, line] as const))('%i: %s', (index) => {
    expect(comparable(ours[index]!)).toEqual(comparable(theirs[index]!));
  });
});
