/** What is refused before a device sees it, in the order of the checks. */

import { sectorsToBytes } from '../../base/units.ts';
import {
  Command,
  CommandFlag,
  MAX_PAYLOAD_BYTES,
  NbdError,
  TransmissionFlag,
} from '../../protocols/nbd/constants.ts';
import type { Request } from '../../protocols/nbd/request.ts';
import type { Failure } from './reply-writer.ts';
import type { NbdSession } from './session.ts';

const COMMAND_NAMES = new Map<number, string>(
  Object.entries(Command).map(([name, command]) => [command, name]),
);

/** For messages: `read`, `writeZeroes`, or `command 42`. */
export function commandName(command: number): string {
  return COMMAND_NAMES.get(command) ?? `command ${command}`;
}

/** The flags each command knows; FUA is known to all of them. `payloadLength` is looked at by itself. */
const KNOWN_FLAGS = new Map<number, number>([
  [Command.read, CommandFlag.fua | CommandFlag.df],
  [Command.write, CommandFlag.fua],
  [Command.flush, CommandFlag.fua],
  [Command.trim, CommandFlag.fua],
  [Command.cache, CommandFlag.fua],
  [Command.writeZeroes, CommandFlag.fua | CommandFlag.noHole | CommandFlag.fastZero],
  [Command.blockStatus, CommandFlag.fua | CommandFlag.reqOne],
]);

const WRITING = new Set<number>([Command.write, Command.trim, Command.writeZeroes]);
/** Beyond the end these run out of space; for all others it is a wrong argument. */
const FILLING = new Set<number>([Command.write, Command.writeZeroes]);

export type RequestHead = Pick<Request, 'command' | 'flags' | 'offsetBytes' | 'lengthBytes'>;

/** null for a request that may run. `lengthBytes` is what it covers, whatever the payload. */
export function checkRequest(session: NbdSession, request: RequestHead): Failure | null {
  const failure = checkCommand(session, request) ?? checkFlags(session, request);
  if (failure !== null || request.command === Command.flush) return failure;
  return (
    checkMode(session, request) ?? checkLength(session, request) ?? checkRange(session, request)
  );
}

function refuse(error: number, request: RequestHead, reason: string): Failure {
  return { error, message: `Cannot ${commandName(request.command)}: ${reason}` };
}

function checkCommand(session: NbdSession, request: RequestHead): Failure | null {
  const { command } = request;
  if (!KNOWN_FLAGS.has(command)) {
    return { error: NbdError.EINVAL, message: `Unknown request: ${commandName(command)}` };
  }
  if (command === Command.trim && !writableFlag(session, TransmissionFlag.sendTrim)) {
    return refuse(NbdError.EINVAL, request, 'the export does not offer it');
  }
  if (command === Command.blockStatus && session.contexts.length === 0) {
    return refuse(NbdError.EINVAL, request, 'no metadata context was negotiated');
  }
  return null;
}

/** Whether a flag is set that a read-only export does not have in the first place: there, EPERM says more. */
function writableFlag(session: NbdSession, flag: number): boolean {
  return (session.transmissionFlags & (flag | TransmissionFlag.readOnly)) !== 0;
}

function checkFlags(session: NbdSession, request: RequestHead): Failure | null {
  const { command, flags } = request;
  let known = KNOWN_FLAGS.get(command) ?? 0;
  if (!session.structuredReplies && !session.extendedHeaders) known &= ~CommandFlag.df;
  if (session.extendedHeaders) {
    const carriesPayload = (flags & CommandFlag.payloadLength) !== 0;
    if (command === Command.write && !carriesPayload) {
      return refuse(NbdError.EINVAL, request, 'the payload length flag is missing');
    }
    if (takesPayload(session, command)) known |= CommandFlag.payloadLength;
  }
  const unknown = flags & ~known;
  if (unknown === 0) return null;
  return refuse(NbdError.EINVAL, request, `flags 0x${unknown.toString(16)} do not apply`);
}

function takesPayload(session: NbdSession, command: number): boolean {
  if (command === Command.write) return true;
  const offered = (session.transmissionFlags & TransmissionFlag.blockStatusPayload) !== 0;
  return command === Command.blockStatus && offered;
}

function checkMode(session: NbdSession, request: RequestHead): Failure | null {
  if (!WRITING.has(request.command)) return null;
  const readOnly = (session.transmissionFlags & TransmissionFlag.readOnly) !== 0;
  if (!readOnly && !session.export.device.readOnly) return null;
  return refuse(NbdError.EPERM, request, 'the export is read-only');
}

function checkLength(session: NbdSession, request: RequestHead): Failure | null {
  const { command, lengthBytes } = request;
  if (command === Command.blockStatus && lengthBytes === 0) {
    return refuse(NbdError.EINVAL, request, 'the length is 0');
  }
  if (command !== Command.read && command !== Command.write) return null;
  if (lengthBytes <= MAX_PAYLOAD_BYTES) return null;
  const chunked = session.structuredReplies || session.extendedHeaders;
  const error = chunked && command === Command.read ? NbdError.EOVERFLOW : NbdError.EINVAL;
  return refuse(error, request, `${lengthBytes} bytes at once, at most ${MAX_PAYLOAD_BYTES}`);
}

/** Against the size and the blocks that the device has now, whatever the client was told. */
function checkRange(session: NbdSession, request: RequestHead): Failure | null {
  const { command, offsetBytes, lengthBytes } = request;
  const { device } = session.export;
  const sizeBytes = sectorsToBytes(device.sizeSectors);
  // Subtracting keeps this exact, and right for lengths and offsets that are Infinity.
  if (offsetBytes > sizeBytes || lengthBytes > sizeBytes - offsetBytes) {
    const error = FILLING.has(command) ? NbdError.ENOSPC : NbdError.EINVAL;
    const range = `${lengthBytes} bytes at offset ${offsetBytes}`;
    return refuse(error, request, `${range} do not lie inside ${sizeBytes} bytes`);
  }
  const blockBytes = device.limits.logicalBlockBytes;
  if (offsetBytes % blockBytes === 0 && lengthBytes % blockBytes === 0) return null;
  const range = `${lengthBytes} bytes at offset ${offsetBytes}`;
  return refuse(NbdError.EINVAL, request, `${range} are not aligned to ${blockBytes} bytes`);
}
