/** Does the steps of snapshot-cases.ts: with snapshot-guest.pl in a real kernel, and with our Mapper on simulated disks. */

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPrng } from '../../src/base/prng.ts';
import { sectorsToBytes } from '../../src/base/units.ts';
import { Op } from '../../src/core/bio.ts';
import { uniformLatency } from '../../src/devices/simulated-faults.ts';
import { SnapshotRig } from '../../src/testing/snapshot-rig.ts';
import { readSectors, submitBio } from '../../src/testing/submit.ts';
import { runInKernel } from './kernel.ts';
import type { SnapshotAnswer, SnapshotCase } from './snapshot-cases.ts';

const DISKS = ['O', 'C', 'D'] as const;
const TIME_MS = 240_000;
const LARGEST_DISK_SECTORS = 16_384;
/** What O has at first, and what is written. */
const random = (seed: number, sizeSectors = LARGEST_DISK_SECTORS) =>
  createPrng(seed).fill(new Uint8Array(sectorsToBytes(sizeSectors)));
const originBytes = random(1);
const writtenBytes = random(2);

/** Disks by their letters. */
export type Images = Readonly<Record<(typeof DISKS)[number], Uint8Array>>;

function freshImages({ sizes: [originSectors, cowSectors] }: SnapshotCase): Images {
  return {
    O: originBytes.slice(0, sectorsToBytes(originSectors)),
    C: new Uint8Array(sectorsToBytes(cowSectors)),
    D: new Uint8Array(sectorsToBytes(cowSectors)),
  };
}

// ---- the real kernel

const guest = fileURLToPath(new URL('./snapshot-guest.pl', import.meta.url));

function guestCase({ steps, after }: SnapshotCase, index: number): string {
  const named = (step: string) =>
    step.replaceAll(/ ([OCD])(?= )/g, ' /dev/loop-$1').replaceAll(' mapper/', ' /dev/mapper/');
  return [
    `open /share/fresh-${index}`,
    ...steps.map(named),
    // While they are in use: as a power failure would leave them.
    `save /share/theirs-${index}`,
    'close',
    'print after',
    ...(after.length === 0 ? [] : [`open /share/ours-${index}`, ...after.map(named), 'close']),
    'print end',
  ].join('\n');
}

export interface KernelSnapshots {
  answer: SnapshotAnswer;
  /** After `steps`. */
  images: Images;
}

/** All cases in one boot; `after` goes on with our disks. */
export async function askSnapshots(
  cases: readonly SnapshotCase[],
  ours: readonly Images[],
): Promise<KernelSnapshots[]> {
  const shareDir = mkdtempSync(join(tmpdir(), 'devmapper-snapshots-'));
  try {
    writeFileSync(join(shareDir, 'written'), writtenBytes);
    writeFileSync(join(shareDir, 'steps'), `${cases.map(guestCase).join('\n')}\n`);
    copyFileSync(guest, join(shareDir, 'guest.pl'));
    cases.forEach((each, index) => {
      writeImages(join(shareDir, `fresh-${index}`), freshImages(each));
      writeImages(join(shareDir, `ours-${index}`), ours[index]!);
    });
    const script = 'export LC_ALL=C; dmesg -n 1; perl /share/guest.pl < /share/steps';
    const { status, stdout, stderr } = await runInKernel({ script, shareDir, timeoutMs: TIME_MS });
    if (status !== 0) throw new Error(`The kernel run ended with ${status}: ${stderr}${stdout}`);
    return readOutput(stdout).map((answer, index) => {
      return { answer, images: readImages(join(shareDir, `theirs-${index}`)) };
    });
  } finally {
    rmSync(shareDir, { recursive: true, force: true });
  }
}

function writeImages(folder: string, images: Images): void {
  mkdirSync(folder);
  for (const disk of DISKS) writeFileSync(join(folder, disk), images[disk]);
}

function readImages(folder: string): Images {
  const image = (disk: string) => new Uint8Array(readFileSync(join(folder, disk)));
  return { O: image('O'), C: image('C'), D: image('D') };
}

function readOutput(stdout: string): SnapshotAnswer[] {
  const answers: SnapshotAnswer[] = [];
  let answer: SnapshotAnswer = { steps: [], after: [] };
  let part = answer.steps;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('a|')) part.push(line.slice(2).trim());
    else if (line === 'after') part = answer.after;
    else if (line === 'end') {
      answers.push(answer);
      answer = { steps: [], after: [] };
      part = answer.steps;
    }
  }
  return answers;
}

