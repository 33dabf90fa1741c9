/**
 * NBD URIs: `nbd://host[:port]/export`, `nbds://` (TLS), `nbd+unix:///export?socket=PATH`, `nbds+unix://`.
 * Source: github.com/NetworkBlockDevice/nbd doc/uri.md, RFC 3986, and nbd_connect_uri(3) for the TLS parameters.
 */

import { DmError } from '../../base/errors.ts';
import { DEFAULT_PORT, STRING_BYTES } from '../../protocols/nbd/constants.ts';

export type NbdAddress =
  | { kind: 'tcp'; host: string; port: number }
  /** A path beginning with NUL is in Linux' abstract namespace. */
  | { kind: 'unix'; path: string };

export interface NbdTls {
  /** For PSK: who we are. The local user's name by default. */
  username?: string;
  /** A folder with ca-cert.pem, client-cert.pem, client-key.pem, ca-crl.pem; all optional. */
  certificates?: string;
  pskFile?: string;
  /** The name that the server's certificate must carry, if it is not the host's. */
  hostname?: string;
  /** false: any certificate will do. */
  verifyPeer: boolean;
}

export interface NbdUri {
  address: NbdAddress;
  exportName: string;
  /** null: no TLS. */
  tls: NbdTls | null;
}

const PARTS = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?$/i;
const AUTHORITY = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:[\]]*)(?::(\d*))?$/;
const TLS_PARAMETERS = [
  'tls-type',
  'tls-certificates',
  'tls-psk-file',
  'tls-hostname',
  'tls-verify-peer',
] as const;

/** Whether a word is meant for an NBD client, right or wrong. */
export function looksLikeNbdUri(text: string): boolean {
  return /^nbds?(\+[a-z]+)?:/i.test(text);
}

