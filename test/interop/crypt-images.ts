/** Encrypted images made by cryptsetup, with a derivation that takes no time, and tables that open them without their header. */

import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from './serve-process.ts';

export interface CryptImage {
  path: string;
  keyFile: string;
  volumeKeyHex: string;
  payloadSector: number;
  payloadSectors: number;
}

/** cryptsetup's default for LUKS1 is as large. */
const HEADER_SECTORS = 4096;

/** A LUKS1 image; its payload decrypts to noise. */
export async function makeLuks1(folder: string, payloadSectors: number): Promise<CryptImage> {
  const path = join(folder, 'luks1.img');
  const keyFile = join(folder, 'passphrase');
  writeFileSync(keyFile, 'a passphrase');
  writeFileSync(path, randomFillSync(new Uint8Array((HEADER_SECTORS + payloadSectors) * 512)));
  const unlock = ['--batch-mode', '--key-file', keyFile];
  await succeed(
    'cryptsetup',
    ...['luksFormat', '--type', 'luks1', ...unlock, '--pbkdf-force-iterations', '1000'],
    ...['--cipher', 'aes-xts-plain64', '--key-size', '512', '--offset', String(HEADER_SECTORS)],
    path,
  );
  const dump = await succeed('cryptsetup', 'luksDump', '--dump-volume-key', ...unlock, path);
  const [, hex = ''] = /^MK dump:\s*([0-9a-f\s]+)/im.exec(dump) ?? [];
  const volumeKeyHex = hex.replaceAll(/\s/g, '');
  return { path, keyFile, volumeKeyHex, payloadSector: HEADER_SECTORS, payloadSectors };
}

export function cryptTable(image: CryptImage, options = ''): string {
  const { path, volumeKeyHex, payloadSector, payloadSectors } = image;
  return `0 ${payloadSectors} crypt aes-xts-plain64 ${volumeKeyHex} 0 ${path} ${payloadSector}${options}`;
}

/** For qemu's programs: the image opened by qemu itself. */
export function qemuLuks({ path, keyFile }: CryptImage): string[] {
  return [
    ...['--object', `secret,id=key,file=${keyFile}`],
    ...['--image-opts', `driver=luks,file.filename=${path},key-secret=key`],
  ];
}
