/** What a mapped device may be called: the kernel's rules for names and uuids (check_name in drivers/md/dm-ioctl.c). */

import { DmError } from '../base/errors.ts';

/** DM_NAME_LEN and DM_UUID_LEN count the final NUL. */
const NAME_BYTES = 128;
const UUID_BYTES = 129;

/** `/` and NUL cannot be in a name, nor can it be longer than DM_NAME_LEN allows. */
export function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) throw new DmError('EINVAL', `Name "${name}" invalid: ${problem}`);
}

function nameProblem(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name.includes('/')) return 'it contains "/"';
  if (name.includes('\0')) return 'it contains a NUL';
  if (name === '.' || name === '..' || name === 'control') return 'the name is reserved';
  const lengthBytes = Buffer.byteLength(name);
  if (lengthBytes < NAME_BYTES) return null;
  return `it has ${lengthBytes} bytes, expected at most ${NAME_BYTES - 1}`;
}

export function checkUuid(uuid: string): void {
  if (Buffer.byteLength(uuid) < UUID_BYTES && !uuid.includes('\0')) return;
  throw new DmError(
    'EINVAL',
    `UUID "${uuid}" invalid: expected at most ${UUID_BYTES - 1} bytes without a NUL`,
  );
}

/** Orders names as strcmp orders their UTF-8 bytes; `<` orders by UTF-16 units, where surrogates come before U+E000. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const FIRST_SURROGATE = 0xd800;
const BEHIND_SURROGATES = 0xe000;
const SURROGATE_COUNT = BEHIND_SURROGATES - FIRST_SURROGATE;
const UNIT_COUNT = 0x10000;

/** Puts surrogates (code points from U+10000) behind all other units. */
function rank(unit: number): number {
  if (unit < FIRST_SURROGATE) return unit;
  if (unit < BEHIND_SURROGATES) return unit + UNIT_COUNT - BEHIND_SURROGATES;
  return unit - SURROGATE_COUNT;
}
