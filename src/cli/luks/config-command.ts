/** `devmapper luks config`. */

import type { LuksCommand, LuksInvocation } from './command.ts';
import { withImage } from './image.ts';
import { priorityOf, requireLuks2 } from './requests.ts';
import { wrongWords } from './words.ts';

const HELP = `
Examples:
  devmapper luks config --label backup --subsystem nightly disk.img     '' takes one away
  devmapper luks config --key-slot 1 --priority prefer disk.img         tried first
  devmapper luks config --key-slot 2 --priority ignore disk.img         tried only when asked for by its number
`;

export const configCommand: LuksCommand = {
  name: 'config',
  usage: '<image> [options]',
  summary: 'set label, subsystem, or the priority of a key slot (LUKS2)',
  operands: [1, 1],
  options: ['label', 'subsystem', 'priority', 'key-slot', 'header'],
  help: HELP,
  run: config,
};

async function config({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const { label, subsystem, priority } = options;
  const slot = options['key-slot'];
  const wanted = priority === undefined ? undefined : priorityOf(priority);
  const hasLabels = label !== undefined || subsystem !== undefined;
  if (wanted === undefined && !hasLabels) {
    throw wrongWords('Option --priority, --label or --subsystem is missing.');
  }
  if (wanted !== undefined && slot === undefined) {
    throw wrongWords('Keyslot specification is required.', '--key-slot NUMBER');
  }
  await withImage(path, options, 'header', async (image) => {
    const luks2 = requireLuks2(image, 'labels and priorities');
    if (wanted !== undefined && slot !== undefined) await luks2.setPriority(slot, wanted);
    if (!hasLabels) return;
    await luks2.setLabels({
      ...(label !== undefined && { label }),
      ...(subsystem !== undefined && { subsystem }),
    });
  });
}
