/**
 * A LUKS1 volume: opening, and changing its key slots.
 *
 * Order of a change: key material written and flushed, then the header that names it; the other way round, the header that does not name
 * it any more is flushed before its key material is overwritten.
 */

import { DmError } from '../../base/errors.ts';
import { bytesToSectors, SECTOR_BYTES } from '../../base/units.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import { benchmarkPbkdf } from '../../crypto/kdf/benchmark.ts';
import type { PbkdfRequest } from '../../crypto/kdf/pbkdf.ts';
import { Secret } from '../../crypto/secret.ts';
import type {
  AddKeyRequest,
  LuksVolume,
  MappedSegment,
  SlotInfo,
  Unlocked,
  UnlockOptions,
} from '../luks/types.ts';
import { parseUuid } from '../luks/uuid.ts';
import { isVolumeKey, pbkdf2 } from './digest.ts';
import { dumpJson, dumpText } from './dump.ts';
import { decodeHeader, isActive, isFree, type KeySlot, type Luks1Header } from './header.ts';
import { cipherOf, emptied, fillSlot, openSlot, type SlotSecrets, wipeSlot } from './key-slot.ts';
import { HEADER_BYTES, headerEndSectors, SLOT_COUNT } from './layout.ts';
import { assertCurrent, type HeaderChange, writeHeader } from './write-header.ts';

/** Reads and checks the header; writes nothing. Throws FormatError; DmError when the disk is smaller than the header says. */
export async function openLuks1(disk: ByteDisk): Promise<Luks1Volume> {
  const readableBytes = Math.min(disk.sizeBytes, HEADER_BYTES);
  const header = decodeHeader(await disk.read(0, readableBytes));
  checkDiskSize(disk, header);
  return new Luks1Volume(disk, header);
}

export function checkDiskSize(disk: ByteDisk, { slots, keyBytes }: Luks1Header): void {
  const neededBytes = headerEndSectors(slots, keyBytes) * SECTOR_BYTES;
  if (disk.sizeBytes >= neededBytes) return;
  throw new DmError(
    'EINVAL',
    `Device ${disk.name} is too small. (LUKS1 requires at least ${neededBytes} bytes.) It has ${disk.sizeBytes}`,
  );
}

export class Luks1Volume implements LuksVolume {
  readonly version = 1;
  readonly label = '';
  readonly subsystem = '';
  readonly sectorBytes = SECTOR_BYTES;
  readonly flags = [];
  readonly requirements = [];
  readonly #disk: ByteDisk;
  #header: Luks1Header;

  constructor(disk: ByteDisk, header: Luks1Header) {
    this.#disk = disk;
    this.#header = header;
  }

  /** As it is on the disk. */
  get header(): Luks1Header {
    return this.#header;
  }

  get uuid(): string {
    return this.#header.uuid;
  }

