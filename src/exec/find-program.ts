/** Where execvp would find a program, and whether the preload library can reach it there. */

import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const HEAD_BYTES = 4096;
const ELF_MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const PT_INTERP = 3;
const SCRIPT_DEPTH_LIMIT = 4;

/** null: there is none. */
export function findProgram(name: string, searchPath: string): string | null {
  if (name.includes('/')) return isProgram(name) ? name : null;
  const paths = searchPath.split(delimiter).map((folder) => join(folder || '.', name));
  return paths.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Whatever keeps us from looking at it keeps execvp from running it.
    return false;
  }
}

/** Why a preload library has no effect on the program; null: it has, or nobody can tell. */
export function preloadObstacle(path: string, searchPath: string, depth = 0): string | null {
  const head = readHead(path);
  const script = /^#! *(\S+)(?: +(\S+))?/.exec(head.toString('latin1', 0, 256));
  if (script && depth < SCRIPT_DEPTH_LIMIT) {
    const isEnv = script[1]!.endsWith('/env') && script[2] !== undefined;
    const interpreter = isEnv ? findProgram(script[2]!, searchPath) : script[1]!;
    return interpreter ? preloadObstacle(interpreter, searchPath, depth + 1) : null;
  }
  return elfObstacle(path, head) ?? setuidObstacle(path);
}

function readHead(path: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const fd = openSync(path, 'r');
    try {
      return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    // A program that may be run but not read.
    return head.subarray(0, 0);
  }
}

function elfObstacle(path: string, head: Buffer): string | null {
  if (head.length < 64 || head.readUInt32BE(0) !== ELF_MAGIC) return null;
  if (head[4] !== CLASS_64) return `${path} is a 32-bit program`;
  const interpreter = elfInterpreter(head);
  if (interpreter === null) return `${path} is statically linked`;
  return interpreter.includes('ld-musl') ? `${path} uses musl instead of glibc` : null;
}

/** The dynamic linker that the program names; null: none, so nothing is preloaded. Program headers lie at the front. */
function elfInterpreter(head: Buffer): string | null {
  const start = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let index = 0; index < count; index += 1) {
    const at = start + index * entryBytes;
    if (at + 40 > head.length) return '';
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const offset = Number(head.readBigUInt64LE(at + 8));
    const end = head.indexOf(0, offset);
    return head.toString('latin1', offset, end < 0 ? head.length : end);
  }
  return null;
}

function setuidObstacle(path: string): string | null {
  const isOther = process.getuid?.() !== statSync(path).uid;
  const changesUser =
    (statSync(path).mode & constants.S_IFMT) !== 0 && (statSync(path).mode & 0o4000) !== 0;
  return changesUser && isOther ? `${path} is set-user-id` : null;
}
