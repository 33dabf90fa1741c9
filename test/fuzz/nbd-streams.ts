/** What the NBD fuzz tests share: valid frames, and ways to spoil them. */

import { Buffer } from 'node:buffer';
import type { Prng } from '../../src/base/prng.ts';
import { Command, Option } from '../../src/protocols/nbd/constants.ts';
import { encodeClientFlags, encodeOption } from '../../src/protocols/nbd/handshake.ts';
import { encodeInfoRequest } from '../../src/protocols/nbd/info.ts';
import { encodeMetaContextRequest } from '../../src/protocols/nbd/meta-context.ts';
import { encodeExtendedRequest, encodeRequest } from '../../src/protocols/nbd/request.ts';

const NAMES = ['', 'disk', 'other', 'dísk', 'x'.repeat(300)];
const QUERIES = ['base:', 'base:allocation', 'devmapper:', 'devmapper:target', 'x:y', '', ':'];

/** A handshake as a client might have it: mostly sensible, in any order. */
export function randomHandshake(prng: Prng): Buffer {
  const frames: Uint8Array[] = [encodeClientFlags(prng.chance(0.9) ? 3 : prng.integer(0, 7))];
  const optionCount = prng.integer(0, 12);
  for (let count = 0; count < optionCount; count += 1) frames.push(randomOption(prng));
  if (prng.chance(0.5)) {
    const exportName = prng.pick(NAMES);
    frames.push(encodeOption(Option.go, encodeInfoRequest({ exportName, infos: [3] })));
  }
  return Buffer.concat(frames);
}

function randomOption(prng: Prng): Uint8Array {
  const option = prng.chance(0.9) ? prng.pick(Object.values(Option)) : prng.integer(0, 40);
  return encodeOption(option, prng.chance(0.8) ? dataFor(option, prng) : garbage(prng, 200));
}

function dataFor(option: number, prng: Prng): Uint8Array {
  const exportName = prng.pick(NAMES);
  const list = <T>(make: () => T) => Array.from({ length: prng.integer(0, 4) }, make);
  switch (option) {
    case Option.exportName:
      return Buffer.from(exportName);
    case Option.info:
    case Option.go:
      return encodeInfoRequest({ exportName, infos: list(() => prng.integer(0, 9)) });
    case Option.listMetaContext:
    case Option.setMetaContext:
      return encodeMetaContextRequest({ exportName, queries: list(() => prng.pick(QUERIES)) });
    default:
      return new Uint8Array(0);
  }
}

export interface RequestMix {
  extendedHeaders: boolean;
  sizeBytes: number;
}

/** One request, often near a border, sometimes nonsense; with the payload it announces. */
export function randomRequest(prng: Prng, { extendedHeaders, sizeBytes }: RequestMix): Buffer {
  const command = prng.chance(0.95) ? prng.integer(0, 7) : prng.integer(0, 65535);
  const isWrite = command === Command.write;
  const lengthBytes = isWrite ? randomLength(prng, 20_000) : randomLength(prng, 2 ** 32 - 1);
  const fields = {
    command: command === Command.disconnect && prng.chance(0.9) ? Command.read : command,
    flags: prng.chance(0.7) ? (isWrite && extendedHeaders ? 32 : 0) : prng.integer(0, 127),
    cookieHigh: prng.uint32(),
    cookieLow: prng.uint32(),
    offsetBytes: randomOffset(prng, sizeBytes),
    lengthBytes,
  };
  const header = Buffer.alloc(extendedHeaders ? 32 : 28);
  if (extendedHeaders) encodeExtendedRequest(header, 0, fields);
  else encodeRequest(header, 0, fields);
  const hasPayload = extendedHeaders ? (fields.flags & 32) !== 0 : fields.command === Command.write;
  if (!hasPayload || lengthBytes > 100_000) return header;
  return Buffer.concat([header, prng.fill(Buffer.alloc(lengthBytes))]);
}

function randomLength(prng: Prng, max: number): number {
  const kind = prng.integer(0, 9);
  if (kind === 0) return prng.integer(0, max);
  if (kind === 1) return Math.min(max, prng.pick([0, 1, 2 ** 25, 2 ** 25 + 512, 2 ** 32 - 1]));
  return 512 * prng.integer(0, 16);
}

function randomOffset(prng: Prng, sizeBytes: number): number {
  const kind = prng.integer(0, 9);
  if (kind === 0) return prng.integer(0, 2 * sizeBytes);
  if (kind === 1) return prng.pick([sizeBytes, sizeBytes - 512, 2 ** 53 - 1, 2 ** 40]);
  return 512 * prng.integer(0, sizeBytes / 512);
}

/** Any bytes, up to so many. */
export function garbage(prng: Prng, maxBytes: number): Buffer {
  return prng.fill(Buffer.alloc(prng.integer(0, maxBytes))) as Buffer;
}

/** Flips, removes, doubles or inserts here and there; about half of the time nothing. */
export function spoil(prng: Prng, bytes: Buffer): Buffer {
  let spoiled = bytes;
  while (spoiled.length > 0 && prng.chance(0.5)) {
    const at = prng.integer(0, spoiled.length - 1);
    const end = Math.min(spoiled.length, at + prng.integer(1, 40));
    const [before, part, after] = [
      spoiled.subarray(0, at),
      spoiled.subarray(at, end),
      spoiled.subarray(end),
    ];
    const kind = prng.integer(0, 3);
    if (kind === 0) spoiled = Buffer.concat([before, garbage(prng, 4), spoiled.subarray(at + 1)]);
    else if (kind === 1) spoiled = Buffer.concat([before, after]);
    else if (kind === 2) spoiled = Buffer.concat([before, part, part, after]);
    else spoiled = Buffer.concat([before, garbage(prng, 40), part, after]);
  }
  return spoiled;
}

/** The bytes in pieces of random sizes. */
export function* pieces(prng: Prng, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = prng.chance(0.3) ? prng.integer(1, 8) : prng.integer(1, 70_000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
