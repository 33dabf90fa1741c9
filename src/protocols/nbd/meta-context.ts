/** LIST_META_CONTEXT and SET_META_CONTEXT: queries for one export, and the contexts that answer them. */

import { writeUint32 } from './bytes.ts';
import { encodeString, FrameReader, joinBytes } from './frame-reader.ts';

export const BASE_ALLOCATION = 'base:allocation';

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
export interface MetaContextRequest {
  exportName: string;
  queries: string[];
}

export function encodeMetaContextRequest({ exportName, queries }: MetaContextRequest): Uint8Array {
  const count = new Uint8Array(4);
  writeUint32(count, 0, queries.length);
  const parts = queries.flatMap((query) => encodeCounted('query', query));
  return joinBytes(...encodeCounted('export name', exportName), count, ...parts);
}

function encodeCounted(field: string, text: string): [Uint8Array, Uint8Array] {
  const bytes = encodeString(field, text);
  const length = new Uint8Array(4);
  writeUint32(length, 0, bytes.length);
  return [length, bytes];
}

export function decodeMetaContextRequest(bytes: Uint8Array): MetaContextRequest {
  const reader = new FrameReader('NBD meta context request', bytes);
  const exportName = reader.string('export name', reader.uint32('name length'));
  const count = reader.uint32('number of queries');
  // Each query takes four bytes at least, so a count that lies cannot make this loop long.
  if (count > reader.remaining / 4) {
    throw reader.problem('number of queries', `at most ${reader.remaining / 4}`, `${count}`);
  }
  const queries: string[] = [];
  for (let index = 0; index < count; index += 1) {
    queries.push(reader.string('query', reader.uint32('query length')));
  }
  reader.end();
  return { exportName, queries };
}

/** A selected or listed context: data of an option reply of type `metaContext`. */
export interface MetaContext {
  id: number;
  name: string;
}

export function encodeMetaContext({ id, name }: MetaContext): Uint8Array {
  const head = new Uint8Array(4);
  writeUint32(head, 0, id);
  return joinBytes(head, encodeString('context name', name));
}

export function decodeMetaContext(bytes: Uint8Array): MetaContext {
  const reader = new FrameReader('NBD meta context', bytes);
  return { id: reader.uint32('context id'), name: reader.rest('context name') };
}
