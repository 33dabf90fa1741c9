/** The facts of a header as plain data for `dump --json`: the metadata as stored, and what only the binary header says. */

import { keyslotsAreaBytes, type Luks2Header } from './header.ts';
import { isObject, JsonNumberText, type JsonValue, membersOf } from './json-text.ts';
import { jsonOf } from './metadata.ts';

export function dumpJson(header: Luks2Header): unknown {
  const { damage } = header;
  return {
    version: 2,
    epoch: Number(header.sequenceId),
    metadataBytes: header.headerBytes,
    keyslotsBytes: keyslotsAreaBytes(header),
    uuid: header.uuid,
    label: header.label,
    subsystem: header.subsystem,
    checksumAlgorithm: header.checksumAlgorithm,
    damage: {
      primary: damage.primary?.message ?? null,
      secondary: damage.secondary?.message ?? null,
    },
    metadata: plain(jsonOf(header.metadata)),
  };
}

function plain(value: JsonValue): unknown {
  if (value instanceof JsonNumberText) return Number(value.text);
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries([...membersOf(value)].map(([name, member]) => [name, plain(member)]));
}
