/**
 * Lines of the crypt target that the real kernel and this one must judge alike: same errno, same words, same table.
 *
 * Disks: /dev/A of 4096 sectors and /dev/K of 4096 sectors in blocks of 4096 bytes.
 */

import { cipherLines, optionLines, wholeLines } from './crypt-line-texts.ts';
import { messageScripts, withKeys } from './crypt-messages.ts';

/** One device `t` from `create` to `remove`; the steps of crypt-lines.c. */
export interface CryptCase {
  steps: readonly string[];
  /** Why the kernel and this one answer differently; without it they must not. */
  differs?: string;
}

const tail = '0 /dev/A 0';

const single = (line: string, start = 0, length = 128): CryptCase => ({
  steps: [
    `load ${start} ${length} crypt ${withKeys(line)}`,
    'resume',
    'table',
    'measure',
    'limits',
  ],
});

const generic = 'The kernel has several makes of a cipher and tells them apart; here there is one';
const nullChain = 'The kernel XORs a chain of unencrypted bytes; here cipher_null is for ecb only';
/** Cipher or option, and why it is answered differently. */
const different: ReadonlyMap<string, string> = new Map([
  ['capi:xts(aes-generic)-plain64', generic],
  ['capi:xts(ecb(aes))-plain64', generic],
  [
    'capi:xts(aes)',
    'Without an IV the kernel encrypts with whatever lies in its memory; here it is refused',
  ],
  [
    'aes:64-cbc-lmk {1039}',
    'Keys and seed of different lengths: nobody has such a key, here it is refused',
  ],
  ['cipher_null-cbc-plain', nullChain],
  ['cipher_null', nullChain],
  ['1 sector_size:69632', 'The kernel drops what does not fit into 16 bits; here it is refused'],
]);

function marked(word: string, each: CryptCase): CryptCase {
  const differs = different.get(word);
  return differs === undefined ? each : { ...each, differs };
}

export const cryptCases: readonly CryptCase[] = [
  ...cipherLines.map((line) => {
    const [cipher, key, ...rest] = line.split(' ');
    const name = different.has(line) ? line : cipher!;
    return marked(name, single([cipher, key, tail, ...rest].join(' ')));
  }),
  ...optionLines.map((line) => marked(line, single(`aes-xts-plain64 {64} ${tail} ${line}`))),
  ...wholeLines.map((line) => single(line)),
  single(`aes-xts-plain64 {64} ${tail} 1 sector_size:4096`, 0, 127),
  single(`aes-xts-plain64 {64} ${tail} 1 sector_size:1024`, 0, 127),
  single(`aes-xts-plain64 {64} ${tail}`, 0, 127),
  single('aes-xts-plain64 {64} 0 /dev/K 0'),
  single('aes-xts-plain64 {64} 0 /dev/K 4'),
  single('aes-xts-plain64 {64} 0 /dev/K 8 1 sector_size:512'),
  single('aes-xts-plain64 {64} 0 /dev/K 8 2 sector_size:2048 allow_discards'),
  single('aes-xts-plain64 {64} 3 /dev/K 0 1 sector_size:512'),
  single('aes-xts-plain64 {64} 0 /dev/K 0', 0, 127),
  ...messageScripts.map((steps) => ({ steps })),
];
