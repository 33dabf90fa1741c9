/** An open LUKS2 header with everything that can be done to it. Opening never writes. */

import { DmError } from '../../base/errors.ts';
import type { ByteDisk } from '../../core/byte-disk.ts';
import type { Secret } from '../../crypto/secret.ts';
import type {
  AddKeyRequest,
  Luks2Volume,
  MappedSegment,
  SlotInfo,
  SlotPriority,
  Unlocked,
} from '../luks/types.ts';
import { parseUuid } from '../luks/uuid.ts';
import { dumpJson } from './dump-json.ts';
import { dumpText } from './dump-text.ts';
import type { Luks2Header } from './header.ts';
import { HeaderStore } from './header-store.ts';
import { pbkdfOf } from './kdf.ts';
import { defaultCryptSegment, isUnboundSlot, mapSegments, regularSegments } from './mapping.ts';
import { isPassphraseSlot, type Luks2Metadata, printMetadataPretty } from './metadata.ts';
import { readHeader } from './read-header.ts';
import { readState, requirementVersion, volumeBytes } from './reencrypt/state.ts';
import { demandRequirements, isKnownReencrypt, requirementsOf } from './requirements.ts';
import { findSlot, priorityOf, setPriority } from './slot-edit.ts';
import { addKey, addUnboundKey, changeKey, killSlots, volumeKeyBytes } from './slots.ts';
import { type ImportOptions, importToken, removeToken, tokenText } from './tokens.ts';
import { type Luks2UnlockOptions, unlock, unlockWithKey } from './unlock.ts';

/** Persistent activation flags, in the order they are stored in. */
const FLAGS = [
  'allow-discards',
  'same-cpu-crypt',
  'submit-from-crypt-cpus',
  'no-journal',
  'no-read-workqueue',
  'no-write-workqueue',
] as const;

/** Reads and checks the header. Throws FormatError when it is not right, DmError. */
export async function openLuks2(disk: ByteDisk): Promise<Luks2OnDisk> {
  return new Luks2OnDisk(disk, await readHeader(disk));
}

export class Luks2OnDisk implements Luks2Volume {
  readonly version = 2;
  readonly #store: HeaderStore;

  constructor(disk: ByteDisk, header: Luks2Header) {
    this.#store = new HeaderStore(disk, header);
  }

  /** As it is on the disk. */
  get header(): Luks2Header {
    return this.#store.header;
  }

