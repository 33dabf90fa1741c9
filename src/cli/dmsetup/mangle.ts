/**
 * Names and uuids for udev: every byte but 0-9A-Za-z#+-.:=@_ is written `\xNN` on the way to the device mapper, and read back on the way out.
 * `auto` leaves alone what is written so already, `hex` writes everything anew, `none` changes nothing.
 */

import { commandFailed } from './failure.ts';
import type { DmsetupOptions } from './options.ts';

export type ManglingMode = 'auto' | 'hex' | 'none';
type Kind = 'name' | 'UUID';

const ALLOWED = /^[0-9A-Za-z#+\-.:=@_]$/;
/** Read as mangled, however wrong the two characters behind are. */
const MANGLED = /^\\x../s;
const MANGLED_TWICE = /\\x5cx[0-9a-f]{2}/i;
/** DM_NAME_LEN and DM_UUID_LEN without the final NUL. */
const MOST_BYTES: Record<Kind, number> = { name: 127, UUID: 128 };

/** `--manglename`, else what the environment says, else `auto`. */
export function manglingMode(
  options: DmsetupOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ManglingMode {
  const mode = options.manglename ?? environment['DM_DEFAULT_NAME_MANGLING_MODE'] ?? 'auto';
  return mode === 'hex' || mode === 'none' ? mode : 'auto';
}

/** The name as the device mapper has it. Throws where `auto` cannot tell whether it is mangled already. */
export function mangle(text: string, kind: Kind, mode: ManglingMode): string {
  if (mode === 'none') return text;
  const { isMangled, needsMangling } = inspect(text);
  if (mode === 'auto' && MANGLED_TWICE.test(text)) {
    throw commandFailed([
      `The ${kind} "${text}" seems to be mangled more than once. This is not allowed in auto mode.`,
    ]);
  }
  if (mode === 'auto' && isMangled && needsMangling) {
    throw cannotMangle(
      `The ${kind} "${text}" contains mixed mangled and unmangled characters or it's already mangled improperly.`,
      kind,
      text,
    );
  }
  const mangled = mode === 'auto' && isMangled ? text : encode(text);
  if (Buffer.byteLength(mangled) > MOST_BYTES[kind]) {
    throw cannotMangle(`Mangled form of the ${kind} too long for "${text}".`, kind, text);
  }
  return mangled;
}

function cannotMangle(why: string, kind: Kind, text: string): Error {
  return commandFailed([why, `Failed to mangle device ${kind.toLowerCase()} "${text}".`]);
}

/** `needsMangling`: it has bytes that may not stay, a `\x` at the very end among them. */
function inspect(text: string): { isMangled: boolean; needsMangling: boolean } {
  let isMangled = false;
  let needsMangling = false;
  for (let i = 0; i < text.length; i += 1) {
    if (MANGLED.test(text.slice(i, i + 4))) {
      isMangled = true;
      i += 3;
    } else if (!ALLOWED.test(text[i]!)) {
      needsMangling = true;
      if (text.startsWith('\\x', i)) isMangled = true;
    }
  }
  return { isMangled, needsMangling };
}

function encode(text: string): string {
  let mangled = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    mangled += ALLOWED.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return mangled;
}

/** What is shown for a name of the device mapper. Throws for one that whoever made it did not mangle. */
export function unmangle(text: string, kind: Kind, mode: ManglingMode): string {
  if (mode === 'none' || isPlain(text)) return text;
  if (mode === 'auto' && MANGLED_TWICE.test(text)) {
    throw commandFailed([
      `The ${kind} "${text}" seems to be mangled more than once. This is not allowed in auto mode.`,
    ]);
  }
  if (inspect(text).needsMangling) {
    throw commandFailed([
      `The ${kind} "${text}" should be mangled but it contains blacklisted characters.`,
    ]);
  }
  return decode(text);
}

/** Nearly every name, and the report of ten thousand devices asks for each. */
function isPlain(text: string): boolean {
  return /^[0-9A-Za-z#+\-.:=@_]*$/.test(text);
}

function decode(text: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const code = /^\\x([0-9a-fA-F]{2})/.exec(text.slice(i, i + 4))?.[1];
    bytes.push(code === undefined ? text.charCodeAt(i) : Number(`0x${code}`));
    if (code !== undefined) i += 3;
  }
  return Buffer.from(bytes).toString();
}

/** Whether a name would be mangled again by somebody who reads it: `\x5cx20`. */
export function isMangledTwice(text: string): boolean {
  return MANGLED_TWICE.test(text);
}

/** For lists of our own, which one odd name shall not keep from all others: as it is, where `unmangle` refuses it. */
export function shownName(name: string): string {
  const isShowable = isPlain(name) || !(MANGLED_TWICE.test(name) || inspect(name).needsMangling);
  return isShowable ? decode(name) : name;
}

/** Without what a terminal would obey. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}
