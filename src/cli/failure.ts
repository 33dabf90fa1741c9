/** What a failing command tells: `devmapper: <reason>`, then what to do about it, then an exit status. */

import { DmsetupFailure } from './dmsetup/failure.ts';
import { ReportError } from './report/report-error.ts';

/** The command line is wrong, as against: the world is. */
export const USAGE_STATUS = 2;
export const FAILURE_STATUS = 1;

/** A failure that knows what to say next. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** Lines below the reason: where it was, what to do. */
  readonly details: readonly string[];
  readonly status: number;

  constructor(
    reason: string,
    options: { details?: readonly string[]; status?: number; cause?: unknown } = {},
  ) {
    super(reason, { cause: options.cause });
    this.details = options.details ?? [];
    this.status = options.status ?? FAILURE_STATUS;
  }
}

export function usageError(reason: string, ...details: string[]): CommandError {
  return new CommandError(reason, { details, status: USAGE_STATUS });
}

/** The text for standard error; the stack only for what can only be a bug of ours. */
export function describeFailure(error: unknown): { text: string; status: number } {
  if (error instanceof DmsetupFailure) {
    return { text: `${error.lines.join('\n')}\n`, status: FAILURE_STATUS };
  }
  if (error instanceof ReportError) return { text: error.text, status: FAILURE_STATUS };
  const { message, details, status } = partsOf(error);
  const lines = [`devmapper: ${message}`, ...details.map((line) => `  ${line}`)];
  return { text: `${lines.join('\n')}\n`, status };
}

function partsOf(error: unknown): { message: string; details: readonly string[]; status: number } {
  if (error instanceof CommandError) return error;
  if (!(error instanceof Error)) {
    return { message: String(error), details: [], status: FAILURE_STATUS };
  }
  const expected = error.name === 'DmError' || error.name === 'FormatError' || isSystemError(error);
  const details = expected ? [] : (error.stack ?? '').split('\n').slice(1);
  return {
    message: error.message,
    details: details.map((line) => line.trim()),
    status: FAILURE_STATUS,
  };
}

function isSystemError(error: Error): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** A reason with the code in front of it, e.g. for a file that cannot be read. */
export function because(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
