/** Why a report cannot be made: what dmsetup writes to standard error, help included. The command's exit status is 1. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  /** Lines, each with its end. */
  readonly text: string;

  constructor(text: string) {
    super(text.trimEnd().split('\n').at(-1));
    this.text = text;
  }
}
