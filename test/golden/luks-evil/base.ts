/** The good headers that the malformed ones are made of, and how to change one and still have the right checksum. */

import { createHash } from 'node:crypto';
import { Secret } from '../../../src/crypto/secret.ts';
import { formatLuks } from '../../../src/formats/luks/index.ts';
import { MemoryByteDisk } from '../../../src/testing/memory-disk.ts';

export const PASSPHRASE = 'evil';
export const COPY_BYTES = 16 * 1024;
const JSON_AT = 4096;
const CHECKSUM_AT = 448;
const CHECKSUM_BYTES = 64;

// biome-ignore lint/suspicious/noExplicitAny: headers are changed in every wrong way
export type Json = any;

export const passphrase = (): Secret => Secret.from(new TextEncoder().encode(PASSPHRASE));

/** A LUKS1 volume of 2 MiB with slots 0 and 3 in use. */
export async function makeLuks1(): Promise<Uint8Array> {
  return make(1, { hash: 'sha1', cipher: 'aes-cbc-plain', keyBytes: 16 }, 3);
}

/** A LUKS2 volume of 2 MiB with slots 0 and 1 in use. */
export async function makeLuks2(): Promise<Uint8Array> {
  const places = { keyslotsBytes: 2 ** 20 - 2 * COPY_BYTES, dataOffsetBytes: 2 ** 20 };
  return make(2, { cipher: 'aes-xts-plain64', keyBytes: 32, sectorBytes: 512, ...places }, 1);
}

async function make(version: 1 | 2, request: object, slot: number): Promise<Uint8Array> {
  const disk = new MemoryByteDisk(2 ** 21);
  const pbkdf = { name: 'pbkdf2', forceIterations: 1000 } as const;
  const key = { passphrase: passphrase(), pbkdf };
  const volume = await formatLuks(disk, version, { ...request, key });
  const { volumeKey } = await volume.unlock(passphrase());
  await volume.addKey(volumeKey, { ...key, slot });
  return disk.bytes;
}

export type Which = 'primary' | 'secondary' | 'both';

/** Where the copies begin. */
function places(which: Which): number[] {
  if (which === 'both') return [0, COPY_BYTES];
  return [which === 'primary' ? 0 : COPY_BYTES];
}

/** Computes the checksums again. `sizeBytes`: what the header says it has. */
export function sign(image: Uint8Array, which: Which = 'both', sizeBytes = COPY_BYTES): void {
  for (const at of places(which)) {
    image.fill(0, at + CHECKSUM_AT, at + CHECKSUM_AT + CHECKSUM_BYTES);
    const hash = createHash('sha256').update(image.subarray(at, at + sizeBytes));
    image.set(hash.digest(), at + CHECKSUM_AT);
  }
}

export function jsonText(image: Uint8Array): string {
  const area = image.subarray(JSON_AT, COPY_BYTES);
  return new TextDecoder().decode(area.subarray(0, area.indexOf(0)));
}

export function setText(image: Uint8Array, text: string | Uint8Array, which: Which = 'both'): void {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (const at of places(which)) {
    image.fill(0, at + JSON_AT, at + COPY_BYTES);
    image.set(bytes.subarray(0, COPY_BYTES - JSON_AT), at + JSON_AT);
  }
  sign(image, which);
}

/** Both copies say what `change` makes of the metadata. */
export function editJson(image: Uint8Array, change: (root: Json) => void, which?: Which): void {
  const root: Json = JSON.parse(jsonText(image));
  change(root);
  setText(image, JSON.stringify(root), which);
}

/** Changes bytes of copies; `view` begins where the copy does. The checksums are right afterwards. */
export function editBinary(
  image: Uint8Array,
  change: (view: DataView) => void,
  which: Which = 'both',
): void {
  for (const at of places(which)) change(new DataView(image.buffer, at, COPY_BYTES));
  sign(image, which);
}
