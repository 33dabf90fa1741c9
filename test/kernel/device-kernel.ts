/** Does jobs in a real kernel, all in one boot, and switches the machine off with every device live. */

import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesToSectors } from '../../src/base/units.ts';
import { type DeviceJob, type DeviceResult, DISKS, imagesFrom } from './device-job.ts';
import { runInKernel } from './kernel.ts';

const TIME_MS = 500_000;
/** Pieces of the disk begin at multiples of it. */
const PIECE_BYTES = 1024 * 1024;
const guest = fileURLToPath(new URL('./device-guest.pl', import.meta.url));

/** Nothing flushes there: what a machine of ours wrote is in the file when it is gone. */
const FOLDER = '/dev/shm';

export async function doInKernel(jobs: readonly DeviceJob[]): Promise<DeviceResult[]> {
  const shareDir = mkdtempSync(join(FOLDER, 'devmapper-snapshots-'));
  const disk = new PiecesOfADisk(join(shareDir, 'disk'), jobs);
  try {
    copyFileSync(guest, join(shareDir, 'guest.pl'));
    writeFileSync(
      join(shareDir, 'steps'),
      jobs.map((job, index) => text(job, index, disk)).join(''),
    );
    const script = `dmesg -n 1
      perl /share/guest.pl < /share/steps > /share/answers 2> /share/problems
      echo b > /proc/sysrq-trigger`;
    const run = { script, shareDir, disks: [disk.path], timeoutMs: TIME_MS };
    const { stderr } = await runInKernel(run);
    const problems = readFileSync(join(shareDir, 'problems'), 'utf8');
    if (problems !== '' || !stderr.includes('stopped before the end')) {
      throw new Error(`The kernel run failed: ${problems}${stderr}`);
    }
    const answers = readAnswers(readFileSync(join(shareDir, 'answers'), 'utf8'));
    return jobs.map((_, index) => ({ answers: answers[index]!, images: disk.images(index) }));
  } finally {
    disk.close();
    rmSync(shareDir, { recursive: true, force: true });
  }
}

function text({ steps }: DeviceJob, index: number, disk: PiecesOfADisk): string {
  return [`case ${index} ${disk.places(index)}`, ...steps, ''].join('\n');
}

function readAnswers(output: string): string[][] {
  return output
    .split('case\n')
    .slice(1)
    .map((part) => {
      const lines = part.split('\n').filter((line) => line.startsWith('a|'));
      return lines.map((line) => line.slice(2));
    });
}

interface Piece {
  offsetBytes: number;
  lengthBytes: number;
}

/** The disks of all jobs, one behind the other. */
class PiecesOfADisk {
  readonly path: string;
  readonly #file: number;
  /** For each job, in the order of DISKS. */
  readonly #pieces: Piece[][] = [];

  constructor(path: string, jobs: readonly DeviceJob[]) {
    this.path = path;
    this.#file = openSync(path, 'w+');
    let endBytes = 0;
    for (const { images } of jobs) {
      const pieces = DISKS.map((letter) => {
        const image = images[letter];
        const offsetBytes = endBytes;
        endBytes += Math.ceil(image.byteLength / PIECE_BYTES) * PIECE_BYTES;
        writeSync(this.#file, image, 0, image.byteLength, offsetBytes);
        return { offsetBytes, lengthBytes: image.byteLength };
      });
      this.#pieces.push(pieces);
    }
    ftruncateSync(this.#file, endBytes);
  }

  /** Where a job's disks begin and how long they are, in sectors. */
  places(job: number): string {
    const numbers = this.#pieces[job]!.flatMap(({ offsetBytes, lengthBytes }) => [
      bytesToSectors(offsetBytes),
      bytesToSectors(lengthBytes),
    ]);
    return numbers.join(' ');
  }

  images(job: number) {
    return imagesFrom((letter) => {
      const { offsetBytes, lengthBytes } = this.#pieces[job]![DISKS.indexOf(letter)]!;
      const bytes = new Uint8Array(lengthBytes);
      readSync(this.#file, bytes, 0, lengthBytes, offsetBytes);
      return bytes;
    });
  }

  close(): void {
    closeSync(this.#file);
  }
}
