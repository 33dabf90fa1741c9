/** Runs a script of messages, I/O and dmstats commands twice: in a real kernel, and on our engine with our commands. */

import { errnoWords } from '../../src/base/errno-words.ts';
import { DmError } from '../../src/base/errors.ts';
import { parseWords } from '../../src/cli/dmsetup/getopt.ts';
import { collectOptions, OPTIONS } from '../../src/cli/dmsetup/options.ts';
import { runSubcommand } from '../../src/cli/stats/stats-command.ts';
import { handleStatisticsMessage } from '../../src/control/ioctl/statistics-messages.ts';
import { Op } from '../../src/core/bio.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { captured, statisticsClient } from '../../src/testing/statistics-client.ts';
import { submitBio } from '../../src/testing/submit.ts';
import { World } from '../../src/testing/world.ts';
import { runInKernel } from './kernel.ts';

const DISK_SECTORS = 131_072;

/**
 * - `message DEVICE TEXT`
 * - `read|write|discard DEVICE SECTOR COUNT`
 * - `stats ARGUMENTS` of dmstats
 * - `suspend|resume DEVICE`
 */
export type Line = string;

export interface DeviceTable {
  name: string;
  /** Disks are `A` and `B`. */
  table: string;
}

/** What a line gave: standard output, and the errno's words of a refused message or `failed`. */
export interface LineRecord {
  output: string;
  failure: string;
}

// ---- the real kernel

const prologue = `
export LC_ALL=C
for disk in A B; do truncate -s ${DISK_SECTORS * 512} /tmp/$disk; ln -s $(losetup -f --show /tmp/$disk) /dev/$disk; done
# What counts as merged is kept for each processor.
taskset -pc 0 $$ >/dev/null
step() {
  local output rc
  output=$("$@" 2>/tmp/error; rc=$?; echo .; exit $rc); rc=$?
  printf '%s\\n' "\${output%.}" | sed '$d;s/^/out|/'
  [ $rc = 0 ] || echo "failed|$(sed -n 's/^device-mapper: .* failed: //p' /tmp/error)"
  echo end
}
`;

function kernelCommand(line: Line): string {
  const [verb = '', device = '', ...words] = line.split(' ');
  const [sector, count] = words.map(Number);
  const node = `/dev/mapper/${device}`;
  const size = `bs=${(count ?? 0) * 512} count=1 status=none`;
  switch (verb) {
    case 'message':
      return `step dmsetup message -- ${device} 0 ${words.join(' ')}`;
    case 'read':
      return `step dd if=${node} of=/dev/null ${size} skip=${sector! * 512}B iflag=direct`;
    case 'write':
      return `step dd if=/dev/zero of=${node} ${size} seek=${sector! * 512}B oflag=direct conv=notrunc`;
    case 'discard':
      return `step blkdiscard -f -o ${sector! * 512} -l ${count! * 512} ${node}`;
    case 'stats':
      return `step dmstats ${line.slice('stats '.length)}`;
    default:
      return `step dmsetup ${verb} ${device}`;
  }
}

export async function runInRealKernel(
  devices: readonly DeviceTable[],
  lines: readonly Line[],
): Promise<LineRecord[]> {
  const creates = devices.map(({ name, table }) => {
    const rows = table.replace(/\b[AB]\b/g, '/dev/$&');
    return `dmsetup create ${name} <<'EOF'\n${rows}\nEOF`;
  });
  const script = [prologue, ...creates, ...lines.map(kernelCommand)].join('\n');
  const { stdout, stderr } = await runInKernel({ script, timeoutMs: 500_000 });
  const blocks = stdout.split('end\n').slice(0, -1);
  if (blocks.length !== lines.length)
    throw new Error(`The kernel answered ${blocks.length} of ${lines.length} lines: ${stderr}`);
  return blocks.map((block) => {
    const output = [...block.matchAll(/^out\|(.*\n)/gm)].map((match) => match[1]).join('');
    const failure = /^failed\|(.*)$/m.exec(block);
    return { output, failure: failure ? failure[1] || 'failed' : '' };
  });
}

// ---- ours

const ops = { read: Op.read, write: Op.write, discard: Op.discard } as const;

export async function runHere(
  devices: readonly DeviceTable[],
  lines: readonly Line[],
): Promise<LineRecord[]> {
  const world = new World();
  for (const { name, table } of devices) await world.start(name, table);
  const records: LineRecord[] = [];
  for (const line of lines) records.push(await runLine(world, line));
  return records;
}

async function runLine(world: World, line: Line): Promise<LineRecord> {
  const [verb = '', name = '', ...words] = line.split(' ');
  if (verb === 'stats') return await runStats(world, [name, ...words]);
  const device = world.mapper.get(name);
  switch (verb) {
    case 'message':
      return await sendMessage(device, words);
    case 'suspend':
      await device.suspend();
      break;
    case 'resume':
      await device.resume();
      break;
    default:
      await doIo(device, ops[verb as keyof typeof ops], words.map(Number));
  }
  return { output: '', failure: '' };
}

async function doIo(device: MappedDevice, op: Op, [sector = 0, sectorCount = 0]: number[]) {
  const data = new Uint8Array(sectorCount * 512);
  const error = await submitBio(device, { op, sector, sectorCount, data });
  if (error !== 0) throw new Error(`I/O on ${device.name} ended with ${error}`);
}

async function sendMessage(device: MappedDevice, words: string[]): Promise<LineRecord> {
  try {
    const text = (await handleStatisticsMessage(device, words)) ?? '';
    return { output: text === '' || text.endsWith('\n') ? text : `${text}\n`, failure: '' };
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return { output: '', failure: errnoWords(error.errno) };
  }
}

async function runStats(world: World, words: string[]): Promise<LineRecord> {
  const unquoted = words.map((word) => word.replaceAll("'", ''));
  const { operands, options } = parseWords(unquoted, OPTIONS);
  const [name = '', ...rest] = operands;
  const client = statisticsClient(world.mapper);
  const { stdout, stderr, failed } = await captured(() =>
    runSubcommand(client, name, { operands: rest, options: collectOptions(options) }),
  );
  const reason = /^device-mapper: .* failed: (.*)$/m.exec(stderr)?.[1] ?? 'failed';
  return { output: stdout, failure: failed ? reason : '' };
}
