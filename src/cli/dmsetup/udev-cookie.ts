/** The number by which a program and udev's rules find each other: a magic half, and flags for the rules in the other half. */

import { commandFailed } from './failure.ts';

/** The upper 16 bits of a key that libdevmapper makes (man dmsetup, udevcookies). */
export const COOKIE_MAGIC = 0x0d4d;
const SUBSYSTEM_FLAGS_SHIFT = 8;
const FLAG_COUNT = 16;

/** By position, from the lowest bit of the upper half; libdevmapper.h has them. */
const FLAG_NAMES = [
  'DISABLE_DM_RULES',
  'DISABLE_SUBSYSTEM_RULES',
  'DISABLE_DISK_RULES',
  'DISABLE_OTHER_RULES',
  'LOW_PRIORITY',
  'DISABLE_LIBRARY_FALLBACK',
  'PRIMARY_SOURCE',
];

/** As strtoul reads it: decimal, or hexadecimal behind 0x, or octal behind 0; the whole word, and not 0. */
export function parseCookie(text: string): number {
  const cookie = Number(/^0[0-7]+$/.test(text) ? `0o${text}` : text);
  const wellFormed = /^(?:\d+|0x[0-9a-f]+)$/i.test(text) && cookie > 0 && cookie <= 0xffff_ffff;
  if (!wellFormed) throw commandFailed(['Incorrect cookie value.']);
  return cookie;
}

/** A line for each flag that is set, as udev's rules read them. */
export function flagLines(cookie: number): string[] {
  const flags = cookie >>> 16;
  const lines: string[] = [];
  for (let position = 0; position < FLAG_COUNT; position += 1) {
    if ((flags >> position) % 2 === 1) lines.push(`${flagVariable(position)}='1'`);
  }
  return lines;
}

function flagVariable(position: number): string {
  if (position >= SUBSYSTEM_FLAGS_SHIFT) {
    return `DM_SUBSYSTEM_UDEV_FLAG${position - SUBSYSTEM_FLAGS_SHIFT}`;
  }
  const name = FLAG_NAMES[position];
  return name === undefined ? `DM_UDEV_FLAG${position}` : `DM_UDEV_${name}_FLAG`;
}