/** Throws DmError with the part that is wrong and what was expected there. */
export function parseNbdUri(text: string): NbdUri {
  // A password, which has no place here, is not repeated.
  const shown = JSON.stringify(text.replace(/:[^:@/]*@/, ':...@'));
  const problem = (what: string) => new DmError('EINVAL', `Cannot use NBD URI ${shown}: ${what}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x20\x7f]/.test(text)) {
    throw problem('it contains white space or a control character, expected it percent-encoded');
  }
  const parts = PARTS.exec(text);
  const scheme = /^(nbds?)(?:\+([a-z]+))?$/.exec(parts?.[1]?.toLowerCase() ?? '');
  if (!parts || !scheme) {
    throw problem('expected the scheme nbd, nbds, nbd+unix or nbds+unix');
  }
  if (parts[5] !== undefined) throw problem(`a fragment ("${parts[5]}") has no meaning here`);
  if (parts[2] === undefined) throw problem('expected "//" behind the scheme');
  const decode = (field: string, encoded: string) => decodePercent(field, encoded, problem);
  const context = { problem, decode, secure: scheme[1] === 'nbds', transport: scheme[2] };
  const parameters = parseQuery(parts[4] ?? '', context);
  const authority = parseAuthority(parts[2], context);
  const exportName = decode('export name', parts[3]!.replace(/^\//, ''));
  if (exportName.includes('\0')) throw problem('an export name cannot contain NUL');
  if (Buffer.byteLength(exportName) > STRING_BYTES) {
    throw problem(`the export name is longer than ${STRING_BYTES} bytes`);
  }
  const address = parseAddress(authority, parameters, context);
  return { address, exportName, tls: parseTls(authority.username, parameters, context) };
}

interface Context {
  problem(what: string): DmError;
  decode(field: string, encoded: string): string;
  secure: boolean;
  transport: string | undefined;
}

function decodePercent(field: string, encoded: string, problem: Context['problem']): string {
  const bad = /%(?![0-9a-f]{2})/i.exec(encoded);
  if (bad) {
    const got = encoded.slice(bad.index, bad.index + 3);
    throw problem(`${field}: expected two hexadecimal digits after "%", got "${got}"`);
  }
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw problem(`${field}: the percent-encoded bytes are not UTF-8`);
  }
}

type Parameters = Map<string, string>;

function parseQuery(query: string, context: Context): Parameters {
  const parameters: Parameters = new Map();
  for (const pair of query === '' ? [] : query.split('&')) {
    const equals = pair.indexOf('=');
    if (equals < 0) throw context.problem(`parameter "${pair}": expected name=value`);
    const name = context.decode('parameter name', pair.slice(0, equals));
    if (name !== 'socket' && !TLS_PARAMETERS.includes(name as (typeof TLS_PARAMETERS)[number])) {
      throw context.problem(
        `unknown parameter "${name}", expected socket or ${TLS_PARAMETERS.join(', ')}`,
      );
    }
    if (parameters.has(name)) throw context.problem(`parameter "${name}" is given twice`);
    const value = context.decode(`parameter ${name}`, pair.slice(equals + 1));
    if (value === '') throw context.problem(`parameter "${name}" is empty`);
    if (value.includes('\0', name === 'socket' ? 1 : 0)) {
      throw context.problem(`parameter "${name}" contains NUL`);
    }
    parameters.set(name, value);
  }
  return parameters;
}

interface Authority {
  username: string | undefined;
  host: string;
  port: string | undefined;
}

function parseAuthority(text: string, context: Context): Authority {
  const match = AUTHORITY.exec(text);
  if (!match) {
    throw context.problem(`authority "${text}": expected [user@]host[:port], IPv6 in brackets`);
  }
  if (match[1]?.includes(':')) throw context.problem('a password has no place in an NBD URI');
  const username = match[1] ? context.decode('user name', match[1]) : undefined;
  return { username, host: context.decode('host', match[2]!), port: match[3] };
}

function parseAddress(
  authority: Authority,
  parameters: Parameters,
  { problem, transport }: Context,
): NbdAddress {
  const socket = parameters.get('socket');
  if (transport === undefined) {
    if (socket !== undefined) {
      throw problem('parameter "socket" goes with nbd+unix or nbds+unix only');
    }
    return {
      kind: 'tcp',
      host: parseHost(authority.host, problem),
      port: parsePort(authority, problem),
    };
  }
  if (transport !== 'unix') {
    throw problem(`transport "${transport}" is not supported, expected TCP or +unix`);
  }
  if (authority.host !== '' || authority.port !== undefined) {
    throw problem(
      'a Unix socket has no host or port: expected three slashes, as in nbd+unix:///export',
    );
  }
  if (socket === undefined)
    throw problem('expected the parameter "socket" with the path of the socket');
  return { kind: 'unix', path: socket };
}

function parseHost(host: string, problem: Context['problem']): string {
  // As libnbd has it, a missing host is this machine.
  if (host === '') return 'localhost';
  if (!host.startsWith('[')) return host.toLowerCase();
  const address = host.slice(1, -1).toLowerCase();
  if (!/^[0-9a-f:.]*:[0-9a-f:.]*(%[^%]+)?$/.test(address)) {
    throw problem(`host "${host}": expected an IPv6 address in the brackets`);
  }
  return address;
}

function parsePort({ port }: Authority, problem: Context['problem']): number {
  if (port === undefined || port === '') return DEFAULT_PORT;
  const number = Number(port);
  if (number >= 1 && number <= 65535) return number;
  throw problem(`port: expected 1 to 65535, got "${port}"`);
}

function parseTls(
  username: string | undefined,
  parameters: Parameters,
  { problem, secure }: Context,
): NbdTls | null {
  if (!secure) {
    const stray = TLS_PARAMETERS.find((name) => parameters.has(name));
    if (stray) throw problem(`parameter "${stray}" goes with nbds or nbds+unix only`);
    if (username !== undefined) throw problem('a user name goes with nbds or nbds+unix only');
    return null;
  }
  const [certificates, pskFile, hostname] = [
    parameters.get('tls-certificates'),
    parameters.get('tls-psk-file'),
    parameters.get('tls-hostname'),
  ];
  if (certificates !== undefined && pskFile !== undefined) {
    throw problem('expected one of tls-certificates and tls-psk-file, got both');
  }
  checkTlsType(parameters.get('tls-type'), { certificates, pskFile }, problem);
  return {
    ...(username !== undefined && { username }),
    ...(certificates !== undefined && { certificates }),
    ...(pskFile !== undefined && { pskFile }),
    ...(hostname !== undefined && { hostname }),
    verifyPeer: parseVerifyPeer(parameters.get('tls-verify-peer'), problem),
  };
}

/** `tls-type` adds nothing to what the other parameters say, but may not contradict them. */
function checkTlsType(
  type: string | undefined,
  given: { certificates: string | undefined; pskFile: string | undefined },
  problem: Context['problem'],
): void {
  if (type === undefined) return;
  if (type === 'anon') throw problem('tls-type=anon is not supported: it protects against nobody');
  if (type !== 'x509' && type !== 'psk') {
    throw problem(`tls-type: expected x509 or psk, got "${type}"`);
  }
  if (type === 'psk' && given.pskFile === undefined)
    throw problem('tls-type=psk needs tls-psk-file');
  if (type === 'x509' && given.pskFile !== undefined) {
    throw problem('tls-type=x509 contradicts tls-psk-file');
  }
}

function parseVerifyPeer(value: string | undefined, problem: Context['problem']): boolean {
  if (value === undefined || value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw problem(`tls-verify-peer: expected 0 or 1, got "${value}"`);
}

/** The canonical form: defaults left out, parameters in a fixed order, everything unusual percent-encoded. */
export function formatNbdUri({ address, exportName, tls }: NbdUri): string {
  const scheme = `${tls ? 'nbds' : 'nbd'}${address.kind === 'unix' ? '+unix' : ''}`;
  const user = tls?.username === undefined ? '' : `${encodeURIComponent(tls.username)}@`;
  const parameters: [string, string | undefined][] = [
    ['socket', address.kind === 'unix' ? address.path : undefined],
    ['tls-certificates', tls?.certificates],
    ['tls-psk-file', tls?.pskFile],
    ['tls-hostname', tls?.hostname],
    ['tls-verify-peer', tls?.verifyPeer === false ? '0' : undefined],
  ];
  const query = parameters
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encode(value!)}`)
    .join('&');
  const path = encode(exportName);
  return `${scheme}://${user}${formatAuthority(address)}/${path}${query && `?${query}`}`;
}

function formatAuthority(address: NbdAddress): string {
  if (address.kind === 'unix') return '';
  const { host, port } = address;
  const name = host.includes(':') ? `[${host.replace('%', '%25')}]` : encodeURIComponent(host);
  return port === DEFAULT_PORT ? name : `${name}:${port}`;
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(2F|3A|40|2C)/g, (code) => decodeURIComponent(code));
}
