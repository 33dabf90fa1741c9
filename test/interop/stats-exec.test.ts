/** Real dmstats on our devices, through `devmapper exec`, and our own `stats`: the same words print the same. */

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeUnless, missingTools } from '../../src/testing/tools.ts';
import { execObstacle, openWorld } from './exec-rig.ts';
import './serve-process.ts';

const missing = missingTools(['dmsetup', 'dmstats', 'dd']);
const obstacle = missing.length > 0 ? `needs ${missing.join(', ')}` : execObstacle();

const ours = `${process.execPath} ${fileURLToPath(new URL('../../bin/devmapper', import.meta.url))} stats`;
/** Nodes in /dev/mapper are everybody's. */
const A = `devmapper-stats-${process.pid}a`;
const B = `devmapper-stats-${process.pid}b`;

const commands = [
  `create ${A}`,
  `create --segments --alias rows ${B}`,
  `create --areas 3 --bounds 1s,5 ${A}`,
  `create --programid x --userdata foo ${A}`,
  'list --allprograms',
  'list -v',
  `list -o all ${A}`,
  `dd ${A}`,
  `print --regionid 1 ${A}`,
  `group --regions 0-1 ${A}`,
  `report --units k -o name,stats_name,region_id,obj_type,read_count,read_sector_count,write_count,hist_count_ranges ${A}`,
  `dd ${B}`,
  'report --nameprefixes -o stats_name,region_id,avg_request_size,reads_per_sec,hist_percent,interval',
  `delete --regionid 1 ${A}`,
  `ungroup --groupid 0 ${A}`,
  // A group's id is no key: dmstats sorts by what happens to be in memory there.
  'list --region -O -region_id,stats_name -o name,open,region_id,group_id',
  'clear --allregions',
  'delete --allregions --allprograms --alldevices',
  'list --allprograms',
];

function script(program: string): string {
  return `
    run() {
      echo "# $*"
      case $1 in
        dd) dd if=/dev/mapper/$2 of=/dev/null bs=64k count=16 iflag=direct status=none ;;
        *) ${program} "$@" 2>/dev/null || echo "failed" ;;
      esac
    }
    ${commands.map((command) => `run ${command}`).join('\n')}`;
}

/** Durations, and the ticks behind them. */
function withoutTimes(text: string): string {
  return text.replace(
    /^(\d+\+\d+) (\d+ \d+ \d+) \d+ (\d+ \d+ \d+) \d+ (\d+) \d+ \d+ \d+ \d+/gm,
    '$1 $2 . $3 . $4 . . . .',
  );
}

describeUnless(obstacle)('dmstats through exec', { timeout: 90_000 }, () => {
  test('prints what devmapper stats prints', async () => {
    await using world = openWorld();
    await world.output(`
      truncate -s 32M disk.img
      dmsetup create ${A} --table "0 65536 linear $PWD/disk.img 0"
      printf '0 32768 linear '$PWD'/disk.img 0\\n32768 8 zero\\n' | dmsetup create ${B}`);
    const theirs = withoutTimes(await world.output(script('dmstats')));
    expect(theirs).toContain('Grouped regions 0-1 as group ID 0');
    expect(theirs).toContain('0+21846 16 15 2048 . 0 0 0 . 0 . . . . 16:0:0');
    expect(withoutTimes(await world.output(script(ours)))).toBe(theirs);
  });
});
