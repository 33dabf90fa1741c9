/** Does jobs with our Mapper on simulated disks, and cuts their power: what was not flushed is there or not. */

import { DmError, errnoName } from '../../src/base/errors.ts';
import { bytesToSectors } from '../../src/base/units.ts';
import { BioFlag, Op } from '../../src/core/bio.ts';
import { parseTable } from '../../src/core/table-text.ts';
import { uniformLatency } from '../../src/devices/simulated-faults.ts';
import { numberedSectors, SnapshotRig } from '../../src/testing/snapshot-rig.ts';
import { type BioRequest, submitBio } from '../../src/testing/submit.ts';
import { type DeviceJob, type DeviceResult, DISKS, imagesFrom } from './device-job.ts';
import { contentText } from './sector-runs.ts';

const MAX_ROUNDS = 20_000;
/** In which something that is not waited for gets somewhere. */
const HOLD_ROUNDS = 20;

export async function doHere({ steps, images }: DeviceJob): Promise<DeviceResult> {
  const sizeOf = (disk: (typeof DISKS)[number]) => bytesToSectors(images[disk].byteLength);
  const sizes = Object.fromEntries(DISKS.map((disk) => [disk, sizeOf(disk)]));
  const rig = new SnapshotRig({ sizes, latency: uniformLatency(0.1, 3) });
  for (const disk of DISKS) rig.disk(disk).poke(0, images[disk]);
  const machine = new Machine(rig);
  const answers: string[] = [];
  for (const step of steps) answers.push(await machine.step(step));
  rig.crash();
  return { answers, images: imagesFrom((disk) => rig.disk(disk).peek(0, sizeOf(disk))) };
}

type Step = (name: string, words: readonly string[]) => Promise<string> | string;

class Machine {
  readonly #rig: SnapshotRig;
  readonly #steps: Readonly<Record<string, Step>> = {
    start: async (name, words) => {
      const loaded = await this.#load(name, words);
      return this.#said(loaded === 'ok' ? await this.#resume(name) : loaded);
    },
    load: (name, words) => this.#load(name, words),
    'load-readonly': (name, words) => this.#load(name, words, { readOnly: true }),
    suspend: (name) => this.#result(this.#rig.mapper.get(name).suspend()),
    resume: (name) => this.#resume(name),
    remove: async (name) => {
      const { mapper } = this.#rig;
      return this.#said(await this.#result(mapper.remove(mapper.get(name))));
    },
    write: async (...step) => this.#said(await this.#rig.run(this.#writeAndFlush(...step))),
    put: async (...step) => this.#said(await this.#rig.run(this.#write(...step))),
    // The kernel flushes behind it too.
    'put-synced': async (...step) =>
      this.#said(await this.#rig.run(this.#writeAndFlush(...step, BioFlag.fua))),
    flush: async (name) => this.#said(await this.#rig.run(this.#submit(name, { op: Op.flush }))),
    discard: async (...step) => this.#said(await this.#rig.run(this.#range(Op.discard, ...step))),
    zero: async (...step) => this.#said(await this.#rig.run(this.#range(Op.writeZeroes, ...step))),
    message: async (name, words) =>
      this.#said(await this.#result(this.#rig.mapper.get(name).message(0, words))),
    hold: (_, [name = '', ...words]) => this.#hold(name, words),
    content: (name) => this.#content(name),
    limits: (name) => this.#limits(name),
    status: () => this.#said('ok'),
    table: (name) => this.#row(name).target.table().split(' ').slice(2).join(' '),
    until: async (name, words) => {
      return this.#said(await this.#until(() => this.#rig.status(name) === words.join(' ')));
    },
    below: (name, [limit]) =>
      this.#until(() => Number(this.#rig.status(name).split('/')[0]) < Number(limit)),
    merged: async (name) => {
      return this.#said(await this.#until(() => /^(\d+)\/\d+ \1$/.test(this.#rig.status(name))));
    },
  };

  constructor(rig: SnapshotRig) {
    this.#rig = rig;
  }

  async step(text: string): Promise<string> {
    const [first = '', name = '', ...words] = text.split(' ');
    return await this.#steps[first]!(name, words);
  }

  async #load(name: string, words: readonly string[], options = {}): Promise<string> {
    const { mapper } = this.#rig;
    const device = mapper.find(name) ?? mapper.create({ name });
    const rows = parseTable(words.join(' ').replaceAll(' ; ', '\n'));
    for (const { type } of rows) await mapper.registry.get(type)?.prepare?.();
    return await this.#result(mapper.load(device, rows, options));
  }

  #resume(name: string): Promise<string> {
    return this.#result(this.#rig.mapper.get(name).resume());
  }

  async #result(action: Promise<unknown>): Promise<string> {
    try {
      await this.#rig.run(action);
      return 'ok';
    } catch (error) {
      if (error instanceof DmError) return error.code;
      throw error;
    }
  }

  /** Our own, or a disk of the rig. */
  async #submit(name: string, request: BioRequest): Promise<string> {
    const device = this.#rig.mapper.find(name) ?? this.#rig.disk(name);
    const errno = await submitBio(device, request);
    return errno === 0 ? 'ok' : errnoName(errno);
  }

  #write(name: string, words: readonly string[], flags = 0): Promise<string> {
    const [sector = 0, sectorCount = 0, first = 0] = words.map(Number);
    const data = numberedSectors(first, sectorCount);
    return this.#submit(name, { op: Op.write, sector, sectorCount, data, flags });
  }

  async #writeAndFlush(name: string, words: readonly string[], flags = 0): Promise<string> {
    const written = await this.#write(name, words, flags);
    return written === 'ok' ? await this.#submit(name, { op: Op.flush }) : written;
  }

  #range(op: Op, name: string, words: readonly string[]): Promise<string> {
    const [sector = 0, sectorCount = 0] = words.map(Number);
    return this.#submit(name, { op, sector, sectorCount });
  }

  async #hold(name: string, words: readonly string[]): Promise<string> {
    void this.#writeAndFlush(name, words);
    for (let round = 0; round < HOLD_ROUNDS; round += 1) await this.#rig.clock.advance(1);
    return 'held';
  }

  async #content(name: string): Promise<string> {
    const device = this.#rig.mapper.get(name);
    const data = new Uint8Array(device.sizeSectors * 512);
    const request = { op: Op.read, sector: 0, sectorCount: device.sizeSectors, data };
    const errno = await this.#rig.run(submitBio(device, request));
    return errno === 0 ? contentText(data) : errnoName(errno);
  }

  #limits(name: string): string {
    const { limits } = this.#rig.mapper.get(name);
    const { discardGranularityBytes: granularity, maxDiscardSectors = 0 } = limits;
    return `discard_granularity=${granularity} discard_max_bytes=${maxDiscardSectors * 512}`;
  }

  #row(name: string) {
    return this.#rig.mapper.get(name).live!.rows[0]!;
  }

  async #until(isSo: () => boolean): Promise<string> {
    for (let round = 0; !isSo(); round += 1) {
      if (round > MAX_ROUNDS) return 'never';
      await this.#rig.clock.advance(1);
    }
    return 'ok';
  }

  /** With the status of all snapshots, in the order of their names. */
  #said(word: string): string {
    const words = [word];
    for (const device of this.#rig.mapper.list().toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const row = device.live?.rows[0];
      if (row === undefined || !/^(snapshot(-merge)?|log-writes)$/.test(row.type)) continue;
      words.push(device.name, row.target.status!(), `e${device.eventNumber}`);
    }
    return words.join(' ');
  }
}
