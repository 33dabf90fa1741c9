/**
 * One row of a crypt table.
 *
 * Invariants
 * - What goes to the device below is ciphertext, in memory of ours: the sender's data are never changed, nor sent.
 * - A read is decrypted where it lies once all of it has come, and only if it came.
 * - What the device below says of holes and zeroes is about ciphertext and goes no further.
 * - Every copy of the key is this target's own and overwritten by `close` or `key wipe`.
 */

import { DmError, Errno } from '../../base/errors.ts';
import { bytesToSectors } from '../../base/units.ts';
import { type Bio, BioFlag, NO_DATA, Op } from '../../core/bio.ts';
import type { BlockDevice, DeviceRange } from '../../core/device.ts';
import type { Limits } from '../../core/limits.ts';
import { FIRST_SECRET_WORD, type SecretText } from '../../core/line-secrets.ts';
import type { MapResult, Target, TargetContext } from '../../core/target.ts';
import type { Secret } from '../../crypto/secret.ts';
import type { SectorCipher } from '../../crypto/sector-cipher.ts';
import { BOUNCE_BYTES, BouncePool } from './bounce-pool.ts';
import { type CryptKey, keySize, keyWord, readKey, releaseKey, zeroKey } from './key.ts';
import { keyParts } from './key-parts.ts';
import type { CryptLine, CryptPlace } from './line.ts';
import { measureOptions, printOptions } from './options.ts';
import { ZeroFill } from './zero-fill.ts';

/** How much is decrypted at once: the main thread does nothing else meanwhile. */
const MAX_READ_SECTORS = 2048;

/** Makes the cipher of a line for a key. Throws DmError in the kernel's words. */
export type CipherFactory = (line: CryptLine, key: Uint8Array) => SectorCipher;

export interface CryptParts {
  line: CryptLine;
  place: CryptPlace;
  key: CryptKey;
  cipher: SectorCipher;
  /** For another key. */
  factory: CipherFactory;
}

export class CryptTarget implements Target {
  readonly maxReadSectors = MAX_READ_SECTORS;
  readonly maxWriteSectors = bytesToSectors(BOUNCE_BYTES);
  /** Discards come whole. */
  readonly rangeBioCount = 1;
  readonly #line: CryptLine;
  readonly #context: TargetContext;
  readonly #factory: CipherFactory;
  readonly #device: BlockDevice;
  readonly #start: number;
  readonly #offset: number;
  /** Bits that the sectors where a bio begins and ends must not have. */
  readonly #unitMask: number;
  readonly #pool: BouncePool;
  #key: CryptKey;
  /** null: there is no key. */
  #cipher: SectorCipher | null;
  #isSuspended = false;

  constructor({ line, place, key, cipher, factory }: CryptParts, context: TargetContext) {
    this.#line = line;
    this.#context = context;
    this.#factory = factory;
    this.#device = place.device;
    this.#start = context.start;
    this.#offset = place.offsetSectors;
    this.#unitMask = bytesToSectors(line.options.sectorBytes) - 1;
    this.#key = key;
    this.#cipher = cipher;
    this.#pool = new BouncePool(context.memory);
  }

  map(bio: Bio): MapResult {
    switch (bio.op) {
      case Op.read:
        return this.#mapRead(bio);
      case Op.write:
        return this.#mapWrite(bio);
      case Op.discard:
        return this.#mapDiscard(bio);
      case Op.writeZeroes:
        return this.#writeZeroes(bio);
      default:
        // A hole below is ciphertext of something.
        bio.extents?.add(0, bio.sectorCount, 0);
        bio.end(0);
        return 'submitted';
    }
  }

  #isWhole(bio: Bio): boolean {
    // Bit operations keep the low 32 bits of any sector, and no mask has others.
    return ((bio.sector | bio.sectorCount) & this.#unitMask) === 0;
  }