  get cipher(): string {
    return cipherOf(this.#header);
  }

  get keyBytes(): number {
    return this.#header.keyBytes;
  }

  get dataOffsetBytes(): number {
    return this.#header.payloadSectors * SECTOR_BYTES;
  }

  slots(): SlotInfo[] {
    const { hash, keyBytes, slots } = this.#header;
    return slots.flatMap((each, slot) => {
      if (!isActive(each)) return [];
      const info = { type: 'luks1', keyBytes, priority: 'normal', unbound: false } as const;
      return [{ slot, ...info, pbkdf: pbkdf2(hash, each.iterations) }];
    });
  }

  async unlock(passphrase: Secret, options: UnlockOptions = {}): Promise<Unlocked> {
    const { signal } = options;
    for (const slot of this.#candidates(options.slot)) {
      signal?.throwIfAborted();
      const { slots } = this.#header;
      const volumeKey = await openSlot(this.#disk, this.#header, slots[slot]!, passphrase, signal);
      if (volumeKey) return { slot, volumeKey };
    }
    throw new DmError('EPERM', 'No key available with this passphrase.');
  }

  /** The active slots, or the one that is named. */
  #candidates(named: number | undefined): number[] {
    if (named !== undefined) {
      this.#active(named);
      return [named];
    }
    const active = this.slots().map(({ slot }) => slot);
    if (active.length > 0) return active;
    throw new DmError('ENOENT', `Device ${this.#disk.name} has no key slots in use.`);
  }

  async unlockWithVolumeKey(key: Secret): Promise<Unlocked> {
    await this.#checkVolumeKey(key);
    return { slot: null, volumeKey: Secret.from(key.bytes) };
  }

  async #checkVolumeKey(key: Secret): Promise<void> {
    if (await isVolumeKey(this.#header, key)) return;
    throw new DmError('EPERM', 'Volume key does not match the volume.');
  }

  segments(dataSizeBytes: number): MappedSegment[] {
    const offsetSectors = this.#header.payloadSectors;
    const lengthSectors = bytesToSectors(dataSizeBytes) - offsetSectors;
    if (lengthSectors <= 0) {
      throw new DmError(
        'EINVAL',
        `Device is too small: data begin at byte ${this.dataOffsetBytes}, it has ${dataSizeBytes}`,
      );
    }
    const { cipher, sectorBytes } = this;
    return [
      {
        startSectors: 0,
        lengthSectors,
        offsetSectors,
        cipher,
        sectorBytes,
        ivOffset: 0n,
        digest: 0,
      },
    ];
  }

  async addKey(volumeKey: Secret, request: AddKeyRequest): Promise<number> {
    await this.#checkVolumeKey(volumeKey);
    const slot = request.slot ?? this.#firstFree();
    if (slot === null) throw new DmError('ENOSPC', 'All key slots full.');
    if (!isFree(this.#slot(slot))) {
      throw new DmError('EINVAL', `Key slot ${slot} is full, please select another one.`);
    }
    const { passphrase } = request;
    const iterations = await chooseIterations(this.#header, request.pbkdf);
    await this.#fill(slot, iterations, { passphrase, volumeKey });
    return slot;
  }

  /**
   * The new passphrase goes into a free slot before the old one is wiped, and stays there unless it shall have the old one's. Without a free slot the old one
   * is overwritten, as cryptsetup does it, and a crash in that moment leaves neither of the two; the other seven are as they were.
   */
  async changeKey(volumeKey: Secret, oldSlot: number, request: AddKeyRequest): Promise<number> {
    const { passphrase } = request;
    await this.#checkVolumeKey(volumeKey);
    this.#active(oldSlot);
    const slot = request.slot ?? this.#firstFree() ?? oldSlot;
    if (slot !== oldSlot && !isFree(this.#slot(slot))) {
      throw new DmError('EINVAL', `Key slot ${slot} is full, please select another one.`);
    }
    const iterations = await chooseIterations(this.#header, request.pbkdf);
    const fill = (index: number) => this.#fill(index, iterations, { passphrase, volumeKey });
    const spare = slot === oldSlot ? this.#firstFree() : null;
    if (spare !== null) await fill(spare);
    await fill(slot);
    if (spare !== null) await this.killSlot(spare);
    if (slot !== oldSlot) await this.killSlot(oldSlot);
    return slot;
  }

  async #fill(index: number, iterations: number, secrets: SlotSecrets): Promise<void> {
    const slot = this.#slot(index);
    const filled = await fillSlot(this.#disk, this.#header, slot, iterations, secrets);
    await this.#write(this.#withSlot(index, filled), 'enable');
  }

  async killSlot(index: number): Promise<void> {
    const slot = this.#active(index);
    await this.#write(this.#withSlot(index, emptied(slot)), 'disable');
    await wipeSlot(this.#disk, this.#header, slot);
  }

  async erase(): Promise<void> {
    const { slots } = this.#header;
    await this.#write({ ...this.#header, slots: slots.map(emptied) }, 'disable');
    for (const slot of slots) await wipeSlot(this.#disk, this.#header, slot);
  }

  async setUuid(uuid: string): Promise<void> {
    await this.#write({ ...this.#header, uuid: parseUuid(uuid) }, 'enable');
  }

  dumpText(): string {
    return dumpText(this.#header, this.#disk.name);
  }

  dumpJson(): unknown {
    return dumpJson(this.#header);
  }

  async #write(header: Luks1Header, change: HeaderChange): Promise<void> {
    await assertCurrent(this.#disk, this.#header);
    await writeHeader(this.#disk, this.#header, header, change);
    this.#header = header;
  }

  #withSlot(index: number, slot: KeySlot): Luks1Header {
    return { ...this.#header, slots: this.#header.slots.with(index, slot) };
  }

  #firstFree(): number | null {
    const index = this.#header.slots.findIndex(isFree);
    return index < 0 ? null : index;
  }

  #slot(index: number): KeySlot {
    const slot = Number.isInteger(index) ? this.#header.slots[index] : undefined;
    if (slot) return slot;
    throw new DmError(
      'EINVAL',
      `Key slot ${index} is invalid, please select keyslot between 0 and ${SLOT_COUNT - 1}.`,
    );
  }

  #active(index: number): KeySlot {
    const slot = this.#slot(index);
    if (isActive(slot)) return slot;
    throw new DmError('ENOENT', `Keyslot ${index} is not active.`);
  }
}

/** Of a new key slot, measured unless they are forced. */
export async function chooseIterations(
  { hash, keyBytes }: Pick<Luks1Header, 'hash' | 'keyBytes'>,
  request: PbkdfRequest = {},
): Promise<number> {
  if (request.name !== undefined && request.name !== 'pbkdf2') {
    throw new DmError('EINVAL', 'Requested PBKDF type is not supported for LUKS1.');
  }
  const { iterations } = await benchmarkPbkdf({ ...request, name: 'pbkdf2', hash }, keyBytes);
  return iterations;
}
