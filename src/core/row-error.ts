/** Refusals of rows. */

import { DmError } from '../base/errors.ts';
import type { RowSpec } from './table.ts';

/** Why a row was refused; a caller that knows where the row came from can say so. */
export class RowError extends DmError {
  readonly row: RowSpec;

  constructor(row: RowSpec, message: string, cause?: DmError) {
    super(
      cause?.code ?? 'EINVAL',
      `${row.type}: ${message} (table row at sector ${row.start})`,
      cause && { cause },
    );
    this.row = row;
  }
}

export function refusal(spec: RowSpec, message: string, cause?: DmError): RowError {
  return new RowError(spec, message, cause);
}
