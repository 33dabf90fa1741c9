/** The first signal asks to stop, a second one what is being waited for, a third one forces the end; or the second already. */

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export interface StopHandlers {
  /** What keeps the drain from ending, for the second signal. */
  waitingFor(): string;
  /** Ends the process at once. */
  force(): void;
  say(line: string): void;
  /** Nobody reads what a second signal would tell: it forces. */
  forceAtSecond?: boolean;
}

/** Resolves with the first signal; later ones go to the handlers. `dispose` gives the signals back. */
export function listenForStop(handlers: StopHandlers): {
  stopped: Promise<StopSignal>;
  dispose(): void;
} {
  let count = 0;
  let first: (signal: StopSignal) => void = () => {};
  const stopped = new Promise<StopSignal>((resolve) => {
    first = resolve;
  });
  const listen = (signal: StopSignal) => {
    count += 1;
    if (count === 1) first(signal);
    else if (count === 2 && !handlers.forceAtSecond)
      handlers.say(`Still stopping: ${handlers.waitingFor()}. Once more gives up on it.`);
    else handlers.force();
  };
  for (const signal of SIGNALS) process.on(signal, listen);
  return {
    stopped,
    dispose: () => {
      for (const signal of SIGNALS) process.off(signal, listen);
    },
  };
}
