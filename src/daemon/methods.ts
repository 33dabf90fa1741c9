/** JSON requests to the daemon itself: what no ioctl asks. A method is added by a line in method-list.ts. */

import { DmError, Errno, errnoOf } from '../base/errors.ts';
import type { ControlSession } from '../control/ioctl/types.ts';
import { takePayload } from '../control/protocol/daemon-request.ts';
import type { ControlReply } from '../control/protocol/frames.ts';
import { bufferOf } from '../control/protocol/text.ts';
import type { Secret } from '../crypto/secret.ts';
import type { Daemon } from './daemon.ts';

export interface DaemonMethodContext {
  daemon: Daemon;
  /** State of the connection. */
  session: ControlSession;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  /** The text of the parameter `payload`, which stands in no string; wiped behind the method. */
  payload: Secret | null;
}

export type DaemonParams = Readonly<Record<string, unknown>>;

/** What it returns goes back as JSON, bytes as they are; an error goes back as errno and reason. */
export type DaemonMethod = (params: DaemonParams, context: DaemonMethodContext) => unknown;

const MAX_REQUEST_BYTES = 1024 * 1024;

/** Never rejects. */
export async function answerDaemonRequest(
  methods: Readonly<Record<string, DaemonMethod>>,
  buffer: Uint8Array,
  caller: Omit<DaemonMethodContext, 'payload'>,
): Promise<ControlReply> {
  using payload = takePayload(buffer);
  const context = { ...caller, payload };
  try {
    const { method, params } = parseRequest(buffer);
    const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (run === undefined) {
      const known = Object.keys(methods).sort().join(', ');
      throw new DmError('ENOTSUP', `No daemon method "${method}", expected one of ${known}`);
    }
    const result = (await run(params, context)) ?? null;
    const bytes = result instanceof Uint8Array ? result : Buffer.from(JSON.stringify(result));
    return { errno: 0, buffer: bytes, reason: '' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { errno: errnoOf(error), buffer: new Uint8Array(0), reason };
  }
}

function parseRequest(buffer: Uint8Array): { method: string; params: DaemonParams } {
  if (buffer.byteLength > MAX_REQUEST_BYTES) {
    const size = `${buffer.byteLength} bytes, expected at most ${MAX_REQUEST_BYTES}`;
    throw new DmError('E2BIG', `Cannot read daemon request: it has ${size}`);
  }
  const request = parseJson(buffer);
  if (!isObject(request) || typeof request['method'] !== 'string') {
    throw new DmError('EINVAL', 'Cannot read daemon request: expected {"method": "NAME", ...}');
  }
  const { method, params = {} } = request;
  if (!isObject(params)) {
    throw new DmError('EINVAL', `Cannot read daemon request ${method}: "params" is not an object`);
  }
  return { method: method, params };
}

function parseJson(buffer: Uint8Array): unknown {
  try {
    return JSON.parse(bufferOf(buffer).toString());
  } catch (error) {
    throw new DmError('EINVAL', 'Cannot read daemon request: it is not JSON', { cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A parameter that may be missing. Throws EINVAL for anything but a boolean. */
export function booleanParam(params: DaemonParams, name: string): boolean {
  const value = params[name] ?? false;
  if (typeof value === 'boolean') return value;
  const got = JSON.stringify(value);
  throw new DmError('EINVAL', `Parameter "${name}": expected true or false, got ${got}`);
}

/** A parameter that may be missing. Throws EINVAL for anything but a string. */
export function stringParam(params: DaemonParams, name: string): string | undefined {
  const value = params[name];
  if (value === undefined || typeof value === 'string') return value;
  const got = JSON.stringify(value);
  throw new DmError('EINVAL', `Parameter "${name}": expected a string, got ${got}`);
}

/** Errnos of handlers and methods that say: the question has no answer, rather than: something failed. */
export function isMereQuestion(errno: number): boolean {
  return errno === Errno.ENXIO || errno === Errno.EINTR;
}
