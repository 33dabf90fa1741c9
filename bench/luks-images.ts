/** Encrypted images that every server can open: made by cryptsetup, with a derivation that takes no time, filled with random bytes. */

import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { run } from './tools.ts';

export interface LuksImages {
  passphraseFile: string;
  luks1: string;
  /** The same bytes for each peer: some take an image for themselves. */
  luks1Copies: { nbdkit: string; qemu: string };
  luks2: string;
  /** LUKS2 in sectors of 4096 bytes. */
  luks2Large: string;
}

/** Of LUKS2's default header; LUKS1's is smaller, and aligned to 1 MiB. */
const HEADER_BYTES = 16 * 2 ** 20;
const PIECE_BYTES = 4 * 2 ** 20;
const PASSPHRASE = 'bench';

export async function createLuksImages(folder: string, payloadBytes: number): Promise<LuksImages> {
  const passphraseFile = join(folder, 'passphrase');
  writeFileSync(passphraseFile, PASSPHRASE);
  const make = async (name: string, words: readonly string[]) => {
    const path = join(folder, `${name}.img`);
    fillRandomly(path, HEADER_BYTES + payloadBytes);
    await run('cryptsetup', [
      ...['luksFormat', '--batch-mode', '--key-file', passphraseFile],
      ...['--cipher', 'aes-xts-plain64', '--key-size', '512'],
      ...['--pbkdf-force-iterations', '1000', '--offset', String(HEADER_BYTES / SECTOR_BYTES)],
      ...words,
      path,
    ]);
    return path;
  };
  const luks2 = ['--type', 'luks2', '--pbkdf', 'pbkdf2'];
  const luks1 = await make('luks1', ['--type', 'luks1']);
  const copyFor = (peer: string) => {
    const path = join(folder, `luks1-${peer}.img`);
    copyFileSync(luks1, path);
    return path;
  };
  return {
    passphraseFile,
    luks1,
    luks1Copies: { nbdkit: copyFor('nbdkit'), qemu: copyFor('qemu') },
    luks2: await make('luks2', [...luks2, '--sector-size', '512']),
    luks2Large: await make('luks2-4096', [...luks2, '--sector-size', '4096']),
  };
}

function fillRandomly(path: string, lengthBytes: number): void {
  const fd = openSync(path, 'w');
  const piece = randomFillSync(new Uint8Array(PIECE_BYTES));
  ftruncateSync(fd, lengthBytes);
  for (let at = 0; at < lengthBytes; at += PIECE_BYTES) writeSync(fd, piece, 0, piece.length, at);
  ftruncateSync(fd, lengthBytes);
  closeSync(fd);
}
