/** One frame of `devmapper watch`: the tree of devices, and beside each what happens on it. */

import { formatBytes, sectorsToBytes } from '../base/units.ts';
import { type DeviceNumber, formatDeviceNumber } from '../core/device.ts';
import type { DevicesAnswer } from '../daemon/devices-method.ts';
import { printable, shownName } from './dmsetup/mangle.ts';
import { buildTree, type TreeNode } from './dmsetup/tree.ts';
import { drawTree, SYMBOLS } from './dmsetup/tree-text.ts';
import type { Style } from './style.ts';
import type { Rates } from './watch-rates.ts';

export interface Screen {
  columns: number;
  /** null: as many lines as there are. */
  lines: number | null;
}

interface Line {
  name: string;
  /** Of a mapped device; a leaf has none. */
  cells: readonly string[];
}

const HEADINGS = ['READ/s', 'WRITE/s', 'R IOPS', 'W IOPS', 'R ms', 'W ms', 'BUSY', 'SIZE'];
const CELL_COLUMNS = 10;
const LEAST_NAME_COLUMNS = 16;

/** Lines without their ends, no longer and no more than the screen. */
export function frameLines(
  answer: DevicesAnswer,
  rates: ReadonlyMap<string, Rates>,
  screen: Screen,
  style: Style,
): string[] {
  const lines = deviceLines(answer, rates);
  const numbers = HEADINGS.length * CELL_COLUMNS;
  const nameColumns = Math.max(LEAST_NAME_COLUMNS, screen.columns - numbers);
  const format = ({ name, cells }: Line) => {
    const text = `${inColumns(name, nameColumns)}${cells.map((cell) => cell.padStart(CELL_COLUMNS)).join('')}`;
    return text.trimEnd().slice(0, screen.columns);
  };
  const heading = style.bold(format({ name: 'DEVICE', cells: HEADINGS }));
  const body = lines.map(format);
  if (lines.length === 0) body.push('No devices found');
  const room = screen.lines === null ? body.length : Math.max(0, screen.lines - 2);
  const hidden = body.length - room;
  if (hidden > 0) body.splice(Math.max(0, room - 1), body.length, `... ${hidden + 1} more lines`);
  return [heading, ...body];
}

function deviceLines(answer: DevicesAnswer, rates: ReadonlyMap<string, Rates>): Line[] {
  const numberOf = ({ number }: TreeNode) => formatDeviceNumber(number);
  const entries = answer.devices.map(({ name, number }) => ({ name, number: parseNumber(number) }));
  const uses = new Map(
    answer.devices.map(({ number, dependencies }) => [number, dependencies.map(parseNumber)]),
  );
  const operands = new Map(answer.leaves.map(({ number, operand }) => [number, operand]));
  const details = new Map(answer.devices.map((device) => [device.number, device]));
  const nodes: TreeNode[] = [];
  const text = drawTree(buildTree(entries, uses).tops, {
    symbols: SYMBOLS.utf,
    compact: false,
    inverted: false,
    columns: null,
    label(node) {
      nodes.push(node);
      return printable(
        node.name === '' ? (operands.get(numberOf(node)) ?? numberOf(node)) : shownName(node.name),
      );
    },
  });
  const names = text.split('\n');
  return nodes.map((node, index) => {
    const found = rates.get(numberOf(node));
    const size = details.get(numberOf(node))?.sizeSectors ?? 0;
    return { name: names[index]!, cells: found ? cellsOf(found, size) : [] };
  });
}

function parseNumber(text: string): DeviceNumber {
  const [major = 0, minor = 0] = text.split(':').map(Number);
  return { major, minor };
}

function cellsOf(rates: Rates, sizeSectors: number): string[] {
  const ms = (value: number | null) => (value === null ? '-' : value.toFixed(2));
  return [
    formatBytes(Math.round(rates.readBytesPerSecond)),
    formatBytes(Math.round(rates.writeBytesPerSecond)),
    rates.readsPerSecond.toFixed(0),
    rates.writesPerSecond.toFixed(0),
    ms(rates.readMs),
    ms(rates.writeMs),
    String(rates.inFlight),
    formatBytes(sectorsToBytes(sizeSectors)),
  ];
}

function inColumns(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text + ' '.repeat(columns - characters.length);
  return `${characters.slice(0, columns - 1).join('')}…`;
}

/** What one line of `--json` holds. */
export function frameObject(
  answer: DevicesAnswer,
  rates: ReadonlyMap<string, Rates>,
  times: { wallMs: number; intervalMs: number },
): object {
  return {
    time: new Date(times.wallMs).toISOString(),
    intervalMs: Math.round(times.intervalMs),
    devices: answer.devices.map(({ name, number, openCount, suspended }) => {
      return { name, number, openCount, suspended, ...rates.get(number) };
    }),
  };
}
