/**
 * One dm-ioctl, from the caller's bytes to the answer's. Checks and their order are those of ctl_ioctl
 * (drivers/md/dm-ioctl.c): number, version, command, sizes, names, and then the command's own.
 */

import { DmError, errnoOf } from '../../base/errors.ts';
import type { Mapper } from '../../core/mapper.ts';
import { Flag, INTERFACE_VERSION, IOCTL_BASE } from '../protocol/commands.ts';
import {
  HEADER_BYTES,
  Header,
  readVersion,
  VERSION_BYTES,
  writeVersion,
} from '../protocol/header.ts';
import { IoctlCall } from './call.ts';
import { type CommandEntry, findCommand } from './command-table.ts';
import type { ControlContext, ControlSession, IoctlReply, IoctlRequest } from './types.ts';

export type { ControlContext, ControlSession, IoctlReply, IoctlRequest } from './types.ts';

/** DM_MAX_TARGETS * DM_MAX_TARGET_PARAMS */
const MAX_DATA_BYTES = 2 ** 30;
const COMMAND_BITS = 0xff;
const TYPE_MASK = 0xff00;

/** For each opener of the control node, when it opens it. */
export function createSession(mapper: Mapper): ControlSession {
  return { armedEventNumber: mapper.globalEventNumber };
}

/** Never rejects: a failure is an errno in the reply. */
export async function handleIoctl(
  context: ControlContext,
  request: IoctlRequest,
): Promise<IoctlReply> {
  const reply: IoctlReply = { errno: 0, buffer: new Uint8Array(0), reason: '' };
  try {
    await answer(context, request, reply);
  } catch (error) {
    reply.errno = errnoOf(error);
    reply.reason = error instanceof Error ? error.message : String(error);
  }
  return reply;
}

async function answer(
  context: ControlContext,
  request: IoctlRequest,
  reply: IoctlReply,
): Promise<void> {
  const { command: number, buffer } = request;
  if ((number & TYPE_MASK) !== (IOCTL_BASE & TYPE_MASK)) throw unknownCommand(number);
  checkVersion(buffer, reply);
  const command = findCommand(number & COMMAND_BITS);
  if (command === null) throw unknownCommand(number);
  if (command.run === null) return;
  const call = takeRequest(context.mapper, request, command);
  if (new Header(buffer).has(Flag.secureData)) {
    await runSecurely(context, call, command, buffer, reply);
    return;
  }
  await runCommand(context, call, command);
  reply.buffer = call.replyBytes();
}

function unknownCommand(number: number): DmError {
  return new DmError('ENOTTY', `Unknown ioctl 0x${number.toString(16)}`);
}

/** Whatever comes of the request, the caller learns our version. */
function checkVersion(buffer: Uint8Array, reply: IoctlReply): void {
  if (buffer.length < VERSION_BYTES) throw tooShort(buffer, VERSION_BYTES);
  reply.buffer = new Uint8Array(VERSION_BYTES);
  writeVersion(reply.buffer, INTERFACE_VERSION);
  const version = readVersion(buffer);
  if (version[0] === INTERFACE_VERSION[0] && version[1] <= INTERFACE_VERSION[1]) return;
  throw new DmError(
    'EINVAL',
    `ioctl interface mismatch: expected ${INTERFACE_VERSION.join('.')} or older, got ${version.join('.')}`,
  );
}

function tooShort(buffer: Uint8Array, expectedBytes: number): DmError {
  return new DmError(
    'EFAULT',
    `Cannot read request: expected at least ${expectedBytes} bytes, got ${buffer.length}`,
  );
}

function takeRequest(mapper: Mapper, request: IoctlRequest, command: CommandEntry): IoctlCall {
  const { buffer } = request;
  if (buffer.length < HEADER_BYTES) throw tooShort(buffer, HEADER_BYTES);
  const { dataSize } = new Header(buffer);
  if (dataSize < HEADER_BYTES || dataSize > MAX_DATA_BYTES) {
    throw new DmError(
      'EINVAL',
      `Invalid data size in the ioctl structure: expected ${HEADER_BYTES} to ${MAX_DATA_BYTES}, got ${dataSize}`,
    );
  }
  const call = new IoctlCall(mapper, request, command.takesPayload);
  call.header.version = INTERFACE_VERSION;
  return call;
}

async function runCommand(
  { settle }: ControlContext,
  call: IoctlCall,
  command: CommandEntry,
): Promise<void> {
  const { header } = call;
  if (command.names === 'one' && header.hasName && header.hasUuid) {
    throw new DmError('EINVAL', 'Only supply one of name or uuid');
  }
  header.terminate();
  if (command.settles) await settle();
  await command.run!(call);
}

/** Nothing of the request stays in memory, neither the caller's nor ours, whether it fails or not. */
async function runSecurely(
  context: ControlContext,
  call: IoctlCall,
  command: CommandEntry,
  buffer: Uint8Array,
  reply: IoctlReply,
): Promise<void> {
  const wiped = new Uint8Array(call.input.length);
  try {
    await runCommand(context, call, command);
    const bytes = call.replyBytes();
    reply.buffer = bytes.length >= wiped.length ? bytes : wiped;
    if (reply.buffer === wiped) wiped.set(bytes);
  } catch (error) {
    reply.buffer = wiped;
    throw error;
  } finally {
    buffer.fill(0, 0, call.input.length);
  }
}