// ---- our own

/** Does the steps on those disks, or on fresh ones, and cuts the power. */
export async function doSnapshots(
  { sizes, ...rest }: SnapshotCase,
  steps: readonly string[],
  images: Images = freshImages({ sizes, ...rest }),
): Promise<{ answers: string[]; images: Images }> {
  const [O, C] = sizes;
  const rig = new SnapshotRig({ sizes: { O, C, D: C }, latency: uniformLatency(0.1, 3) });
  for (const disk of DISKS) rig.disk(disk).poke(0, images[disk]);
  const run = new Run(rig);
  const answers: string[] = [];
  for (const step of steps) answers.push(await run.step(step));
  rig.crash();
  const peek = (disk: 'O' | 'C' | 'D') => rig.disk(disk).peek(0, images[disk].byteLength / 512);
  return { answers, images: { O: peek('O'), C: peek('C'), D: peek('D') } };
}

class Run {
  readonly #rig: SnapshotRig;

  constructor(rig: SnapshotRig) {
    this.#rig = rig;
  }

  async step(step: string): Promise<string> {
    const [first = '', name = '', ...rest] = step.split(' ');
    const rig = this.#rig;
    switch (first) {
      case 'start':
        return this.#say(await result(rig.start(name, rest.join(' '))));
      case 'load':
        return await result(rig.load(name, rest.join(' ')));
      case 'suspend':
        return await result(rig.run(rig.mapper.get(name).suspend()));
      case 'resume':
        return await result(rig.run(rig.mapper.get(name).resume()));
      case 'remove':
        return await result(rig.run(rig.mapper.remove(rig.mapper.get(name))));
      case 'hold':
        return await this.#hold([name, ...rest]);
      case 'below':
        return await this.#until(() => this.#allocated(name) < Number(rest[0]));
      case 'merged':
        await this.#until(() => /^(\d+)\/\d+ \1$/.test(rig.status(name)));
        return this.#say('ok');
      case 'digest':
        return this.#say(await this.#digest(name));
      case 'status':
        return this.#say('ok');
      default:
        return this.#say(await rig.run(this.#change([first, name, ...rest])));
    }
  }

  /** A write is followed by a flush, as dd's is. */
  async #change([op, name = '', ...numbers]: readonly string[]): Promise<string> {
    const [sector = 0, sectorCount = 0, from = 0] = numbers.map(Number);
    const device = this.#rig.mapper.get(name);
    const data = writtenBytes.subarray(sectorsToBytes(from), sectorsToBytes(from + sectorCount));
    const what = op === 'write' ? { op: Op.write, data } : { op: Op.discard };
    const errno = await submitBio(device, { ...what, sector, sectorCount });
    if (op === 'write') await submitBio(device, { op: Op.flush });
    return errno === 0 ? 'ok' : 'EIO';
  }

  /** For a moment in which it gets somewhere. */
  async #hold(words: readonly string[]): Promise<string> {
    void this.#change(words);
    for (let step = 0; step < 20; step += 1) await this.#rig.clock.advance(1);
    return 'held';
  }

  async #digest(name: string): Promise<string> {
    const device = this.#rig.mapper.get(name);
    try {
      const bytes = await this.#rig.run(readSectors(device, 0, device.sizeSectors));
      return createHash('md5').update(bytes).digest('hex');
    } catch {
      return 'EIO';
    }
  }

  #allocated(name: string): number {
    return Number(this.#rig.status(name).split('/')[0]);
  }

  async #until(isSo: () => boolean): Promise<string> {
    for (let round = 0; !isSo(); round += 1) {
      if (round > 20_000) throw new Error('What a step waits for never came');
      await this.#rig.clock.advance(1);
    }
    return 'ok';
  }

  /** With the status of all snapshots, in the order of their names. */
  #say(answer: string): string {
    const words = [answer];
    for (const device of this.#rig.mapper.list().toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const row = device.live?.rows[0];
      if (row === undefined || !/^snapshot(-merge)?$/.test(row.type)) continue;
      words.push(device.name, row.target.status!());
    }
    return words.join(' ');
  }
}

async function result(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return 'ok';
  } catch {
    return 'EIO';
  }
}
