/** log-writes both ways: the same I/O gives the same log here and in a kernel, we replay the kernel's, and a few lines of shell in the kernel replay ours. */

import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BioFlag, Op } from '../../src/core/bio.ts';
import { DeviceMapper } from '../../src/mapper/device-mapper.ts';
import { type BioRequest, submitBio } from '../../src/testing/submit.ts';
import { succeed, temporaryFolder } from '../interop/serve-process.ts';
import { type KernelResult, requireKernel, runInKernel } from './kernel.ts';

type Step =
  | { do: 'write' | 'synced'; sector: number; count: number; fill: number }
  | { do: 'discard'; sector: number; count: number }
  | { do: 'zero'; sector: number; count: number }
  | { do: 'flush' }
  | { do: 'mark'; text: string };

const DISK_SECTORS = 2048;
const LOG_SECTORS = 4096;

/** Whole blocks of 4096, so that the same goes for both sizes of a log sector. */
const STEPS: readonly Step[] = [
  { do: 'write', sector: 8, count: 8, fill: 1 },
  { do: 'mark', text: 'first' },
  { do: 'write', sector: 16, count: 64, fill: 2 },
  { do: 'discard', sector: 128, count: 128 },
  { do: 'write', sector: 128, count: 8, fill: 3 },
  { do: 'discard', sector: 32, count: 8 },
  { do: 'flush' },
  { do: 'write', sector: 0, count: 8, fill: 4 },
  { do: 'synced', sector: 8, count: 8, fill: 5 },
  { do: 'zero', sector: 256, count: 16 },
  { do: 'mark', text: 'x'.repeat(500) },
  { do: 'write', sector: 2040, count: 8, fill: 6 },
];

/** A log of so many sectors takes two marks and says so at the third. */
const TINY_SECTORS = 4;

const octal = (fill: number) => fill.toString(8).padStart(3, '0');

function command(step: Step): string {
  switch (step.do) {
    case 'write':
    case 'synced': {
      const { sector, count, fill } = step;
      const flags = step.do === 'synced' ? 'direct,dsync' : 'direct';
      const data = `head -c ${count * 512} /dev/zero | tr '\\0' '\\${octal(fill)}'`;
      const place = `bs=${count * 512} iflag=fullblock oflag=${flags},seek_bytes seek=${sector * 512}`;
      return `${data} | dd of=/dev/mapper/t ${place} count=1 status=none`;
    }
    case 'discard':
      return `blkdiscard -o ${step.sector * 512} -l ${step.count * 512} /dev/mapper/t`;
    case 'zero':
      return `blkdiscard -z -o ${step.sector * 512} -l ${step.count * 512} /dev/mapper/t`;
    case 'flush':
      return 'sync /dev/mapper/t';
    case 'mark':
      return `dmsetup message t 0 mark ${step.text}`;
  }
}

const SCRIPT = `
  loop() { truncate -s $2 /tmp/$1; losetup -b $3 -f --show /tmp/$1; }
  status() { sleep 0.1; dmsetup status t | cut -d ' ' -f 4-; }
  run() {
    disk=$(loop disk-$1 ${DISK_SECTORS * 512} $1); log=$(loop log-$1 ${LOG_SECTORS * 512} 512)
    dmsetup create t --table "0 ${DISK_SECTORS} log-writes $disk $log"
    status
    ${STEPS.map((step) => `${command(step)}; status`).join('\n    ')}
    dmsetup remove t
    cp /tmp/disk-$1 /tmp/log-$1 /share/
  }
  run 512 > /share/status-512
  run 4096 > /share/status-4096
  disk=$(loop tiny-disk ${DISK_SECTORS * 512} 512); log=$(loop tiny-log ${TINY_SECTORS * 512} 512)
  dmsetup create t --table "0 ${DISK_SECTORS} log-writes $disk $log"
  for mark in a b c; do dmsetup message t 0 mark $mark; status; done > /share/status-tiny
  dmsetup remove t
  cp /tmp/tiny-log /share/
  # As little as a replay can be.
  log=/share/our-log count=$(od -A n -t u8 -j 16 -N 8 /share/our-log) size=$(od -A n -t u4 -j 24 -N 4 /share/our-log)
  at=1
  truncate -s ${DISK_SECTORS * 512} /tmp/again
  for entry in $(seq $count); do
    set -- $(od -A n -t u8 -w32 -j $((at * size)) -N 32 $log)
    at=$((at + 1))
    if [ $(($3 & 4)) != 0 ]; then
      dd if=/dev/zero of=/tmp/again bs=512 seek=$1 count=$2 conv=notrunc status=none
    elif [ $2 != 0 ]; then
      dd if=$log of=/tmp/again bs=512 skip=$at seek=$1 count=$2 conv=notrunc status=none
      at=$((at + $2))
    fi
  done
  cmp /tmp/again /share/our-disk && echo "replayed $entry entries of ours"
`;

