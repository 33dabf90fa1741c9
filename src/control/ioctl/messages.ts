/** TARGET_MSG: words for the target at a sector, or, when the first begins with `@`, for the core itself. */

import { DmError } from '../../base/errors.ts';
import { splitArguments } from '../../core/arguments.ts';
import { wipeSecrets } from '../../core/line-secrets.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Secret } from '../../crypto/secret.ts';
import { Flag } from '../protocol/commands.ts';
import { HEADER_BYTES } from '../protocol/header.ts';
import { decodeMessage, encodeText } from '../protocol/strings.ts';
import type { IoctlCall } from './call.ts';
import { fillStatus, findDevice } from './devices.ts';
import { handleStatisticsMessage } from './statistics-messages.ts';

export async function sendMessage(call: IoctlCall): Promise<void> {
  const { input, header } = call;
  const { dataStart } = header;
  const roomBytes = call.room();
  const device = findDevice(call);
  const message = dataStart < HEADER_BYTES ? null : decodeMessage(input, dataStart);
  if (!message) throw new DmError('EINVAL', 'Invalid target message parameters');
  const argv = splitArguments(message.text);
  if (argv.length === 0) throw new DmError('EINVAL', 'Empty message received');
  const release = device.hold();
  try {
    const { sector, secrets } = message;
    const { live } = device;
    const answer = await deliver(device, { sector, secrets, argv, roomBytes });
    live?.keyring.forgetUsed();
    fillStatus(call, device);
    if (answer !== null) answerText(call, answer, roomBytes);
  } finally {
    wipeSecrets(message.secrets);
    release();
  }
}

/** A byte must be left over, else the kernel cannot know that nothing was cut off. */
function answerText(call: IoctlCall, text: string, roomBytes: number): void {
  call.header.put(Flag.dataOut, true);
  const payload = encodeText(text);
  call.answer(payload.length < roomBytes ? payload : null);
}

interface Message {
  sector: number;
  argv: readonly string[];
  /** What words of it name. */
  secrets: readonly Secret[];
  roomBytes: number;
}

/** null: there is nothing to answer. */
async function deliver(
  device: MappedDevice,
  { sector, argv, secrets, roomBytes }: Message,
): Promise<string | null> {
  if (argv[0]!.toLowerCase() === '@cancel_deferred_remove') {
    cancelDeferredRemove(device, argv);
    return null;
  }
  const statistics = handleStatisticsMessage(device, argv, roomBytes);
  if (statistics !== undefined) return statistics;
  return (await device.message(sector, argv, secrets)) ?? null;
}

function cancelDeferredRemove(device: MappedDevice, argv: readonly string[]): void {
  if (argv.length !== 1) {
    throw new DmError('EINVAL', 'Invalid arguments for @cancel_deferred_remove');
  }
  device.deferredRemove = false;
}
