/** `devmapper luks convert`. */

import { convertLuks } from '../../formats/luks/convert.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { confirm } from './confirm.ts';
import { withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { wrongWords } from './words.ts';

const HELP = `
The data stay where they are and are not touched. LUKS2 becomes LUKS1 only while it has nothing that LUKS1 cannot say: pbkdf2
slots below number 8, sectors of 512 bytes, no tokens, no label. Make a backup of the header first.

Examples:
  devmapper luks convert --type luks2 disk.img
  devmapper luks convert --type luks1 disk.img
`;

export const convertCommand: LuksCommand = {
  name: 'convert',
  usage: '<image> --type luks1|luks2 [options]',
  summary: 'turn LUKS1 into LUKS2, or back',
  operands: [1, 1],
  options: ['type', 'header'],
  help: HELP,
  run: convert,
};

async function convert({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const version = wantedVersion(options);
  const { type: _, ...rest } = options;
  await withImage(path, rest, 'data', async ({ volume, header }) => {
    if (volume.version === version) throw wrongWords(`Device is already LUKS${version} type.`);
    const warning = [`This operation will convert ${path} to LUKS${version} format.`];
    await confirm({ warning, batchMode: options['batch-mode'] === true });
    await convertLuks(header, version);
  });
}

function wantedVersion({ type }: LuksOptions): 1 | 2 {
  if (type === 'luks1') return 1;
  if (type === 'luks2') return 2;
  throw wrongWords('Invalid LUKS type, only luks1 and luks2 are supported.', '--type luks1|luks2');
}
