/** The loop: hot zone after hot zone, from whatever state the header says, to the end or to where it is told to stop. */

import { assert } from '../../../base/assert.ts';
import { DmError } from '../../../base/errors.ts';
import { loadHash } from '../../../crypto/hash.ts';
import { type Luks2Header, wholeHeaderBytes } from '../header.ts';
import { copyMetadata, type Luks2Metadata, type Luks2ReencryptArea } from '../metadata.ts';
import { writeHeader } from '../write-header.ts';
import { alignmentOf } from './begin.ts';
import { finish, finishWipe } from './finish.ts';
import { HotZone, type ZoneParts } from './hot-zone.ts';
import { setRanges } from './segments.ts';
import { type OpenSide, openSide } from './side-cipher.ts';
import {
  fixedBytes,
  isComplete,
  type Range,
  type ReencryptState,
  readState,
  reencryptSlot,
  requirementVersion,
  volumeBytes,
} from './state.ts';
import { reencryptStatus } from './status.ts';
import { interruptedStep, nextStep, rangesWith, type Step, type VolumeSize } from './step.ts';
import type { ReencryptDisks, ReencryptKeys, RunOptions, RunResult } from './types.ts';
import { checkVouched, vouch } from './vouch.ts';

export interface RunContext {
  disks: ReencryptDisks;
  /** As read from the disk. */
  header: Luks2Header;
  keys: ReencryptKeys;
  openSide?: OpenSide;
}

/**
 * Recovers a hot zone if need be and re-encrypts what is left. Answers the header that is on the disk then. Throws DmError EINVAL when keys and
 * metadata do not belong together, EBUSY for a volume that is in no re-encryption.
 */
export async function runReencrypt(
  context: RunContext,
  options: RunOptions = {},
): Promise<{ result: RunResult; header: Luks2Header }> {
  const { disks } = context;
  if (reencryptStatus(context.header.metadata) === 'finishing') {
    return { result: 'finished', header: await finishWipe(disks, context.header) };
  }
  demandReencryption(context.header.metadata);
  const recovered = await recoverReencrypt(context);
  if (requirementVersion(recovered.metadata) === null) {
    return { result: 'finished', header: recovered };
  }
  const header = await withTuning({ ...context, header: recovered }, options);
  using run = await Run.open({ ...context, header }, options);
  const result = await run.toEnd(options);
  return { result, header: run.header };
}

/** Only what a crash left: afterwards the volume can be opened. Answers the header that is on the disk then. */
export async function recoverReencrypt(context: RunContext): Promise<Luks2Header> {
  if (reencryptStatus(context.header.metadata) !== 'crashed') return context.header;
  using run = await Run.open(context, {});
  await run.recover();
  return run.header;
}

function demandReencryption(metadata: Luks2Metadata): void {
  if (reencryptStatus(metadata) !== 'none') return;
  throw new DmError('EINVAL', 'Cannot resume: Device is not in reencryption.');
}

/**
 * The header with the resilience that is wanted, where it can be changed. Checksums get blocks that the disk writes whole: cryptsetup makes them as large as those of
 * the file system, one of which may be half old and half new after a crash. The state is clean.
 */
async function withTuning(context: RunContext, options: RunOptions): Promise<Luks2Header> {
  const { header, keys, disks } = context;
  const [, { area }] = reencryptSlot(header.metadata);
  const wanted = await wantedArea(
    header.metadata,
    alignmentOf(header.metadata, disks.data),
    options,
  );
  const isSame =
    wanted.type === area.type &&
    wanted.hash === area.hash &&
    wanted.sector_size === area.sector_size;
  if (isSame) return header;
  await checkVouched(header.metadata, readState(header.metadata), keys);
  const metadata = copyMetadata(header.metadata);
  reencryptSlot(metadata)[1].area = wanted;
  await vouch(metadata, readState(metadata), keys);
  return writeHeader(disks.header, { ...header, metadata });
}

