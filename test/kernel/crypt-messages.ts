/** Messages to a crypt device, and what they do to its table, its data and its life; the steps of crypt-lines.c. */

/** `{64}`: the hex of bytes that differ everywhere, so that a half of a key is not the other. */
export function keyHex(lengthBytes: number): string {
  const bytes = Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 37 + 11) & 0xff);
  return Buffer.from(bytes).toString('hex');
}

/** The text with its `{64}` written out. */
export function withKeys(text: string): string {
  return text.replace(/\{(\d+)\}/g, (_, bytes: string) => keyHex(Number(bytes)));
}

const aes = `aes-xts-plain64 ${keyHex(64)} 0 /dev/A 0`;
const other = keyHex(64).replaceAll('0', 'F');
const start = [`load 0 128 crypt ${aes}`, 'resume'];
const byName = [`load 0 128 crypt aes-xts-plain64 :64:logon:key:64 0 /dev/A 0`, 'resume'];

export const messageScripts: readonly (readonly string[])[] = [
  [
    ...start,
    'hash 65536',
    'message key wipe',
    'message key set 00',
    'suspend',
    'message key',
    'message nosuch',
    'message nosuch x',
  ],
  [
    ...start,
    'suspend',
    'message key wipe',
    'table',
    'measure',
    'resume',
    'table',
    `message key set ${keyHex(64)}`,
    'resume',
    'table',
    'hash 65536',
  ],
  [
    ...start,
    'suspend',
    `message key set ${other}`,
    'table',
    'resume',
    'hash 65536',
    'message key wipe',
  ],
  [
    ...start,
    'suspend',
    `message KEY SET ${other}`,
    'table',
    `message key set ${keyHex(32)}`,
    `message key set ${keyHex(63)}`,
    'message key set',
    'message key set -',
  ],
  [
    ...start,
    'suspend',
    'message key set :64:logon:key:64',
    'table',
    'message key set :64:logon:not:there',
    'message key set :32:logon:key:64',
    'message key set :64:nosuch:x',
    'message key set :64',
    'resume',
    'table',
    'hash 65536',
  ],
  [...start, 'suspend', `message key set ${'zz'.repeat(64)}`, 'table', 'resume', 'table'],
  [
    ...start,
    'suspend',
    `message key set ${keyHex(63)}zz`,
    'table',
    'resume',
    `message key set ${keyHex(64)} x`,
    'message key wipe x',
    'message key nosuch',
  ],
  [
    ...byName,
    'hash 65536',
    'suspend',
    'table',
    'message key wipe',
    'table',
    'resume',
    'message key set :64:logon:key:64',
    'resume',
    'table',
    'hash 65536',
  ],
  [...byName, 'suspend', 'message key set :64:logon:key:other', 'table', 'resume', 'hash 65536'],
  [
    ...start,
    'suspend',
    'message key wipe',
    'message key wipe',
    `load 0 128 crypt ${aes}`,
    'resume',
    'table',
    'hash 65536',
  ],
  [...start, 'suspend', 'message key wipe', `load 0 64 crypt ${aes}`, 'clear', 'resume'],
  [
    'load 0 128 crypt aes-cbc-essiv:sha256 {32} 0 /dev/A 0',
    'resume',
    'hash 65536',
    'suspend',
    'message key wipe',
    'resume',
    'message key set {32}',
    'resume',
    'hash 65536',
  ].map(withKeys),
  [
    'load 0 128 crypt aes-cbc-tcw {64} 0 /dev/A 0',
    'resume',
    'hash 65536',
    'suspend',
    'message key wipe',
    'resume',
    'message key set {64}',
    'resume',
    'hash 65536',
  ].map(withKeys),
  [
    'load 0 128 crypt aes:64-cbc-lmk {1040} 0 /dev/A 0',
    'resume',
    'hash 65536',
    'suspend',
    'message key wipe',
    'resume',
    'message key set {1040}',
    'resume',
    'hash 65536',
  ].map(withKeys),
];
