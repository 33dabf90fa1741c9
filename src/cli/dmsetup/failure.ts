/**
 * How a dmsetup command fails: the line that dmsetup prints on standard error, below it the reason, which dmsetup does not know, and
 * at the end dmsetup's last line. Without the lines that begin with `  reason: ` the text is dmsetup's.
 */

import { errnoWords } from '../../base/errno-words.ts';
import { DmError } from '../../base/errors.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';

export class DmsetupFailure extends Error {
  override readonly name = 'DmsetupFailure';
  /** For standard error, without line ends. */
  readonly lines: readonly string[];

  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options);
    this.lines = lines;
  }
}

/** The command was understood and could not be done. */
export function commandFailed(lines: readonly string[], cause?: unknown): DmsetupFailure {
  return new DmsetupFailure([...lines, 'Command failed.'], { cause });
}

/** The options make no sense. */
export function badCommandLine(line: string): DmsetupFailure {
  return new DmsetupFailure([line, "Couldn't process command line."]);
}

export function reasonLine(reason: string): string {
  return `  reason: ${reason.replaceAll('\n', '\n    ')}`;
}

/** What a request said about its device: only the parts that dmsetup would have sent. */
export interface NamedDevice {
  name?: string;
  uuid?: string;
  number?: DeviceNumber;
}

/** `device-mapper: reload ioctl on bad (252:0) failed: Invalid argument`, and the reason if that says more than the errno. */
export function ioctlLines(task: string, device: NamedDevice, error: DmError): string[] {
  const { name = '', uuid = '', number } = device;
  const devno = number ? `(${formatDeviceNumber(number)})` : '';
  const words = errnoWords(error.errno);
  const line = `device-mapper: ${task} ioctl on ${name} ${uuid}${devno} failed: ${words}`;
  return error.message === words ? [line] : [line, reasonLine(error.message)];
}

/** Does a request; its `DmError` becomes the failure of the command, below lines that are to be said then. */
export async function request<T>(
  task: string,
  device: NamedDevice,
  run: () => Promise<T>,
  before: readonly string[] = [],
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof DmError) {
      throw commandFailed([...before, ...ioctlLines(task, device, error)], error);
    }
    throw error;
  }
}