async function wantedArea(
  metadata: Luks2Metadata,
  blockBytes: number,
  { resilience, hash }: RunOptions,
): Promise<Luks2ReencryptArea> {
  const [, { area }] = reencryptSlot(metadata);
  const isMoved = area.type.startsWith('datashift-');
  const type =
    resilience === undefined
      ? area.type
      : isMoved
        ? (`datashift-${resilience}` as const)
        : resilience;
  if (resilience !== undefined && (area.type === 'datashift' || type === 'datashift-none')) {
    throw new DmError(
      'EINVAL',
      `Requested --resilience option cannot be applied to current reencryption operation: "${resilience}", it uses ${area.type}`,
    );
  }
  const { offset, size, shift_size } = area;
  const next: Luks2ReencryptArea = { offset, size, type: type as Luks2ReencryptArea['type'] };
  if (shift_size !== undefined) next.shift_size = shift_size;
  if (!type.endsWith('checksum')) return next;
  next.hash = hash ?? area.hash ?? 'sha256';
  next.sector_size = blockBytes;
  if (!isMoved) return next;
  const { digestBytes } = await loadHash(next.hash);
  const blocks = Math.floor(Number(size) / digestBytes);
  const movedBytes = readState(metadata).moved?.lengthBytes ?? 0;
  return blocks * blockBytes >= movedBytes ? next : area;
}

class Run implements Disposable {
  header: Luks2Header;
  readonly #parts: ZoneParts;
  readonly #volume: VolumeSize;
  readonly #hotzoneBytes: number | undefined;
  #ranges: Range[];

  private constructor(
    header: Luks2Header,
    parts: ZoneParts,
    volume: VolumeSize,
    hotzoneBytes: number | undefined,
  ) {
    this.header = header;
    this.#parts = parts;
    this.#volume = volume;
    this.#hotzoneBytes = hotzoneBytes;
    this.#ranges = parts.state.ranges;
  }

  static async open(context: RunContext, options: RunOptions): Promise<Run> {
    const { disks, header, keys } = context;
    const state = readState(header.metadata);
    await checkVouched(header.metadata, state, keys);
    checkPlaces(disks, header, state);
    const volume = sizeOf(state, disks.data.sizeBytes, options.deviceBytes);
    const { hash } = state.protection;
    const open = context.openSide ?? openSide;
    const old = open(state.old, keys.old);
    const parts: ZoneParts = {
      disks,
      state,
      hash: hash === null ? null : await loadHash(hash),
      old,
      new: open(state.new, keys.new),
    };
    return new Run(header, parts, volume, options.hotzoneBytes);
  }

  [Symbol.dispose](): void {
    this.#parts.old[Symbol.dispose]();
    this.#parts.new[Symbol.dispose]();
  }

