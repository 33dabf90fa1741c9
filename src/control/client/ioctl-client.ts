/** `DmClient` over any transport: requests made, replies taken apart, buffers grown as libdevmapper does. */

import { DmError } from '../../base/errors.ts';
import type { DeviceNumber } from '../../core/device.ts';
import type { RowSpec } from '../../core/table.ts';
import { Command, type CommandNumber, Flag } from '../protocol/commands.ts';
import { encodeDaemonRequest } from '../protocol/daemon-request.ts';
import { MAX_BUFFER_BYTES } from '../protocol/frames.ts';
import { type Header, readVersion } from '../protocol/header.ts';
import { decodeDependencies, decodeDevices, decodeTargets } from '../protocol/lists.ts';
import { decodeReply, encodeRequest, type RequestFields } from '../protocol/messages.ts';
import { decodeText, encodeMessage, encodeText } from '../protocol/strings.ts';
import { decodeRows, encodeTable } from '../protocol/target-rows.ts';
import type {
  DeviceEntry,
  DeviceSelector,
  DeviceStatus,
  DmClient,
  SuspendFlags,
  TableQuery,
  TableReply,
  TargetVersion,
} from './dm-client.ts';
import { deviceStatus, flagsOf, queryFlags, replyError, selectDevice } from './messages.ts';
import type { Transport } from './transport.ts';

/** As libdevmapper begins. */
const FIRST_ROOM_BYTES = 16 * 1024;

interface Answer {
  header: Header;
  payload: Uint8Array;
}

