/**
 * A mapper inside this process, as empty as a kernel that was just booted: what queries see where no daemon runs. Loaded only
 * then, since it brings the whole engine along.
 */

import { Errno } from '../../base/errors.ts';
import { Mapper } from '../../core/mapper.ts';
import { createTargetRegistry } from '../../core/target.ts';
import { DeviceStore } from '../../devices/store.ts';
import { targets } from '../../targets/index.ts';
import type { IoctlCall, Transport } from '../client/transport.ts';
import { type ControlContext, createSession, handleIoctl } from '../ioctl/index.ts';
import { IOCTL_BASE } from '../protocol/commands.ts';
import type { ControlReply } from '../protocol/frames.ts';

/** `mapper` lets several transports, or a test, share one. */
export function openLocal(directory: string, mapper: Mapper = createMapper()): Transport {
  return new LocalTransport(directory, mapper);
}

function createMapper(): Mapper {
  return new Mapper({ registry: createTargetRegistry(targets), opener: new DeviceStore() });
}

class LocalTransport implements Transport {
  readonly backend = 'devmapper';
  readonly #context: ControlContext;
  readonly #directory: string;
  readonly #session;

  constructor(directory: string, mapper: Mapper) {
    this.#context = { mapper, settle: () => Promise.resolve() };
    this.#directory = directory;
    this.#session = createSession(mapper);
  }

  ioctl({ command, buffer, signal }: IoctlCall): Promise<ControlReply> {
    return handleIoctl(this.#context, {
      command: IOCTL_BASE + command,
      buffer,
      directory: this.#directory,
      signal: signal ?? new AbortController().signal,
      session: this.#session,
    });
  }

  daemon(): Promise<ControlReply> {
    const reason = 'no daemon runs; "devmapper daemon start" starts one';
    return Promise.resolve({ errno: Errno.ENOTSUP, buffer: new Uint8Array(0), reason });
  }

  async nextEvent(signal: AbortSignal = new AbortController().signal): Promise<void> {
    await this.#context.mapper.waitGlobalEvent(this.#session.armedEventNumber, signal);
  }

  another(): Promise<Transport> {
    return Promise.resolve(new LocalTransport(this.#directory, this.#context.mapper));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
