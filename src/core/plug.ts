/**
 * Plugging, as blk_plug: while a split request is being handed out, bottom devices hold their bios back,
 * so that neighbouring pieces become one readv or writev. One plug per thread.
 */

export interface PluggedQueue {
  /** Starts everything held back. */
  unplug(): void;
}

let depth = 0;
const waiting: PluggedQueue[] = [];

export function isPlugged(): boolean {
  return depth > 0;
}

/** Called by a device that holds its first bio back. */
export function unplugLater(queue: PluggedQueue): void {
  waiting.push(queue);
}

export function beginPlug(): void {
  depth += 1;
}

/** Starts what is held back although more may come, for somebody who cannot go on before some of it has ended. */
export function flushPlug(): void {
  for (let queue = waiting.pop(); queue; queue = waiting.pop()) queue.unplug();
}

export function endPlug(): void {
  depth -= 1;
  if (depth === 0) flushPlug();
}
