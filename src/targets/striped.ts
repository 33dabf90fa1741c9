/**
 * striped: chunks dealt out to several devices in turn. `<stripes> <chunk> [<device> <offset>]...`
 * Source: Documentation/admin-guide/device-mapper/striped.rst
 *
 * Sector s of the row lies in chunk floor(s / chunk); chunk c is chunk floor(c / stripes) of stripe c % stripes. So a range of
 * the row is one range of each stripe, which is what makes a discard of any size one bio a stripe.
 */

import { Errno } from '../base/errors.ts';
import { SECTOR_BYTES } from '../base/units.ts';
import { type ArgumentReader, UINT_MAX } from '../core/arguments.ts';
import { type Bio, Op } from '../core/bio.ts';
import { type BlockDevice, formatDeviceNumber } from '../core/device.ts';
import type { Limits } from '../core/limits.ts';
import type { Target, TargetContext, TargetType } from '../core/target.ts';

/** A stripe whose errors reach this number raises no more events. */
const EVENT_ERROR_LIMIT = 15;

class Striped implements Target {
  readonly maxIoSectors: number;
  readonly rangeBioCount: number;
  readonly #context: TargetContext;
  readonly #chunkSectors: number;
  readonly #stripeCount: number;
  readonly #devices: BlockDevice[] = [];
  readonly #offsets: number[] = [];
  readonly #errorCounts: number[] = [];

  constructor(args: ArgumentReader, context: TargetContext) {
    args.expectCount(args.count >= 2, 'Not enough arguments');
    const count = args.integer('stripes', 'Invalid stripe count', STRIPE_RANGE);
    const chunkSectors = args.integer('chunk', 'Invalid chunk_size', STRIPE_RANGE);
    checkLength(args, context.length, count, chunkSectors);
    args.expectCount(args.remaining === 2 * count, 'Not enough destinations specified');
    for (let stripe = 0; stripe < count; stripe += 1) {
      const operand = args.word('device');
      this.#offsets.push(args.sectors('offset', PARSE_ERROR));
      this.#devices.push(args.open(operand, PARSE_ERROR));
      this.#errorCounts.push(0);
    }
    this.#context = context;
    this.#chunkSectors = chunkSectors;
    this.#stripeCount = count;
    this.maxIoSectors = chunkSectors;
    this.rangeBioCount = count;
  }

  map(bio: Bio): 'remapped' {
    if (bio.op === Op.discard || bio.op === Op.writeZeroes) this.#mapRange(bio);
    else this.#mapChunk(bio);
    return 'remapped';
  }

  /** The bio lies inside one chunk. */
  #mapChunk(bio: Bio): void {
    const sector = bio.sector - this.#context.start;
    const chunk = Math.floor(sector / this.#chunkSectors);
    const stripeChunk = Math.floor(chunk / this.#stripeCount);
    const stripe = chunk - stripeChunk * this.#stripeCount;
    bio.device = this.#devices[stripe]!;
    bio.sector = sector + (stripeChunk - chunk) * this.#chunkSectors + this.#offsets[stripe]!;
  }

  /** The part of the bio's range that lies on the stripe of its number, perhaps none. */
  #mapRange(bio: Bio): void {
    const stripe = bio.targetBioNumber;
    const sector = bio.sector - this.#context.start;
    const start = this.#firstOnStripe(sector, stripe);
    const end = this.#firstOnStripe(sector + bio.sectorCount, stripe);
    bio.device = this.#devices[stripe]!;
    bio.sector = start + this.#offsets[stripe]!;
    bio.sectorCount = end - start;
  }

  /** Where on the stripe its first sector at or behind `sector` of the row is. */
  #firstOnStripe(sector: number, stripe: number): number {
    const chunk = Math.floor(sector / this.#chunkSectors);
    const stripeChunk = Math.floor(chunk / this.#stripeCount);
    const holder = chunk - stripeChunk * this.#stripeCount;
    const start = stripeChunk * this.#chunkSectors;
    if (holder > stripe) return start + this.#chunkSectors;
    if (holder < stripe) return start;
    return start + sector - chunk * this.#chunkSectors;
  }

  /** Marks every stripe on the device that failed. ENOTSUP says what a device is, not that it broke. */
  end(bio: Bio): void {
    if (bio.error === 0 || bio.error === Errno.ENOTSUP) return;
    for (const [stripe, device] of this.#devices.entries()) {
      if (device !== bio.device) continue;
      this.#errorCounts[stripe]! += 1;
      if (this.#errorCounts[stripe]! < EVENT_ERROR_LIMIT) this.#context.event();
    }
  }

  table(): string {
    const stripes = this.#devices.map(
      ({ operand }, stripe) => ` ${operand} ${this.#offsets[stripe]}`,
    );
    return `${this.#stripeCount} ${this.#chunkSectors}${stripes.join('')}`;
  }

  status(): string {
    const names = this.#devices.map((device) => `${device.operand} `).join('');
    const health = this.#errorCounts.map((count) => (count > 0 ? 'D' : 'A')).join('');
    return `${this.#stripeCount} ${names}1 ${health}`;
  }

  measure(): string {
    const stripes = this.#devices.map((device, stripe) => {
      const name = `stripe_${stripe}`;
      const health = this.#errorCounts[stripe]! > 0 ? 'D' : 'A';
      return `,${name}_device_name=${formatDeviceNumber(device.number)},${name}_physical_start=${this.#offsets[stripe]},${name}_status=${health}`;
    });
    return `stripes=${this.#stripeCount},chunk_size=${this.#chunkSectors}${stripes.join('')}`;
  }

  devices() {
    const lengthSectors = this.#context.length / this.#stripeCount;
    return this.#devices.map((device, stripe) => {
      return { device, startSectors: this.#offsets[stripe]!, lengthSectors };
    });
  }

  limits(stacked: Limits): Limits {
    const chunkBytes = this.#chunkSectors * SECTOR_BYTES;
    const ioMinBytes = Math.max(chunkBytes, stacked.physicalBlockBytes);
    return { ...stacked, ioMinBytes, ioOptBytes: chunkBytes * this.#stripeCount };
  }
}

const STRIPE_RANGE = { min: 1, max: UINT_MAX, plus: true };
const PARSE_ERROR = "Couldn't parse stripe destination";

function checkLength(args: ArgumentReader, length: number, count: number, chunk: number): void {
  if (length % count !== 0) {
    const detail = `${length} sectors on ${count} stripes`;
    throw args.error('Target length not divisible by number of stripes', detail);
  }
  if ((length / count) % chunk !== 0) {
    const detail = `${length / count} sectors a stripe, chunks of ${chunk}`;
    throw args.error('Target length not divisible by chunk size', detail);
  }
}

export const striped: TargetType = {
  name: 'striped',
  version: [1, 7, 0],
  usage: '<stripes> <chunk> [<device> <offset>]...',
  summary: 'deals chunks out to several devices in turn',
  features: ['stateless'],
  create: (args, context) => new Striped(args, context),
};
