/** Socket, TLS and handshake in one step with one time limit: the way to a connection, the first time and every time after. */

import { AssertionError } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { DmError, Errno, type ErrnoName, FormatError } from '../../base/errors.ts';
import type { ExportInfo } from './export-info.ts';
import { HandshakeStream } from './handshake-stream.ts';
import { negotiate } from './negotiation.ts';
import { startTls } from './tls.ts';
import { formatNbdUri, type NbdUri } from './uri.ts';
import { connectWire, SocketWire, type Wire } from './wire.ts';

export interface Established {
  wire: Wire;
  info: ExportInfo;
  /** What the server sent behind the handshake: nothing, if it is honest. */
  early: Uint8Array;
}

export interface EstablishOptions {
  uri: NbdUri;
  clock: Clock;
  /** For everything together. */
  timeoutMs: number;
  /** Gives up early: the device is closed. */
  signal?: AbortSignal;
  /** Instead of a socket. */
  connect?: (signal: AbortSignal) => Promise<Wire>;
}

/** Rejects with a DmError that names the URI and the reason. */
export async function establish(options: EstablishOptions): Promise<Established> {
  const { uri, clock, timeoutMs, signal } = options;
  const limit = new AbortController();
  const giveUp = (error: Error) => limit.abort(error);
  const timer = clock.after(timeoutMs, () =>
    giveUp(new DmError('ETIMEDOUT', `no answer within ${timeoutMs} ms`)),
  );
  const cancel = () => giveUp(new DmError('ECANCELED', 'the device was closed'));
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    if (signal?.aborted) cancel();
    return await attempt(options, limit.signal);
  } catch (error) {
    throw refusal(uri, error);
  } finally {
    timer.cancel();
    signal?.removeEventListener('abort', cancel);
  }
}

async function attempt(options: EstablishOptions, signal: AbortSignal): Promise<Established> {
  const { uri } = options;
  const wire = await (options.connect?.(signal) ??
    connectWire(uri.address, { signal, forTls: uri.tls !== null }));
  const stream = new HandshakeStream(wire);
  const abort = () => stream.abort(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const info = await negotiate(stream, {
      exportName: uri.exportName,
      startTls: uri.tls === null ? null : () => secure(stream, uri, signal),
    });
    if (stream.failure) throw stream.failure;
    return { wire: stream.wire, info, early: stream.detach() };
  } catch (error) {
    stream.wire.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function secure(stream: HandshakeStream, uri: NbdUri, signal: AbortSignal): Promise<void> {
  const { wire } = stream;
  if (!(wire instanceof SocketWire)) throw new DmError('ENOTSUP', 'TLS needs a socket');
  stream.attach(await startTls(wire, uri, signal));
}

function refusal(uri: NbdUri, error: unknown): DmError {
  const name = formatNbdUri(uri);
  if (error instanceof DmError) {
    return new DmError(error.code, `Cannot connect to ${name}: ${error.message}`, { cause: error });
  }
  if (error instanceof FormatError) {
    return new DmError('EPROTO', `Cannot connect to ${name}: ${error.message}`, { cause: error });
  }
  if (error instanceof AssertionError) throw error;
  const { code, message } = error as NodeJS.ErrnoException;
  const known = code !== undefined && code in Errno ? (code as ErrnoName) : 'ENXIO';
  return new DmError(known, `Cannot connect to ${name}: ${message}`, { cause: error });
}