function requestsOf(step: Exclude<Step, { do: 'mark' }>): BioRequest[] {
  if (step.do === 'flush') return [{ op: Op.flush }];
  const { sector, count: sectorCount } = step;
  if (step.do === 'discard') return [{ op: Op.discard, sector, sectorCount }];
  if (step.do === 'zero') return [{ op: Op.writeZeroes, sector, sectorCount }];
  const write = { op: Op.write, sector, sectorCount };
  const data = new Uint8Array(sectorCount * 512).fill(step.fill);
  if (step.do === 'write') return [{ ...write, data }];
  // The kernel has FUA writes for O_DSYNC, and flushes behind them all the same.
  return [{ ...write, data, flags: BioFlag.fua }, { op: Op.flush }];
}

/** What the script does, here; answers the status behind each step. */
async function runHere(disk: string, log: string, steps: readonly Step[]): Promise<string[]> {
  await using mapper = new DeviceMapper();
  await mapper.create({ name: 't', table: `0 ${DISK_SECTORS} log-writes ${disk} ${log}` });
  const device = mapper.engine.get('t');
  const status = () => device.live!.statusLines()[0]!.split(' ').slice(3).join(' ');
  const statuses = [status()];
  for (const step of steps) {
    if (step.do === 'mark') await mapper.message('t', ['mark', step.text]);
    else for (const request of requestsOf(step)) expect(await submitBio(device, request)).toBe(0);
    statuses.push(status());
  }
  // Closing the mapper would flush first.
  await mapper.remove('t');
  return statuses;
}

function image(path: string, sectors: number): string {
  writeFileSync(path, '');
  truncateSync(path, sectors * 512);
  return path;
}

requireKernel()('log-writes and a kernel', () => {
  const folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const lines = (name: string) => readFileSync(at(name), 'utf8').trim().split('\n');
  let result: KernelResult;
  let statuses: string[];

  beforeAll(async () => {
    const disk = image(at('our-disk'), DISK_SECTORS);
    statuses = await runHere(disk, image(at('our-log'), LOG_SECTORS), STEPS);
    result = await runInKernel({ script: SCRIPT, shareDir: folder.path });
  });
  afterAll(() => folder[Symbol.dispose]());

  test('have the same status behind each step', () => {
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(statuses).toEqual(lines('status-512'));
    expect(lines('status-4096')[0]).toBe('0 7');
  });

  test('write the same log, byte for byte', () => {
    expect(readFileSync(at('our-log')).equals(readFileSync(at('log-512')))).toBe(true);
    expect(readFileSync(at('our-disk')).equals(readFileSync(at('disk-512')))).toBe(true);
  });

  test.each([512, 4096])("we replay the kernel's, log sectors of %i", async (sectorBytes) => {
    const again = image(at(`again-${sectorBytes}`), DISK_SECTORS);
    const log = at(`log-${sectorBytes}`);
    const said = await succeed('devmapper', 'replay', log, '--replay', again);
    expect(said).toMatch(/^Replayed 14 entries/);
    const listed = await succeed('devmapper', 'replay', log);
    expect(listed).toContain(`sectorsize=${sectorBytes}, entries=14`);
    expect(readFileSync(again).equals(readFileSync(at(`disk-${sectorBytes}`)))).toBe(true);
  });

  test('the kernel replays ours', () => {
    expect(result.stdout).toBe('replayed 14 entries of ours\n');
  });

  test('say the same of a log that is full', async () => {
    const disk = image(at('tiny-disk'), DISK_SECTORS);
    const log = image(at('our-tiny-log'), TINY_SECTORS);
    const marks = ['a', 'b', 'c'].map((text): Step => ({ do: 'mark', text }));
    const [, ...ours] = await runHere(disk, log, marks);
    expect(ours).toEqual(lines('status-tiny'));
    expect(ours[2]).toBe('2 3 logging_disabled');
    expect(readFileSync(log).equals(readFileSync(at('tiny-log')))).toBe(true);
  });
});
