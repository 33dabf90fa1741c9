/** `--listen`'s argument. */

import { DEFAULT_PORT } from '../protocols/nbd/constants.ts';
import { usageError } from './failure.ts';

export interface TcpAddress {
  host: string;
  port: number;
}

/** `HOST:PORT`, `HOST`, `:PORT` or `[IPv6]:PORT`; port 0 lets the system choose. */
export function parseAddress(text: string): TcpAddress {
  const match =
    /^(?:\[(?<v6>[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?)\]|(?<host>[^:[\]\s]*))(?::(?<port>\d{1,5}))?$/.exec(
      text,
    );
  const { v6, host, port } = match?.groups ?? {};
  const portNumber = port === undefined ? DEFAULT_PORT : Number(port);
  if (!match || text === '' || portNumber > 65535) {
    throw usageError(
      `Cannot listen on "${text}": expected HOST:PORT`,
      'For example --listen localhost:10809, --listen [::1]:10809, --listen :0 (any free port)',
    );
  }
  return { host: v6 ?? (host || 'localhost'), port: portNumber };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
