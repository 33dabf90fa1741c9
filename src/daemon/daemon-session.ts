/** What answers one connection of the control socket: ioctls by their handlers, JSON by the daemon's methods. */

import { Errno, errnoName } from '../base/errors.ts';
import { type ControlContext, type ControlSession, handleIoctl } from '../control/ioctl/index.ts';
import { Command, IOCTL_BASE } from '../control/protocol/commands.ts';
import {
  type ControlReply,
  type ControlRequest,
  DAEMON_REQUEST,
} from '../control/protocol/frames.ts';
import type { ControlSessionHandler } from '../control/server/connection.ts';
import type { Daemon } from './daemon.ts';
import { shortened, withoutKeys } from './log.ts';
import { daemonMethods } from './method-list.ts';
import { answerDaemonRequest, isMereQuestion } from './methods.ts';

export interface DaemonSessionOptions {
  daemon: Daemon;
  context: ControlContext;
  session: ControlSession;
}

const commandNames = new Map<number, string>(
  Object.entries(Command).map(([name, number]) => [IOCTL_BASE + number, name]),
);

export class DaemonSession implements ControlSessionHandler {
  readonly #options: DaemonSessionOptions;

  constructor(options: DaemonSessionOptions) {
    this.#options = options;
  }

  async handle(request: ControlRequest, signal: AbortSignal): Promise<ControlReply> {
    const { daemon, session } = this.#options;
    if (daemon.stopping) return stoppingReply();
    const isIoctl = request.ioctl !== DAEMON_REQUEST;
    const reply = isIoctl
      ? await this.#ioctl(request, signal)
      : await answerDaemonRequest(daemonMethods, request.buffer, { daemon, session, signal });
    if (reply.errno !== 0) this.#logFailure(request, reply);
    return reply;
  }

  #ioctl(request: ControlRequest, signal: AbortSignal): Promise<ControlReply> {
    const { context, session } = this.#options;
    const { ioctl: command, buffer, directory } = request;
    return handleIoctl(context, { command, buffer, directory, signal, session });
  }

  #logFailure({ ioctl }: ControlRequest, { errno, reason }: ControlReply): void {
    const what =
      ioctl === DAEMON_REQUEST ? 'daemon' : (commandNames.get(ioctl) ?? `ioctl ${ioctl}`);
    const entry = { request: what, errno: errnoName(errno) };
    const level = isMereQuestion(errno) ? 'debug' : 'warn';
    this.#options.daemon.log[level](entry, shortened(withoutKeys(reason)));
  }

  closed(): void {
    // The session's state goes with the object.
  }
}

function stoppingReply(): ControlReply {
  return { errno: Errno.ESHUTDOWN, buffer: new Uint8Array(0), reason: 'The daemon is stopping' };
}
