/** A client for tests of the handshake, without a network: what it sends is handled at once, what it gets is kept. */

import { Buffer } from 'node:buffer';
import { fixedExports, type NbdExport } from '../exports/nbd/exports.ts';
import { Negotiation, type NegotiationOptions } from '../exports/nbd/negotiation.ts';
import type { NbdSession } from '../exports/nbd/session.ts';
import { OptionReply } from '../protocols/nbd/constants.ts';
import {
  decodeOptionReplyHeader,
  encodeClientFlags,
  encodeOption,
  OPTION_REPLY_HEADER_BYTES,
} from '../protocols/nbd/handshake.ts';
import { encodeInfoRequest } from '../protocols/nbd/info.ts';
import { encodeMetaContextRequest } from '../protocols/nbd/meta-context.ts';
import { type TestDiskOptions, TestDisks } from './test-disk.ts';

const NAMES = new Map<number, string>(
  Object.entries(OptionReply).map(([name, type]) => [type, name]),
);

export interface NegotiationAnswer {
  option: number;
  /** A key of `OptionReply`. */
  type: string;
  data: Uint8Array;
}

export class NegotiatingClient {
  readonly negotiation: Negotiation;
  sent = Buffer.alloc(0);
  takes = true;
  session: NbdSession | null = null;
  leftover = '';
  /** What the server did last with the connection. */
  end = '';

  constructor(options: Partial<NegotiationOptions> = {}) {
    const all: NegotiationOptions = {
      exports: fixedExports([createExport('disk')]),
      tlsMode: 'off',
      maxOptionBytes: 1024,
      maxOptionCount: 20,
      isShuttingDown: () => false,
      ...options,
    };
    this.negotiation = new Negotiation(all, {
      send: (bytes) => {
        this.sent = Buffer.concat([this.sent, bytes]);
        return this.takes;
      },
      startTls: () => {
        this.end = 'tls';
      },
      enter: (session, leftover) => {
        this.session = session;
        this.leftover = Buffer.from(leftover).toString();
        this.end = 'transmission';
      },
      end: () => {
        this.end = 'end';
      },
      close: (reason) => {
        this.end = `close: ${reason}`;
      },
    });
    this.negotiation.start();
  }

  /** Past the client flags. */
  static greeted(options: Partial<NegotiationOptions> = {}, flags = 3): NegotiatingClient {
    const client = new NegotiatingClient(options);
    client.negotiation.receive(encodeClientFlags(flags));
    client.sent = Buffer.alloc(0);
    return client;
  }

  /** Sends an option and takes the answers. */
  option(option: number, data?: Uint8Array): NegotiationAnswer[] {
    this.negotiation.receive(encodeOption(option, data));
    return this.answers();
  }

  answers(): NegotiationAnswer[] {
    const answers: NegotiationAnswer[] = [];
    while (this.sent.length > 0) {
      const header = decodeOptionReplyHeader(this.sent.subarray(0, OPTION_REPLY_HEADER_BYTES));
      const rest = this.sent.subarray(OPTION_REPLY_HEADER_BYTES);
      const type = NAMES.get(header.type) ?? `${header.type}`;
      answers.push({ option: header.option, type, data: rest.subarray(0, header.dataBytes) });
      this.sent = rest.subarray(header.dataBytes);
    }
    return answers;
  }

  types(option: number, data?: Uint8Array): string[] {
    return this.option(option, data).map(({ type }) => type);
  }
}

/** An export of a small disk. */
export function createExport(
  name: string,
  options: TestDiskOptions & Partial<NbdExport> = {},
): NbdExport {
  const device = new TestDisks().add(name, { sizeSectors: 8, ...options });
  const { description = '', readOnly = false, open = () => () => {} } = options;
  return { name, description, device, readOnly, open };
}

/** Data of INFO and GO. */
export const infoRequest = (exportName: string, infos: number[] = []) =>
  encodeInfoRequest({ exportName, infos });
/** Data of the options about metadata contexts. */
export const metaQuery = (exportName: string, ...queries: string[]) =>
  encodeMetaContextRequest({ exportName, queries });
