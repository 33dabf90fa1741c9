/** `devmapper luks uuid`. */

import type { LuksCommand, LuksInvocation } from './command.ts';
import { confirm } from './confirm.ts';
import { withImage } from './image.ts';

const HELP = `
Examples:
  devmapper luks uuid disk.img
  devmapper luks uuid --uuid "$(uuidgen)" disk.img      another one
`;

export const uuidCommand: LuksCommand = {
  name: 'uuid',
  usage: '<image> [options]',
  summary: 'print or change the UUID',
  operands: [1, 1],
  options: ['type', 'header', 'uuid', 'json'],
  help: HELP,
  run: uuid,
};

async function uuid({ operands: [path = ''], options }: LuksInvocation): Promise<void> {
  const wanted = options.uuid;
  if (wanted !== undefined) {
    const warning = ['Do you really want to change UUID of device?'];
    await confirm({ warning, batchMode: options['batch-mode'] === true });
    await withImage(path, options, 'header', ({ volume }) => volume.setUuid(wanted));
    return;
  }
  await withImage(path, options, 'read', ({ volume: { uuid } }) => {
    process.stdout.write(options.json ? `${JSON.stringify({ uuid })}\n` : `${uuid}\n`);
    return Promise.resolve();
  });
}
