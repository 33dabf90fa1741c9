/** Where targets get memory for what they send below instead of their caller's data. */

export interface TargetMemory {
  /** Not zeroed; every device below takes it. */
  takeMemory(lengthBytes: number): Uint8Array;
  freeMemory(memory: Uint8Array): void;
  /** How much one target should have at a time. */
  readonly limitBytes: number;
}

/** Of data that wait for a disk. */
const LIMIT_BYTES = 4 * 1024 * 1024;

/** For the main thread, whose devices take any memory. */
export const plainMemory: TargetMemory = {
  takeMemory: (lengthBytes) => new Uint8Array(lengthBytes),
  freeMemory: () => undefined,
  limitBytes: LIMIT_BYTES,
};
