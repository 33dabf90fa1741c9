/** One dm-ioctl, from the caller's bytes to the answer's: `handleIoctl`. Never rejects: a failure is an errno in the reply. */

import type { Mapper } from '../../core/mapper.ts';
import type { ControlContext, ControlSession, IoctlReply, IoctlRequest } from './types.ts';

export type { ControlContext, ControlSession, IoctlReply, IoctlRequest } from './types.ts';

/** For each opener of the control node, when it opens it. */
export function createSession(mapper: Mapper): ControlSession {
  return { armedEventNumber: mapper.globalEventNumber };
}

export async function handleIoctl(
  context: ControlContext,
  request: IoctlRequest,
): Promise<IoctlReply> {
  await context.settle();
  void request;
  throw new Error('not there yet');
}
