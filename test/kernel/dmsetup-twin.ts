/** Runs the table cases twice: with dmsetup in a real kernel, and with our Mapper. Both give the same kind of record. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DmError } from '../../src/base/errors.ts';
import { createPrng } from '../../src/base/prng.ts';
import { SECTOR_BYTES, sectorsToBytes } from '../../src/base/units.ts';
import { splitArguments } from '../../src/core/arguments.ts';
import type { DeviceOpener } from '../../src/core/device-opener.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { MAPPED_MAJOR, Mapper } from '../../src/core/mapper.ts';
import { parseTable } from '../../src/core/table-text.ts';
import { createTargetRegistry } from '../../src/core/target.ts';
import { DeviceStore } from '../../src/devices/store.ts';
import { targets } from '../../src/targets/index.ts';
import { readSectors } from '../../src/testing/submit.ts';
import { TestDisks } from '../../src/testing/test-disk.ts';
import { runInKernel } from './kernel.ts';
import type { Step, TableCase } from './table-scripts.ts';

export interface StepRecord {
  /** `ok`, an errno's name, or `unreadable` for what dmsetup cannot parse. */
  result: string;
  /** Ours: the message. The kernel's: what it wrote to its log. */
  reason: string;
}

export interface CaseRecord {
  steps: StepRecord[];
  /** Of device `t`, if it is there at the end. Disks by their names here, mapped devices as `dm:MINOR`. */
  table: string[];
  status: string[];
  /** `logical block, minimum and optimal I/O size` in bytes, for a device with a table. */
  limits: string;
  /** Hash of all it reads; `EIO` when some of it does not, empty when it is large or suspended. */
  content: string;
}

const LARGEST_READ_SECTORS = 16_384;
const DISK_SECTORS = { A: 4096, B: 4096, C: 2048, K: 4096 };
type DiskName = keyof typeof DISK_SECTORS;
const diskNames = Object.keys(DISK_SECTORS) as DiskName[];

/** Random bytes, so that any sector out of place shows. Drawn once: no case writes. */
const diskBytes = Object.fromEntries(
  diskNames.map((name) => {
    const prng = createPrng(name.charCodeAt(0));
    return [name, prng.fill(new Uint8Array(sectorsToBytes(DISK_SECTORS[name])))];
  }),
) as Record<DiskName, Uint8Array>;

// ---- the real kernel

const errnoTexts: Readonly<Record<string, string>> = {
  'Invalid argument': 'EINVAL',
  'No such file or directory': 'ENOENT',
  'No such device or address': 'ENXIO',
  'Device or resource busy': 'EBUSY',
  'Block device required': 'ENOTBLK',
  'Cannot allocate memory': 'ENOMEM',
  'Permission denied': 'EACCES',
};

/**
 * As few processes as can be: in an emulated machine each takes a tenth of a second or more. The kernel's log is printed once
 * at the end, with a mark of ours in front of what each step gave.
 */
const prologue = `
export LC_ALL=C
for pair in A:vda B:vdb C:vdc; do ln -s /dev/\${pair#*:} /dev/\${pair%:*}; done
losetup -b 4096 /dev/loop0 /dev/vdd; ln -s /dev/loop0 /dev/K
for pair in A:vda B:vdb C:vdc K:loop0; do
  node=\${pair#*:}; echo "disk|\${pair%:*}|$node|$(</sys/block/$node/dev)"
done
major=$(sed -n 's/ device-mapper$//p' /proc/devices | tr -d ' ')
echo "major|$major"
sed -i "s/DM_MAJOR/$major/" /share/[0-9]*-*
echo 1 > /proc/sys/kernel/printk_devkmsg 2>/dev/null || echo on > /proc/sys/kernel/printk_devkmsg
dmesg -C
made=''
step() {
  local input=$1 output rc; shift
  echo "mark" > /dev/kmsg
  output=$("$@" 2>&1 <"$input"); rc=$?
  [ "$rc $2" != '0 create' ] || made="\${*: -1} $made"
  printf 'step|%s|%s\n' "$rc" "\${output//$'\n'/ }"
}
print() { local line; while IFS= read -r line; do echo "$1|$line"; done; }
finish() {
  local block
  for block in /sys/block/dm-*; do
    [ ! -e "$block" ] || [ "$(<$block/dm/name)" != t ] || describe "$block"
  done
  [ "$made" = '' ] || dmsetup remove $made
  made=''
  echo end
}
describe() {
  local size=$(<$1/size) queue=$1/queue
  dmsetup table t | print table
  dmsetup status t | print status
  [ "$size" -gt 0 ] || return
  echo "limits|$(<$queue/logical_block_size) $(<$queue/minimum_io_size) $(<$queue/optimal_io_size)"
  if [ "$size" -le ${LARGEST_READ_SECTORS} ] && [ "$(<$1/dm/suspended)" = 0 ]; then
    echo "content|$(sha256sum </dev/mapper/t 2>/dev/null || echo EIO)"
  fi
}
`;

