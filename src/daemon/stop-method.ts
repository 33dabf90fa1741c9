/** `stop {"force"?: boolean}`: refused while a device is open. The answer comes when everything is flushed. */

import { booleanParam, type DaemonMethod } from './methods.ts';

export interface StopAnswer {
  pid: number;
  /** What could not be brought to an end or flushed. */
  problems: readonly string[];
}

export const stopMethod: DaemonMethod = async (params, { daemon }): Promise<StopAnswer> => {
  const force = booleanParam(params, 'force');
  const problems = await daemon.stop({ force, reason: force ? 'stop --force' : 'stop' });
  return { pid: process.pid, problems };
};
