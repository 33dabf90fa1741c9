/** Keys are in this process's memory: a core file of it must have none of it. */

import { writeFileSync } from 'node:fs';

/** See core(5). Where there is no such file nothing is promised. */
export function keepOutOfCoreFiles(): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch {
    // Not Linux, or a /proc that cannot be written to.
  }
}