  async recover(): Promise<void> {
    const step = interruptedStep(this.#state);
    if (!step) return;
    const zone = new HotZone(this.#parts, step);
    await zone.recover();
    await this.#settle(zone, step);
  }

  async toEnd(options: RunOptions): Promise<RunResult> {
    this.#report(options);
    let unwritten = false;
    while (!this.#isFinished) {
      if (options.signal?.aborted) {
        if (unwritten) await this.#write(this.#ranges);
        return 'interrupted';
      }
      const step = nextStep(this.#state, this.#limits);
      if (!step) {
        await this.#finish();
      } else {
        await this.#doStep(step);
        unwritten = step.protection === 'none';
      }
      this.#report(options);
    }
    return 'finished';
  }

  async #doStep(step: Step): Promise<void> {
    const zone = new HotZone(this.#parts, step);
    await zone.protect();
    if (step.protection !== 'none') {
      await this.#write(rangesWith(this.#state, step, 'hot', this.#volume));
      zone.announced();
    }
    await zone.rewrite();
    await this.#settle(zone, step);
  }

  /** The last step ends the re-encryption in the same header. */
  async #settle(zone: HotZone, step: Step): Promise<void> {
    assert(zone.isRewritten, 'a header names as new only what is durable');
    this.#ranges = rangesWith(this.#state, step, 'new', this.#volume);
    if (isComplete(this.#state)) await this.#finish();
    else if (step.protection !== 'none') await this.#write(this.#ranges);
  }

  async #finish(): Promise<void> {
    const { disks, state } = this.#parts;
    this.header = await finish(disks, this.header, state);
  }

  async #write(ranges: readonly Range[]): Promise<void> {
    const metadata = copyMetadata(this.header.metadata);
    setRanges(metadata, this.#parts.state, ranges);
    this.header = await writeHeader(this.#parts.disks.header, { ...this.header, metadata });
  }

  get #isFinished(): boolean {
    return requirementVersion(this.header.metadata) === null;
  }

  /** The header's state with the ranges as they are now, which `none` does not write at once. */
  get #state(): ReencryptState {
    return { ...this.#parts.state, ranges: this.#ranges };
  }

  get #limits() {
    const { hash, disks, state } = this.#parts;
    return {
      ...this.#volume,
      digestBytes: hash?.digestBytes ?? 0,
      alignmentBytes: Math.max(
        state.protection.blockBytes,
        alignmentOf(this.header.metadata, disks.data),
      ),
      hotzoneBytes: this.#hotzoneBytes,
    };
  }

  #report({ onProgress }: RunOptions): void {
    const { totalBytes } = this.#volume;
    let doneBytes = 0;
    for (const range of this.#ranges) {
      if (range.kind !== 'new') continue;
      doneBytes += range.lengthBytes ?? totalBytes - range.logicalBytes;
    }
    onProgress?.({ doneBytes, totalBytes });
  }
}

function sizeOf(
  state: ReencryptState,
  diskBytes: number,
  deviceBytes: number | undefined,
): VolumeSize {
  const fixed = fixedBytes(state);
  const totalBytes = volumeBytes(state, diskBytes);
  if (deviceBytes === undefined) return checkedSize(state, totalBytes, fixed !== null);
  // An encryption that moved the beginning counts the gap as part of the device.
  const isGapped = state.mode === 'encrypt' && state.moved !== null;
  const wantedBytes = isGapped ? deviceBytes - state.protection.shiftBytes : deviceBytes;
  const isWrong = fixed === null ? wantedBytes > totalBytes : wantedBytes !== fixed;
  if (isWrong || wantedBytes <= (state.ranges.at(-1)?.logicalBytes ?? 0)) {
    throw new DmError(
      'EINVAL',
      `Illegal device size requested in reencryption parameters: ${deviceBytes} bytes, the data have ${totalBytes}`,
    );
  }
  return checkedSize(state, wantedBytes, true);
}

function checkedSize(state: ReencryptState, totalBytes: number, isFixed: boolean): VolumeSize {
  const sectorBytes = Math.max(state.old.sectorBytes, state.new.sectorBytes);
  if (totalBytes % sectorBytes !== 0) {
    throw new DmError(
      'EINVAL',
      `Data device is not aligned to encryption sector size (${sectorBytes} bytes): ${totalBytes} bytes`,
    );
  }
  return { totalBytes, isFixed };
}

/** Whatever the metadata say, the header in front of the data is not overwritten. */
function checkPlaces(disks: ReencryptDisks, header: Luks2Header, state: ReencryptState): void {
  if (disks.header !== disks.data) return;
  const leastBytes = wholeHeaderBytes(header);
  const moved = state.moved?.offsetBytes ?? leastBytes;
  if (state.new.offsetBytes >= leastBytes && moved >= leastBytes) return;
  throw new DmError(
    'EINVAL',
    `Cannot re-encrypt "${disks.data.name}": the data would overwrite the header, which ends at ${leastBytes}`,
  );
}
