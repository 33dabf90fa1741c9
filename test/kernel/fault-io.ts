/** Does the steps of fault-io-cases.ts: with dmsetup and dd in a real kernel, and with our Mapper. */

import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { sectorsToBytes } from '../../src/base/units.ts';
import { BioFlag, Op } from '../../src/core/bio.ts';
import type { MappedDevice } from '../../src/core/mapped-device.ts';
import { submitBio } from '../../src/testing/submit.ts';
import { World } from '../../src/testing/world.ts';
import type { FaultIoAnswer, FaultIoCase } from './fault-io-cases.ts';
import { runInKernel } from './kernel.ts';

const DISK_SECTORS = 64;
const FILLS = { A: 0xaa, B: 0xbb, C: 0xcc };
type DiskName = keyof typeof FILLS;
const diskNames = Object.keys(FILLS) as DiskName[];
const WRITTEN = 0x55;

// ---- the real kernel

/** A step's function prints one line; what is held writes it into a file. */
const prologue = `
export LC_ALL=C
dmesg -n 1
octal() { printf '\\\\%o' "$1"; }
fill() { head -c $2 /dev/zero | tr '\\0' "$(octal $1)"; }
fill ${WRITTEN} ${sectorsToBytes(DISK_SECTORS)} > /tmp/written
${diskNames.map((name) => `fill ${FILLS[name]} ${sectorsToBytes(DISK_SECTORS)} > /tmp/full-${name}`).join('\n')}
runs() { od -An -v -tx1 -w1 "$1" | tr -d ' ' | uniq -c | awk '{ printf "%s%s*%s", space, $2, $1; space = " " } END { print "" }'; }
verdict() { "$@" 2>/tmp/error && echo ok || { grep -q 'Input/output error' /tmp/error && echo EIO || cat /tmp/error; }; }
read_() {
  local file=/tmp/read-$1
  if dd if=/dev/mapper/t of=$file bs=$((512 * $2)) count=1 skip=$((512 * $1)) iflag=direct,skip_bytes status=none 2>/dev/null
  then runs $file; else echo EIO; fi
}
write_() { verdict dd if=/tmp/written of=/dev/mapper/t bs=$((512 * $2)) count=1 seek=$((512 * $1)) oflag=direct,seek_bytes$3 conv=notrunc status=none; }
fua() { write_ "$1" "$2" ,dsync; }
flush() { verdict dd if=/dev/null of=/dev/mapper/t conv=fsync,notrunc status=none; }
discard() { verdict blkdiscard -f -o $((512 * $1)) -l $((512 * $2)) /dev/mapper/t; }
zero() { verdict blkdiscard -f -z -o $((512 * $1)) -l $((512 * $2)) /dev/mapper/t; }
held() {
  local status sum try
  for try in $(seq 300); do
    status=$(dmsetup status t); status=\${status#* * * }
    sum=$((\${status// /+}))
    [ $sum != $1 ] || break
    sleep 0.1
  done
  echo "$status"
}
step() { echo "step $*" | tr '\\n' '|' ; "$@" | tr '\\n' ' '; echo; }
number=0
hold() { number=$((number + 1)); ( "$@" > /tmp/held-$number ) & echo 'step hold|ok'; }
wait_() {
  wait
  printf 'step wait|'
  while [ $number -gt 0 ]; do cat /tmp/held-$number | tr '\\n' ' '; number=$((number - 1)); done
  echo
}
`;

const FUNCTIONS: Readonly<Record<string, string>> = { read: 'read_', write: 'write_' };

function shellStep(step: string): string {
  const [first = '', ...words] = step.split(' ');
  if (first === 'hold') return `hold ${shellWords(words)}`;
  if (first === 'wait') return 'wait_';
  if (first === 'suspend' || first === 'resume') return `step verdict dmsetup ${first} t`;
  return `step ${shellWords([first, ...words])}`;
}

function shellWords([name = '', ...words]: readonly string[]): string {
  return [FUNCTIONS[name] ?? name, ...words].join(' ');
}

function shellCase({ devices, steps }: FaultIoCase): string {
  const table = (text: string) => text.replaceAll(/ ([ABC])(?= )/g, ' /dev/loop-$1');
  return [
    ...diskNames.map(
      (name) => `cp /tmp/full-${name} /dev/shm/${name}; losetup /dev/loop-${name} /dev/shm/${name}`,
    ),
    ...devices.map(([name, text]) => `dmsetup create ${name} --table "${table(text)}"`),
    ...steps.map(shellStep),
    ...devices.toReversed().map(([name]) => `dmsetup remove ${name}`),
    ...diskNames.map(
      (name) => `losetup -d /dev/loop-${name}; echo "disk|$(runs /dev/shm/${name})"`,
    ),
    'echo end',
  ].join('\n');
}