  get #metadata(): Luks2Metadata {
    return this.#store.metadata;
  }

  get uuid(): string {
    return this.header.uuid;
  }

  get label(): string {
    return this.header.label;
  }

  get subsystem(): string {
    return this.header.subsystem;
  }

  /** '' when nothing is encrypted, as at the end of a decryption. */
  get cipher(): string {
    return defaultCryptSegment(this.#metadata)?.encryption ?? '';
  }

  get sectorBytes(): number {
    return defaultCryptSegment(this.#metadata)?.sector_size ?? 512;
  }

  /** 0 when no slot is left to say it. */
  get keyBytes(): number {
    return volumeKeyBytes(this.#metadata);
  }

  get dataOffsetBytes(): number {
    const offsets = regularSegments(this.#metadata).map(([, { offset }]) => Number(offset));
    return Math.min(...offsets);
  }

  get flags(): readonly string[] {
    return this.#metadata.config.flags ?? [];
  }

  get requirements(): readonly string[] {
    return requirementsOf(this.#metadata);
  }

  slots(): SlotInfo[] {
    return [...this.#metadata.keyslots]
      .sort(([one], [other]) => one - other)
      .map(([slot, keyslot]) => ({
        slot,
        type: keyslot.type,
        keyBytes: keyslot.key_size,
        pbkdf: isPassphraseSlot(keyslot) ? pbkdfOf(keyslot.kdf) : null,
        priority: priorityOf(keyslot),
        unbound: isUnboundSlot(this.#metadata, slot),
      }));
  }

  unlock(passphrase: Secret, options: Luks2UnlockOptions = {}): Promise<Unlocked> {
    return unlock(this.#store.disk, this.#metadata, passphrase, options);
  }

  unlockWithVolumeKey(key: Secret): Promise<Unlocked> {
    return unlockWithKey(this.#metadata, key);
  }

  segments(dataSizeBytes: number): MappedSegment[] {
    const { name } = this.#store.disk;
    demandRequirements(this.#metadata, `open ${name}`, isKnownReencrypt);
    // What moves leaves room behind the volume, where nothing would stay that is written.
    const isMoving = requirementVersion(this.#metadata) !== null;
    const volumeSizeBytes = isMoving ? volumeBytes(readState(this.#metadata), dataSizeBytes) : null;
    return mapSegments(this.#metadata, { dataSizeBytes, volumeSizeBytes }, name);
  }

  addKey(volumeKey: Secret, request: AddKeyRequest): Promise<number> {
    return this.#change('add a key slot to', () => addKey(this.#store, volumeKey, request));
  }

  addUnboundKey(key: Secret, request: AddKeyRequest): Promise<number> {
    return this.#change('add a key slot to', () => addUnboundKey(this.#store, key, request));
  }

  changeKey(key: Secret, oldSlot: number, request: AddKeyRequest): Promise<number> {
    return this.#change('change a key slot of', () =>
      changeKey(this.#store, key, oldSlot, request),
    );
  }

  /** Allowed whatever the volume requires, as with cryptsetup: getting rid of a key must always work. */
  killSlot(slot: number): Promise<void> {
    return this.#store.exclusively('remove a key slot of', () => killSlots(this.#store, [slot]));
  }

  /** The slots of the volume's keys; unbound ones and a re-encryption's stay. */
  erase(): Promise<void> {
    return this.#store.exclusively('erase key slots of', async () => {
      const slots = this.slots().filter(({ type, unbound }) => type === 'luks2' && !unbound);
      await killSlots(
        this.#store,
        slots.map(({ slot }) => slot),
      );
    });
  }

  async setUuid(uuid: string): Promise<void> {
    const names = { uuid: parseUuid(uuid) };
    await this.#change('change the UUID of', () => this.#store.commit(this.#store.draft(), names));
  }

  setLabels({ label, subsystem }: { label?: string; subsystem?: string }): Promise<void> {
    return this.#change('label', () =>
      this.#store.commit(this.#store.draft(), {
        label: label ?? this.label,
        subsystem: subsystem ?? this.subsystem,
      }),
    );
  }

  setPriority(slot: number, priority: SlotPriority): Promise<void> {
    return this.#edit('change a key slot of', (metadata) =>
      setPriority(findSlot(metadata, slot), priority),
    );
  }

  async setFlags(flags: readonly string[]): Promise<void> {
    const unknown = flags.find((flag) => !(FLAGS as readonly string[]).includes(flag));
    if (unknown !== undefined) {
      throw new DmError(
        'EINVAL',
        `Cannot set the flag "${unknown}": expected one of ${FLAGS.join(', ')}`,
      );
    }
    await this.#edit('set flags of', (metadata) => {
      metadata.config.flags = FLAGS.filter((flag) => flags.includes(flag));
    });
  }

  tokenText(token: number): string {
    return tokenText(this.#metadata, token);
  }

  importToken(text: string, options: ImportOptions = {}): Promise<number> {
    return this.#edit('import a token into', (metadata) => importToken(metadata, text, options));
  }

  removeToken(token: number): Promise<void> {
    return this.#edit('remove a token of', (metadata) => removeToken(metadata, token));
  }

  dumpText(): string {
    return dumpText(this.header);
  }

  metadataText(): string {
    return printMetadataPretty(this.#metadata);
  }

  dumpJson(): unknown {
    return dumpJson(this.header);
  }

  /** A change that every requirement of the volume allows. */
  #change<T>(what: string, action: () => Promise<T>): Promise<T> {
    return this.#store.exclusively(what, () => {
      this.#store.demand(what);
      return action();
    });
  }

  /** A change of the metadata alone. */
  #edit<T>(what: string, change: (metadata: Luks2Metadata) => T): Promise<T> {
    return this.#change(what, async () => {
      const draft = this.#store.draft();
      const result = change(draft);
      await this.#store.commit(draft);
      return result;
    });
  }
}
