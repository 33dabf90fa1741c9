/** What `devmapper serve` says once it serves: what, where, and what to type next. */

import { formatBytes, sectorsToBytes } from '../base/units.ts';
import type { RowSpec } from '../core/table.ts';
import type { Style } from './style.ts';

export interface ServedDevice {
  name: string;
  sizeSectors: number;
  readOnly: boolean;
  rows: readonly RowSpec[];
  uris: readonly string[];
}

export interface ServedState {
  devices: readonly ServedDevice[];
  /** Of the Unix socket, if there is one. */
  socketPath: string | null;
  pid: number;
}

/** One line; the fields are a contract, see docs/serve.md. */
export function formatJson({ devices, socketPath, pid }: ServedState): string {
  const described = devices.map(({ name, sizeSectors, readOnly, rows, uris }) => ({
    name,
    sizeBytes: sectorsToBytes(sizeSectors),
    readOnly,
    table: rows.map(formatRow),
    uris,
  }));
  return `${JSON.stringify({ devices: described, socket: socketPath, pid })}\n`;
}

export function formatText(state: ServedState, style: Style): string {
  const blocks = state.devices.map((device) => formatDevice(device, style));
  return `${blocks.join('\n')}\n${formatNextSteps(state, style)}`;
}

/** Rows of a long table that are shown at each end. */
const SHOWN_ROWS = 6;

function formatDevice(device: ServedDevice, style: Style): string {
  const { name, sizeSectors, readOnly, rows, uris } = device;
  const size = `${formatBytes(sectorsToBytes(sizeSectors))} (${sizeSectors} sectors)`;
  const access = readOnly ? ', read-only' : '';
  const head = `${style.bold(name)}: ${size}${access}\n`;
  const table = abridge(formatTable(rows)).map((line) => `  ${style.dim(line)}\n`);
  const where = uris.map((uri) => `  ${style.cyan(uri)}\n`);
  return [head, ...table, ...where].join('');
}

function abridge(lines: readonly string[]): string[] {
  if (lines.length <= 2 * SHOWN_ROWS) return [...lines];
  const hidden = lines.length - 2 * SHOWN_ROWS;
  return [
    ...lines.slice(0, SHOWN_ROWS),
    `... ${hidden} more rows ...`,
    ...lines.slice(-SHOWN_ROWS),
  ];
}

/** Columns aligned, for people; `formatRow` is for machines. */
function formatTable(rows: readonly RowSpec[]): string[] {
  const width = (pick: (row: RowSpec) => unknown) =>
    rows.reduce((most, row) => Math.max(most, String(pick(row)).length), 0);
  const starts = width((row) => row.start);
  const lengths = width((row) => row.length);
  const types = width((row) => row.type);
  return rows.map(({ start, length, type, params }) =>
    [String(start).padStart(starts), String(length).padStart(lengths), type.padEnd(types), params]
      .join('  ')
      .trimEnd(),
  );
}

export function formatRow({ start, length, type, params }: RowSpec): string {
  return `${start} ${length} ${type} ${params}`;
}

function formatNextSteps({ devices, socketPath }: ServedState, style: Style): string {
  const device = devices.at(-1);
  const uri = device?.uris[0];
  if (!device || uri === undefined) return '';
  const steps = [
    `nbdinfo '${uri}'`,
    `nbdcopy '${uri}' copy.img`,
    `qemu-system-x86_64 -drive 'file=${uri},format=raw,if=virtio'`,
  ];
  if (socketPath !== null) {
    steps.push(`sudo nbd-client -unix ${socketPath} -N ${device.name} /dev/nbd0`);
  }
  const lines = steps.map((step) => `  ${step}\n`).join('');
  return `${style.bold('Next, in another terminal:')}\n${lines}${style.dim('Ctrl-C flushes and stops.')}\n`;
}
