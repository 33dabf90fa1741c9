/** Time, injected, so that a simulation can own it. The only place with ambient time. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds from some fixed point, monotonic, fractional. */
  nowMs(): number;
  /** Milliseconds since 1970, for what people and disks read. */
  wallMs(): number;
  /** Runs `action` once after `delayMs`. A pending timer does not keep the process alive when `background` is set. */
  after(delayMs: number, action: () => void, options?: { background?: boolean }): Timer;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action, options) {
    const handle = setTimeout(action, delayMs);
    if (options?.background) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs` of the clock's time. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** Whether `action` ends before `delayMs` are over; it goes on if not. Rejects as it does. */
export function endsWithin(
  clock: Clock,
  delayMs: number,
  action: Promise<unknown>,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(delayMs, () => resolve(false));
    action.finally(() => timer.cancel()).then(() => resolve(true), reject);
  });
}