  #remap(bio: Bio): void {
    bio.device = this.#device;
    bio.sector += this.#offset - this.#start;
  }

  #mapRead(bio: Bio): MapResult {
    const isPrefetch = (bio.flags & BioFlag.prefetch) !== 0;
    // Who has no memory to read into wants to know where the data lie. They lie nowhere.
    if (!isPrefetch && (bio.data === NO_DATA || !this.#isWhole(bio))) return 'kill';
    this.#remap(bio);
    return 'remapped';
  }

  #mapWrite(bio: Bio): MapResult {
    if (!this.#isWhole(bio)) return 'kill';
    const bounce = this.#pool.take();
    if (bounce === null) {
      this.#pool.wait({ start: (memory) => this.#startWaiting(bio, memory) });
      return 'submitted';
    }
    this.#encrypt(bio, bounce);
    return 'remapped';
  }

  #startWaiting(bio: Bio, bounce: Uint8Array): void {
    this.#encrypt(bio, bounce);
    bio.device!.submit(bio);
  }

  #encrypt(bio: Bio, bounce: Uint8Array): void {
    const { data, dataOffset, lengthBytes } = bio;
    this.encrypt(data, dataOffset, bounce, lengthBytes, bio.sector);
    bio.data = bounce;
    bio.dataOffset = 0;
    this.#remap(bio);
  }

  /** `sector` is the mapped device's. */
  encrypt(
    source: Uint8Array,
    sourceOffset: number,
    bounce: Uint8Array,
    lengthBytes: number,
    sector: number,
  ): void {
    const at = sector - this.#start;
    this.#cipher!.encrypt(source, sourceOffset, bounce, 0, lengthBytes, at);
  }

  end(bio: Bio): void {
    if (bio.op === Op.write) {
      this.#pool.giveBack(bio.data);
    } else if (bio.op === Op.read && bio.error === 0 && bio.data !== NO_DATA) {
      const { data, dataOffset, lengthBytes } = bio;
      const at = bio.sector - this.#offset;
      this.#cipher!.decrypt(data, dataOffset, data, dataOffset, lengthBytes, at);
    }
  }

  #mapDiscard(bio: Bio): MapResult {
    if (this.#line.options.allowDiscards) {
      this.#remap(bio);
      return 'remapped';
    }
    bio.endedBy = null;
    bio.end(Errno.ENOTSUP);
    return 'submitted';
  }

  /** Zeroes are plain text: what is written for them is their ciphertext, so there is no fast way. */
  #writeZeroes(bio: Bio): MapResult {
    if (!this.#isWhole(bio)) return 'kill';
    bio.endedBy = null;
    if ((bio.flags & BioFlag.fastZero) !== 0) {
      bio.end(Errno.ENOTSUP);
      return 'submitted';
    }
    const offset = this.#offset - this.#start;
    new ZeroFill(bio, { pool: this.#pool, target: this, device: this.#device, offset }).run();
    return 'submitted';
  }

  get secrets(): readonly Secret[] {
    return this.#key.reference === null ? [this.#key.secret] : [];
  }

  table(): string {
    return this.#text(keyWord(this.#key));
  }

  replica(): SecretText {
    const isEmpty = this.#key.secret.lengthBytes === 0;
    const text = this.#text(isEmpty ? '-' : FIRST_SECRET_WORD);
    return { text, secrets: isEmpty ? [] : [this.#key.secret] };
  }

  #text(key: string): string {
    const { spec, ivOffset, options } = this.#line;
    const place = `${this.#device.operand} ${this.#offset}`;
    return `${spec.text} ${key} ${ivOffset} ${place}${printOptions(options)}`;
  }

  measure(): string {
    const { spec, keyBytes, options } = this.#line;
    const { partCount, extraBytes } = keyParts(spec, keyBytes);
    return [
      measureOptions(options),
      `cipher_string=${spec.text}`,
      `key_size=${keyBytes}`,
      `key_parts=${partCount}`,
      `key_extra_size=${extraBytes}`,
      `key_mac_size=${options.integrityKeyBytes ?? 0}`,
    ].join(',');
  }

  devices(): DeviceRange[] {
    const { length } = this.#context;
    return [{ device: this.#device, startSectors: this.#offset, lengthSectors: length }];
  }

  limits(stacked: Limits): Limits {
    const { sectorBytes, allowDiscards } = this.#line.options;
    const physicalBlockBytes = Math.max(stacked.physicalBlockBytes, sectorBytes);
    return {
      ...stacked,
      logicalBlockBytes: Math.max(stacked.logicalBlockBytes, sectorBytes),
      physicalBlockBytes,
      ioMinBytes: Math.max(stacked.ioMinBytes, sectorBytes),
      discardGranularityBytes:
        allowDiscards && stacked.discardGranularityBytes > 0
          ? Math.max(stacked.discardGranularityBytes, physicalBlockBytes)
          : 0,
    };
  }

  message(argv: readonly string[], secrets: readonly Secret[]): undefined {
    const [name, action, word] = argv.map((each, index) => (index < 2 ? each.toLowerCase() : each));
    if (name !== 'key' || argv.length < 2) throw unknownMessage();
    if (!this.#isSuspended) {
      throw new DmError(
        'EINVAL',
        'not suspended during key manipulation: suspend the device first',
      );
    }
    if (action === 'set' && argv.length === 3) this.#setKey(word!, secrets);
    else if (action === 'wipe' && argv.length === 2) this.#wipeKey();
    else throw unknownMessage();
  }

  #setKey(word: string, secrets: readonly Secret[]): void {
    const source = { secrets, keyring: this.#context.keyring };
    const size = keySize(word, source);
    const { keyBytes } = this.#line;
    if (size !== keyBytes) {
      throw new DmError('EINVAL', `The key's size must stay ${keyBytes} bytes, got ${size}`);
    }
    const isReference = word.startsWith(':') && secrets.length === 0;
    // In the kernel a reference that leads nowhere leaves the old key, digits that are none do not.
    if (!isReference) this.#dropCipher();
    const key = readKey(word, size, source);
    this.#dropCipher();
    releaseKey(this.#key);
    this.#key = key;
    this.#cipher = this.#factory(this.#line, key.secret.bytes);
  }

  #wipeKey(): void {
    this.#dropCipher();
    releaseKey(this.#key);
    this.#key = zeroKey(this.#line.keyBytes);
  }

  #dropCipher(): void {
    this.#cipher?.close();
    this.#cipher = null;
  }

  postsuspend(): void {
    this.#isSuspended = true;
  }

  preresume(): void {
    if (this.#cipher !== null) return;
    throw new DmError('EAGAIN', 'aborting resume - crypt key is not set: send the message key set');
  }

  resume(): void {
    this.#isSuspended = false;
  }

  close(): void {
    this.#dropCipher();
    releaseKey(this.#key);
    this.#pool.close();
  }
}

function unknownMessage(): DmError {
  return new DmError('EINVAL', 'unrecognised message received: expected key set KEY or key wipe');
}