const epilogue = 'dmesg -t | sed "s/^/log|/"\n';

function dmsetupCommand({ run, device = 't', text = '' }: Step): string {
  switch (run) {
    case 'create':
      return `dmsetup create ${device}`;
    case 'create-readonly':
      return `dmsetup create -r ${device}`;
    case 'create-notable':
      return `dmsetup create --notable ${device}`;
    case 'message':
      return `dmsetup message -- ${device} ${text.replaceAll(/[^\w :,@.-]/g, '')}`;
    default:
      return `dmsetup ${run} ${device}`;
  }
}

/** All cases in one boot, in order. */
export async function runCasesInKernel(cases: readonly TableCase[]): Promise<CaseRecord[]> {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-tables-'));
  try {
    const lines = cases.flatMap(({ steps }, caseIndex) => [
      ...steps.map((step, index) => {
        const file = `${caseIndex}-${index}`;
        const text = step.run === 'message' ? '' : (step.text ?? '');
        writeFileSync(join(folder, file), text.replaceAll(/\bdm:/g, 'DM_MAJOR:'));
        return `step /share/${file} ${dmsetupCommand(step)}`;
      }),
      'finish',
    ]);
    const disks = diskNames.map((name) => {
      const path = join(folder, `${name}.img`);
      writeFileSync(path, diskBytes[name]);
      return path;
    });
    const script = `${prologue}${lines.join('\n')}\n${epilogue}`;
    const run = { script, disks, shareDir: folder, timeoutMs: 1_100_000 };
    const { status, stdout, stderr } = await runInKernel(run);
    if (status !== 0) throw new Error(`The kernel run ended with ${status}: ${stderr}`);
    return readRecords(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readRecords(output: string): CaseRecord[] {
  const records: CaseRecord[] = [];
  const log: string[] = [];
  let names: Rename = (text) => text.replace(/\bdm-(\d+)\b/g, 'dm:$1');
  let record = emptyRecord();
  for (const line of output.split('\n')) {
    const [kind, first = '', ...others] = line.split('|');
    const rest = [first, ...others].join('|');
    if (kind === 'disk') names = renaming(names, first, others[0]!, others[1]!);
    else if (kind === 'major') names = replacing(names, `\\b${first}:(\\d)`, 'dm:$1');
    else if (kind === 'step') record.steps.push(readStep(first, others.join('|')));
    else if (kind === 'log') log.push(names(rest));
    else if (kind === 'table' || kind === 'status') {
      if (rest !== '') record[kind].push(names(rest));
    } else if (kind === 'limits') record.limits = rest;
    else if (kind === 'content') record.content = rest.replace(/ .*/, '');
    else if (kind === 'end') {
      records.push(record);
      record = emptyRecord();
    }
  }
  // Each reason ends with a line's end, the last too.
  const reasons = [...log, '']
    .join('\n')
    .split(/^mark$/m)
    .slice(1);
  const steps = records.flatMap((each) => each.steps);
  for (const [index, step] of steps.entries()) {
    if (step.result !== 'ok') step.reason += reasons[index] ?? '';
  }
  return records;
}

type Rename = (text: string) => string;

function replacing(before: Rename, pattern: string, replacement: string): Rename {
  const everywhere = new RegExp(pattern, 'g');
  return (text) => before(text).replace(everywhere, replacement);
}

function renaming(before: Rename, name: string, node: string, number: string): Rename {
  const byNumber = replacing(before, `(^| )${number}(?= |$)`, `$1/dev/${name}`);
  return replacing(byNumber, `\\b${node}\\b`, `/dev/${name}`);
}

function emptyRecord(): CaseRecord {
  return { steps: [], table: [], status: [], limits: '', content: '' };
}

function readStep(status: string, output: string): StepRecord {
  if (status === '0') return { result: 'ok', reason: '' };
  const text = / failed: (.*?)(?: Command failed\.)?$/.exec(output)?.[1];
  if (text === undefined) return { result: 'unreadable', reason: output };
  return { result: errnoTexts[text] ?? text, reason: '' };
}

// ---- our own

export async function runCaseHere({ steps }: TableCase): Promise<CaseRecord> {
  const world = new World();
  const record = emptyRecord();
  for (const step of steps) record.steps.push(await world.run(step));
  const device = world.mapper.find('t');
  if (device?.live) await describeDevice(device, record);
  return record;
}

class World {
  readonly mapper: Mapper;

  constructor() {
    const disks = new TestDisks();
    for (const name of diskNames) {
      const blocks = { logicalBlockBytes: 4096, physicalBlockBytes: 4096, ioMinBytes: 4096 };
      const limits = name === 'K' ? blocks : {};
      const disk = disks.add(`/dev/${name}`, { sizeSectors: DISK_SECTORS[name], limits });
      disk.bytes.set(diskBytes[name]);
    }
    const store = new DeviceStore();
    const openerOf = (operand: string): DeviceOpener =>
      /^\/dev\/[A-Z]$/.test(operand) ? disks : store;
    this.mapper = new Mapper({
      registry: createTargetRegistry(targets),
      opener: {
        prepare: (operand) => openerOf(operand).prepare(operand),
        open: (operand, mode) => openerOf(operand).open(operand, mode),
      },
    });
  }

  async run(step: Step): Promise<StepRecord> {
    try {
      await this.#perform(step);
      return { result: 'ok', reason: '' };
    } catch (error) {
      if (!(error instanceof DmError)) throw error;
      const isSyntax = /^(Invalid format on line|Target type name)/.test(error.message);
      return { result: isSyntax ? 'unreadable' : error.code, reason: ownNames(error.message) };
    }
  }

  async #perform({ run, device: name = 't', text = '' }: Step): Promise<void> {
    if (run === 'create-notable') this.mapper.create({ name });
    else if (run === 'create') await this.#create(name, text, false);
    else if (run === 'create-readonly') await this.#create(name, text, true);
    else if (run === 'load') await this.mapper.load(this.mapper.get(name), readTable(text));
    else if (run === 'message') {
      const [sector = '', ...argv] = splitArguments(text);
      await this.mapper.get(name).message(Number(sector), argv);
    } else await this.mapper.get(name)[run]();
  }

  /** As dmsetup does: reads the table first, and leaves no device behind a failure. */
  async #create(name: string, text: string, readOnly: boolean): Promise<void> {
    const rows = readTable(text);
    const device = this.mapper.create({ name });
    try {
      await this.mapper.load(device, rows, { readOnly });
      await device.resume();
    } catch (error) {
      await this.mapper.remove(device);
      throw error;
    }
  }
}

function readTable(text: string) {
  return parseTable(text.replaceAll(/\bdm:/g, `${MAPPED_MAJOR}:`));
}

/** Numbers of mapped devices as the records have them. */
function ownNames(text: string): string {
  return text.replaceAll(new RegExp(`\\b${MAPPED_MAJOR}:(\\d)`, 'g'), 'dm:$1');
}

async function describeDevice(device: MappedDevice, record: CaseRecord): Promise<void> {
  record.table = device.live!.tableLines().map(ownNames);
  record.status = device.live!.statusLines().map(ownNames);
  const { logicalBlockBytes, ioMinBytes, ioOptBytes } = device.limits;
  record.limits = `${logicalBlockBytes} ${ioMinBytes} ${ioOptBytes}`;
  if (device.sizeSectors <= LARGEST_READ_SECTORS && !device.suspended) {
    record.content = await hashContent(device);
  }
}

async function hashContent(device: MappedDevice): Promise<string> {
  const hash = createHash('sha256');
  const blockSectors = device.limits.logicalBlockBytes / SECTOR_BYTES;
  try {
    for (let sector = 0; sector < device.sizeSectors; sector += blockSectors) {
      hash.update(await readSectors(device, sector, blockSectors));
    }
  } catch {
    return 'EIO'; // as `cat` in the guest says no more
  }
  return hash.digest('hex');
}
