/** How the cases of ioctl-cases.ts are made. */

import { Command, IOCTL_BASE } from '../../src/control/protocol/commands.ts';
import { encodeRequest, type RequestFields } from '../../src/control/protocol/messages.ts';
import { encodeMessage, encodeText } from '../../src/control/protocol/strings.ts';
import { encodeTable } from '../../src/control/protocol/target-rows.ts';
import { parseTable } from '../../src/core/table-text.ts';

/** What the kernel of the tests gives to the device mapper; ours is made to use the same. */
export const KERNEL_MAJOR = 253;

export interface IoctlCase {
  what: string;
  /** An ioctl's number, or something done to a device's node by its minor number. */
  action: { ioctl: number } | { open: number } | 'close';
  memory: Uint8Array;
  /** Why the answer may differ; only the errno is compared then, or nothing. */
  differs?: { reason: string; compare: 'errno' | 'nothing' };
}

export const DATA_BYTES = 16_384;

interface CaseOptions extends RequestFields {
  /** Changes the bytes after they are made. */
  edit?: (bytes: Buffer) => void;
  /** How much memory there is; default: as much as data_size says. */
  memoryBytes?: number;
  ioctl?: number;
  differs?: IoctlCase['differs'];
}

type CommandName = keyof typeof Command;

export function ioctl(what: string, name: CommandName, options: CaseOptions = {}): IoctlCase {
  const { edit, memoryBytes, differs, ioctl: number, ...fields } = options;
  const dataSizeBytes = fields.dataSizeBytes ?? DATA_BYTES;
  const request = encodeRequest({ ...fields, dataSizeBytes });
  const memory = Buffer.alloc(memoryBytes ?? Math.max(dataSizeBytes, request.length));
  memory.set(request.subarray(0, memory.length));
  edit?.(memory);
  return {
    what: `${name}: ${what}`,
    action: { ioctl: number ?? IOCTL_BASE + Command[name] },
    memory,
    ...(differs && { differs }),
  };
}

export const open = (minor: number): IoctlCase => ({
  what: `open minor ${minor}`,
  action: { open: minor },
  memory: Buffer.from(`/dev/dm-${minor}`),
});

export const close: IoctlCase = { what: 'close', action: 'close', memory: new Uint8Array(0) };

export function load(
  what: string,
  name: string,
  table: string,
  options: CaseOptions = {},
): IoctlCase {
  const rows = parseTable(table);
  const fields = { name, targetCount: rows.length, payload: encodeTable(rows) };
  return ioctl(what, 'tableLoad', { ...fields, ...options });
}

export function message(
  what: string,
  name: string,
  text: string,
  options: CaseOptions & { sector?: number } = {},
): IoctlCase {
  const { sector = 0, ...rest } = options;
  return ioctl(what, 'targetMessage', { name, payload: encodeMessage(sector, text), ...rest });
}

export function rename(
  what: string,
  name: string,
  text: string,
  options: CaseOptions = {},
): IoctlCase {
  return ioctl(what, 'deviceRename', { name, payload: encodeText(text), ...options });
}

export function geometry(text: string, options: CaseOptions = {}): IoctlCase {
  const payload = encodeText(text);
  return ioctl(JSON.stringify(text), 'deviceSetGeometry', { name: 'b', payload, ...options });
}

export const u32 = (offset: number, value: number) => (bytes: Buffer) => {
  bytes.writeUInt32LE(value, offset);
};
export const number = (minor: number, major = KERNEL_MAJOR) => ({ major, minor });
