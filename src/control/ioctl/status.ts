/** DEV_STATUS, TABLE_STATUS, TABLE_DEPS, DEV_WAIT: what a device and its table are. */

import { DmError } from '../../base/errors.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Row, RowSpec, Table } from '../../core/table.ts';
import { Flag } from '../protocol/commands.ts';
import { encodeDependencies } from '../protocol/lists.ts';
import { encodeRows } from '../protocol/target-rows.ts';
import type { IoctlCall } from './call.ts';
import { askedTable, fillStatus, findDevice } from './devices.ts';

export function deviceStatus(call: IoctlCall): void {
  fillStatus(call, findDevice(call));
}

export function tableStatus(call: IoctlCall): void {
  answerRows(call, findDevice(call));
}

/** The header, and a row for each target if there is a table; in the room there is. */
function answerRows(call: IoctlCall, device: MappedDevice): void {
  fillStatus(call, device);
  const table = askedTable(call, device);
  if (!table) return;
  const { payload, isFull } = encodeRows(rowsOf(call, table), call.room());
  if (payload.length > 0) call.answer(payload);
  if (isFull) call.setBufferFull();
}

/** One by one, so that nobody is asked for what does not fit. */
function* rowsOf(call: IoctlCall, table: Table): Generator<RowSpec, void, undefined> {
  const text = textOf(call);
  const secretsOf = call.header.has(Flag.statusTable)
    ? ({ target }: Row) => target.secrets ?? []
    : () => [];
  for (const row of table.rows) {
    const { start, length, type } = row;
    yield { start, length, type, params: text(row), secrets: secretsOf(row) };
  }
}

function textOf({ header }: IoctlCall): (row: Row) => string {
  if (header.has(Flag.statusTable)) return ({ target }) => target.table();
  if (header.has(Flag.imaMeasurement)) {
    return ({ target, targetType: { name, version } }) => {
      const measure = target.measure?.();
      if (measure === undefined) return '';
      return `target_name=${name},target_version=${version.join('.')},${measure};`;
    };
  }
  const noflush = header.has(Flag.noflush);
  return ({ target }) => target.status?.({ noflush }) ?? '';
}

export function tableDependencies(call: IoctlCall): void {
  const device = findDevice(call);
  fillStatus(call, device);
  const table = askedTable(call, device);
  if (!table) return;
  // The kernel puts each in front of those before.
  const numbers = table.devices.map(({ number }) => number).reverse();
  call.answer(encodeDependencies(numbers, call.room()));
}

/** Until the event number is another one than the request's, or the device goes. */
export async function waitDevice(call: IoctlCall): Promise<void> {
  const device = findDevice(call);
  const release = device.hold();
  try {
    await waitUninterrupted(device, call);
    answerRows(call, device);
  } finally {
    release();
  }
}

async function waitUninterrupted(device: MappedDevice, { header, signal }: IoctlCall) {
  try {
    await device.waitOtherEvent(header.eventNumber, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new DmError('EINTR', `Interrupted while waiting for an event of ${device.name}`, {
      cause: error,
    });
  }
}
