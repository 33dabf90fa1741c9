/** What a handler of one option gets and answers; shared by the files named option-*.ts, one per phase. */

import { DmError } from '../../base/errors.ts';
import { OptionReply } from '../../protocols/nbd/constants.ts';
import type { ExportSource, NbdExport } from './exports.ts';
import { findExport } from './exports.ts';
import type { Agreement, NbdSession } from './session.ts';

/** - `off`: STARTTLS is refused; `allowed`: the client chooses; `required`: nothing else before it. */
export type TlsMode = 'off' | 'allowed' | 'required';

/** What the handshake knows while options are negotiated. */
export interface OptionContext {
  readonly exports: ExportSource;
  readonly defaultExport: string | undefined;
  readonly tlsMode: TlsMode;
  /** TLS runs already. */
  readonly tls: boolean;
  /** The client wants the 124 zeroes behind the answer to EXPORT_NAME. */
  readonly zeroes: boolean;
  /** Changed by the handlers. */
  readonly agreement: Agreement;
}

export interface OptionAnswer {
  /** One of `OptionReply`. */
  type: number;
  data?: Uint8Array;
}

/** Where an option leads. */
export type OptionResult =
  /** The next option. */
  | { next: 'option'; answers: OptionAnswer[] }
  /** The client starts TLS as soon as it has the answers. */
  | { next: 'tls'; answers: OptionAnswer[] }
  | { next: 'transmission'; answers: OptionAnswer[]; session: NbdSession }
  /** As above, with the answer to EXPORT_NAME, which has no header. */
  | { next: 'transmission'; rawAnswer: Uint8Array; session: NbdSession }
  /** The client said goodbye. */
  | { next: 'end'; answers: OptionAnswer[] }
  /** Nothing can be answered. */
  | { next: 'close'; reason: string };

export interface OptionRule {
  readonly name: string;
  /** Data with an option that has none is an error. */
  readonly takesData: boolean;
  /** Where TLS is required, these work before it. */
  readonly beforeTls: boolean;
  run(context: OptionContext, data: Uint8Array): OptionResult;
}

const utf8 = new TextEncoder();

export function answer(...answers: OptionAnswer[]): OptionResult {
  return { next: 'option', answers };
}

export const ACK: OptionAnswer = { type: OptionReply.ack };

/** An error reply, with its reason for people. */
export function refusal(type: number, message: string): OptionAnswer {
  return { type, data: utf8.encode(message) };
}

export function refuse(type: number, message: string): OptionResult {
  return answer(refusal(type, message));
}

/** The export of that name, or the refusal that tells the client. */
export function lookUp(context: OptionContext, name: string): NbdExport | OptionAnswer {
  const found = findExport(context.exports, name, context.defaultExport);
  return found ?? refusal(OptionReply.errUnknown, `No export is named "${name}"`);
}

export function isRefusal(found: NbdExport | OptionAnswer): found is OptionAnswer {
  return 'type' in found;
}

/** Runs `action`; what a person or a device's state forbids becomes the result of `refused`. */
export function refuseDmError<T>(action: () => T, refused: (error: DmError) => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof DmError)) throw error;
    return refused(error);
  }
}
