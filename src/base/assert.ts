/** Assertions are for our own bugs, stay on in production, and are never made on input. */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws unless `condition`; the message says which invariant broke. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new AssertionError(`Bug in devmapper: ${invariant}`);
}

/** The `default` of an exhaustive switch: the compiler refuses it while a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`Bug in devmapper: unexpected value ${String(value)}`);
}