/** All cases in one boot, in order. */
export async function askFaultIo(cases: readonly FaultIoCase[]): Promise<FaultIoAnswer[]> {
  const links = diskNames.map((name, index) => `ln -s loop${index} /dev/loop-${name}`);
  const script = [prologue, ...links, ...cases.map(shellCase)].join('\n');
  const { status, stdout, stderr } = await runInKernel({ script, timeoutMs: 1_100_000 });
  if (status !== 0) throw new Error(`The kernel run ended with ${status}: ${stderr}`);
  const answers: FaultIoAnswer[] = [];
  let answer: FaultIoAnswer = { answers: [], disks: [] };
  for (const line of stdout.split('\n')) {
    const [what = '', text = ''] = line.split('|');
    if (what.startsWith('step')) answer.answers.push(line.slice(line.lastIndexOf('|') + 1).trim());
    else if (what === 'disk') answer.disks.push(text);
    else if (what === 'end') {
      answers.push(answer);
      answer = { answers: [], disks: [] };
    }
  }
  return answers;
}

// ---- our own

export async function doFaultIo({ devices, steps }: FaultIoCase): Promise<FaultIoAnswer> {
  const sizeSectors = DISK_SECTORS;
  const clock = new SimulatedClock();
  const world = new World({
    clock,
    disks: { A: { sizeSectors }, B: { sizeSectors }, C: { sizeSectors } },
  });
  for (const name of diskNames) world.disks.get(name).bytes.fill(FILLS[name]);
  let device: MappedDevice | undefined;
  for (const [name, table] of devices) {
    device = await world.start(name, table.replaceAll('/dev/mapper/', 'mapper/'));
  }
  const run = new Run(device!, clock);
  const answers: string[] = [];
  for (const step of steps) answers.push(await run.step(step));
  return { answers, disks: diskNames.map((name) => runs(world.disks.get(name).bytes)) };
}

const OPS: Readonly<Record<string, Op>> = {
  read: Op.read,
  write: Op.write,
  fua: Op.write,
  flush: Op.flush,
  discard: Op.discard,
  zero: Op.writeZeroes,
};

class Run {
  readonly #device: MappedDevice;
  readonly #clock: SimulatedClock;
  #held: Promise<string>[] = [];

  constructor(device: MappedDevice, clock: SimulatedClock) {
    this.#device = device;
    this.#clock = clock;
  }

  async step(step: string): Promise<string> {
    const words = step.split(' ');
    switch (words[0]) {
      case 'hold':
        this.#held.push(this.#submit(words.slice(1)));
        return 'ok';
      case 'held':
        return this.#device.live!.rows[0]!.target.status!();
      case 'wait':
        return (await Promise.all(this.#held.splice(0).toReversed())).join(' ');
      case 'suspend':
        await this.#device.suspend();
        return 'ok';
      case 'resume':
        await this.#device.resume();
        return 'ok';
      default:
        return await this.#waitFor(this.#submit(words));
    }
  }

  /** Long enough for what is not meant to be held. */
  async #waitFor(answer: Promise<string>): Promise<string> {
    await this.#clock.advance(1000);
    return await answer;
  }

  async #submit([name = '', sector = '0', count = '0']: readonly string[]): Promise<string> {
    const op = OPS[name]!;
    const sectorCount = Number(count);
    const data = new Uint8Array(sectorsToBytes(sectorCount)).fill(op === Op.write ? WRITTEN : 0);
    const hasData = op === Op.read || op === Op.write;
    const errno = await submitBio(this.#device, {
      op,
      sector: Number(sector),
      sectorCount,
      flags: name === 'fua' ? BioFlag.fua : 0,
      ...(hasData && { data }),
    });
    if (errno !== 0) return 'EIO';
    return op === Op.read ? runs(data) : 'ok';
  }
}

/** `aa*4095 11*1` */
function runs(bytes: Uint8Array): string {
  const found: { byte: number; count: number }[] = [];
  for (const byte of bytes) {
    const last = found.at(-1);
    if (last?.byte === byte) last.count += 1;
    else found.push({ byte, count: 1 });
  }
  return found.map(({ byte, count }) => `${byte.toString(16).padStart(2, '0')}*${count}`).join(' ');
}
