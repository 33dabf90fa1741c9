/** `poll`: what poll(2) does on the kernel's control node; DEV_ARM_POLL on the same connection says from when on. */

import type { DaemonMethod } from './methods.ts';

/** Resolves with the global event number, as soon as it differs from the one that was armed. */
export const pollMethod: DaemonMethod = async (_params, { daemon, session, signal }) => {
  const { engine } = daemon.mapper;
  await engine.waitGlobalEvent(session.armedEventNumber, signal);
  return { eventNumber: engine.globalEventNumber };
};