export class IoctlClient implements DmClient {
  readonly #transport: Transport;
  /** Everything sent before has been answered. */
  #idle: Promise<unknown> = Promise.resolve();
  /** What the last answer took: long lists stay long. */
  #roomBytes = FIRST_ROOM_BYTES;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get backend(): 'devmapper' | 'kernel' {
    return this.#transport.backend;
  }

  version(): Promise<readonly [number, number, number]> {
    return this.#command(Command.version, {}).then((reply) => readVersion(reply));
  }

  list(): Promise<DeviceEntry[]> {
    return this.#call(Command.listDevices, { flags: Flag.uuid }, ({ payload }) =>
      decodeDevices(payload),
    );
  }

  create(options: { name: string; uuid?: string; number?: DeviceNumber }): Promise<DeviceStatus> {
    const flags = options.number === undefined ? 0 : Flag.persistentDev;
    return this.#status(Command.deviceCreate, { ...options, flags });
  }

  remove(device: DeviceSelector, options: { deferred?: boolean } = {}): Promise<DeviceStatus> {
    const flags = flagsOf([[Flag.deferredRemove, options.deferred]]);
    return this.#status(Command.deviceRemove, { ...selectDevice(device), flags });
  }

  async removeAll(options: { deferred?: boolean } = {}): Promise<void> {
    const flags = flagsOf([[Flag.deferredRemove, options.deferred]]);
    await this.#command(Command.removeAll, { flags });
  }

  rename(device: DeviceSelector, name: string): Promise<DeviceStatus> {
    const payload = encodeText(name);
    return this.#status(Command.deviceRename, { ...selectDevice(device), payload });
  }

  setUuid(device: DeviceSelector, uuid: string): Promise<DeviceStatus> {
    const payload = encodeText(uuid);
    const fields = { ...selectDevice(device), payload, flags: Flag.uuid };
    return this.#status(Command.deviceRename, fields);
  }

  suspend(device: DeviceSelector, flags: SuspendFlags = {}): Promise<DeviceStatus> {
    return this.#suspend(device, flags, true);
  }

  resume(device: DeviceSelector, flags: SuspendFlags = {}): Promise<DeviceStatus> {
    return this.#suspend(device, flags, false);
  }

  #suspend(
    device: DeviceSelector,
    { noflush, skipLockfs }: SuspendFlags,
    on: boolean,
  ): Promise<DeviceStatus> {
    const flags = flagsOf([
      [Flag.suspend, on],
      [Flag.noflush, noflush],
      [Flag.skipLockfs, skipLockfs],
    ]);
    return this.#status(Command.deviceSuspend, { ...selectDevice(device), flags });
  }

  status(device: DeviceSelector, options: { inactive?: boolean } = {}): Promise<DeviceStatus> {
    const flags = flagsOf([[Flag.queryInactiveTable, options.inactive]]);
    return this.#status(Command.deviceStatus, { ...selectDevice(device), flags });
  }

  async wait(
    device: DeviceSelector,
    eventNumber: number,
    options: TableQuery & { signal?: AbortSignal } = { kind: 'status' },
  ): Promise<TableReply> {
    const { signal, ...query } = options;
    await using other = await this.#another();
    if (this.#transport.backend === 'kernel') {
      return await other.#waitByPolling(device, eventNumber, query, signal);
    }
    const fields = { ...selectDevice(device), eventNumber, flags: queryFlags(query) };
    return await other.#call(Command.deviceWait, fields, tableReply, signal);
  }

  /** A thread that sleeps in DEV_WAIT could not be called back. */
  async #waitByPolling(
    device: DeviceSelector,
    eventNumber: number,
    query: TableQuery,
    signal: AbortSignal | undefined,
  ): Promise<TableReply> {
    for (;;) {
      await this.#arm();
      const reply = await this.table(device, query);
      if (reply.device.eventNumber !== eventNumber) return reply;
      await this.#transport.nextEvent(signal);
    }
  }

  load(
    device: DeviceSelector,
    rows: readonly RowSpec[],
    options: { readOnly?: boolean; secureData?: boolean } = {},
  ): Promise<DeviceStatus> {
    const flags = flagsOf([
      [Flag.readOnly, options.readOnly],
      [Flag.secureData, options.secureData],
    ]);
    const payload = encodeTable(rows);
    const targetCount = rows.length;
    return this.#status(Command.tableLoad, {
      ...selectDevice(device),
      flags,
      payload,
      targetCount,
    });
  }

  clear(device: DeviceSelector): Promise<DeviceStatus> {
    return this.#status(Command.tableClear, selectDevice(device));
  }

  dependencies(
    device: DeviceSelector,
    options: { inactive?: boolean } = {},
  ): Promise<DeviceNumber[]> {
    const flags = flagsOf([[Flag.queryInactiveTable, options.inactive]]);
    return this.#call(Command.tableDeps, { ...selectDevice(device), flags }, ({ payload }) =>
      decodeDependencies(payload),
    );
  }

  table(device: DeviceSelector, query: TableQuery): Promise<TableReply> {
    const fields = { ...selectDevice(device), flags: queryFlags(query) };
    return this.#call(Command.tableStatus, fields, tableReply);
  }

  message(device: DeviceSelector, sector: number, text: string): Promise<string | null> {
    const fields = { ...selectDevice(device), payload: encodeMessage(sector, text) };
    return this.#call(Command.targetMessage, fields, ({ header, payload }) =>
      header.has(Flag.dataOut) ? (decodeText(payload, 0, 'answer') ?? '') : null,
    );
  }

  async setGeometry(
    device: DeviceSelector,
    geometry: { cylinders: number; heads: number; sectors: number; start: number },
  ): Promise<DeviceStatus> {
    const { cylinders, heads, sectors, start } = geometry;
    const payload = encodeText(`${cylinders} ${heads} ${sectors} ${start}`);
    // Its answer is empty.
    await this.#command(Command.deviceSetGeometry, { ...selectDevice(device), payload });
    return this.status(device);
  }

  targetVersions(): Promise<TargetVersion[]> {
    return this.#call(Command.listVersions, {}, ({ payload }) => decodeTargets(payload));
  }

  async targetVersion(name: string): Promise<TargetVersion> {
    const [found] = await this.#call(Command.targetVersion, { name }, ({ payload }) =>
      decodeTargets(payload),
    );
    if (found) return found;
    throw new DmError('EPROTO', `The mapper says nothing about the target "${name}"`);
  }

  async nextEvent(options: { signal?: AbortSignal } = {}): Promise<void> {
    await using other = await this.#another();
    await other.#arm();
    await other.#transport.nextEvent(options.signal);
  }

  /** From now on events count for `nextEvent`. */
  async #arm(): Promise<void> {
    await this.#command(Command.deviceArmPoll, {});
  }

  async daemon(method: string, params: object = {}): Promise<unknown> {
    const request = encodeDaemonRequest(method, params);
    const reply = await this.#next(() => this.#transport.daemon(request)).finally(() =>
      request.fill(0),
    );
    if (reply.errno !== 0) throw replyError(reply);
    return JSON.parse(Buffer.from(reply.buffer).toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport.close();
  }

  async #another(): Promise<IoctlClient> {
    return new IoctlClient(await this.#transport.another());
  }

  #status(command: CommandNumber, fields: RequestFields): Promise<DeviceStatus> {
    return this.#call(command, fields, ({ header }) => deviceStatus(header));
  }

  /** One request; again with twice the room as long as the answer does not fit. What it was made of is overwritten. */
  #call<Result>(
    command: CommandNumber,
    fields: RequestFields,
    read: (answer: Answer) => Result,
    signal?: AbortSignal,
  ): Promise<Result> {
    return this.#next(async () => {
      try {
        for (;;) {
          const reply = await this.#request(command, fields, signal);
          const { header, payload } = decodeReply(reply);
          if (!header.has(Flag.bufferFull)) return read({ header, payload });
          reply.fill(0);
          this.#grow();
        }
      } finally {
        fields.payload?.fill(0);
      }
    });
  }

  /** A command whose answer is only that it was done; resolves with the reply's first bytes. */
  #command(command: CommandNumber, fields: RequestFields): Promise<Uint8Array> {
    return this.#next(() => this.#request(command, fields));
  }

  async #request(
    command: CommandNumber,
    fields: RequestFields,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const buffer = encodeRequest({ ...fields, dataSizeBytes: this.#roomBytes });
    const reply = await this.#transport.ioctl({ command, buffer, ...(signal && { signal }) });
    buffer.fill(0);
    if (reply.errno !== 0) throw replyError(reply);
    return reply.buffer;
  }

  #grow(): void {
    if (this.#roomBytes >= MAX_BUFFER_BYTES) {
      throw new DmError('E2BIG', `The answer does not fit into ${MAX_BUFFER_BYTES} bytes`);
    }
    this.#roomBytes *= 2;
  }

  /** Runs `action` when everything before it has ended. */
  #next<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#idle.then(action, action);
    this.#idle = result.catch(() => undefined);
    return result;
  }
}

function tableReply({ header, payload }: Answer): TableReply {
  return { device: deviceStatus(header), rows: decodeRows(payload, header.targetCount) };
}
