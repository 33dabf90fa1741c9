/** What the main thread and a worker tell each other about one connection. */

import type { MessagePort } from 'node:worker_threads';
import type { AssistantPlace } from '../../data-plane/cipher-assistant/assistants.ts';
import type { Plan } from '../../data-plane/plan.ts';

/** To a thread without a connection: serve one, or end. */
export type ToThread = StartMessage | 'end';
export type FromThread = 'loaded';

export interface StartMessage {
  port: MessagePort;
  /** The connected socket; the main thread closes it when the worker is done. */
  socketFd: number;
  /** Readable when the worker should look at its messages. */
  eventFd: number;
  gate: SharedArrayBuffer;
  /** What the client sent before the worker took over. */
  leftover: Uint8Array;
  wire: WireMode;
  readOnly: boolean;
  plan: Plan;
  /** How long to ask an empty socket again before sleeping; 0 never. */
  spinMicroseconds: number;
  /** Large reads may be sent from the files, without a copy that stays as it is when the files change. */
  lendsFiles: boolean;
  /** For the work of ciphers. */
  assistant: AssistantPlace | null;
  limits: WorkerLimits;
}

export interface WireMode {
  structuredReplies: boolean;
  extendedHeaders: boolean;
}

export interface WorkerLimits {
  /** Largest payload of one request. */
  maxPayloadBytes: number;
  /** Requests that the main thread may have at a time, and memory for their data; beyond, the client waits. */
  maxForwardedRequests: number;
  maxForwardedBytes: number;
  /** For the client to hang up after the last reply. */
  lingerMs: number;
}

/** To the worker, on the connection's port. Every one is followed by a signal. */
export type ToWorker =
  /** Of the requests `ids`: how long each took, and the bytes for the client, whole replies one after the other. */
  | { kind: 'replies'; ids: number[]; durationsMs: number[]; chunks: Uint8Array[] }
  | { kind: 'plan'; plan: Plan }
  /** Drop the copy: the next plan makes another. */
  | { kind: 'forget' }
  /** Take no more requests; end once those under way are answered. */
  | { kind: 'stop' }
  /** End at once, whatever is under way. */
  | { kind: 'disconnect' };

/** From the worker, on the connection's port. */
export type FromWorker =
  /** Requests as they came, numbered from `firstId` on; how they lie in `bytes` see request-batch.ts. */
  | {
      kind: 'requests';
      firstId: number;
      bytes: Uint8Array<ArrayBuffer>;
      payloadLengths: number[];
    }
  /** The plan sent last is read, so that another may be sent. */
  | { kind: 'planned' }
  | { kind: 'end'; reason: string | null; counters: WorkerCounters };

export interface WorkerCounters {
  requests: number;
  forwarded: number;
  spins: number;
  sleeps: number;
  /** Memory of the buffers that was used at one time or another, and stays with the thread. */
  touchedBytes: number;
}
