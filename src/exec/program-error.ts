/** The program itself cannot be run, as against: its world cannot be made. */

import { DmError } from '../base/errors.ts';

const NOT_EXECUTABLE_STATUS = 126;
const NOT_FOUND_STATUS = 127;

export class ProgramError extends DmError {
  /** What a shell would end with. */
  get status(): number {
    return this.code === 'ENOENT' ? NOT_FOUND_STATUS : NOT_EXECUTABLE_STATUS;
  }
}
