/** `devmapper luks format`. */

import { statSync } from 'node:fs';
import type { FormatRequest } from '../../formats/luks/types.ts';
import { formatLuksImage } from '../../mapper/luks/format.ts';
import type { LuksCommand, LuksInvocation } from './command.ts';
import { PBKDF_OPTIONS, UNLOCK_OPTIONS } from './command.ts';
import { confirm } from './confirm.ts';
import { openFailure, versionOf } from './image.ts';
import { readKeyFile } from './key-file.ts';
import type { LuksOptions } from './option-table.ts';
import { keyFileOf, processHost, readPassphrase } from './passphrase.ts';
import { readStart } from './read-start.ts';
import { headerRequest, slotRequest } from './requests.ts';
import { describeSignature, findSignatures } from './signature-probe.ts';
import { wrongWords } from './words.ts';

const HELP = `
Makes a LUKS volume in a file or block device, and one key slot for the passphrase. The data that were there are lost: without
--batch-mode it says what is there now, and asks. New files: truncate -s 1G disk.img
Sectors of LUKS2 have 4096 bytes in files and on disks of such blocks, where the size is a multiple of that, else 512 (--sector-size).

Examples:
  devmapper luks format disk.img                        LUKS2, aes-xts-plain64, argon2id
  devmapper luks format disk.img key.bin                the passphrase is what the file key.bin holds
  devmapper luks format -q disk.img < passphrase        in scripts: the first line of standard input
  devmapper luks format --type luks1 --hash sha512 disk.img
  devmapper luks format --header disk.header disk.img   all of disk.img is data, the header lies in a file of its own
  devmapper luks format --pbkdf-memory 65536 --pbkdf-parallel 1 disk.img
      for machines with little memory: unlocking takes as much as formatting said
`;

export const formatCommand: LuksCommand = {
  name: 'format',
  usage: '<image> [<key_file>] [options]',
  summary: 'make an encrypted image',
  operands: [1, 2],
  options: [
    'type',
    'cipher',
    'key-size',
    ...PBKDF_OPTIONS,
    'sector-size',
    'label',
    'subsystem',
    'uuid',
    'key-slot',
    ...UNLOCK_OPTIONS,
    'verify-passphrase',
    'volume-key-file',
    'master-key-file',
    'header',
    'offset',
    'align-payload',
    'luks2-metadata-size',
    'luks2-keyslots-size',
  ],
  help: HELP,
  run: format,
};

async function format({ operands, options }: LuksInvocation): Promise<void> {
  const [path = '', keyFile] = operands;
  const batchMode = options['batch-mode'] === true;
  const version = versionOf(options) ?? 2;
  checkTogether(options, keyFile);
  const request = formatRequest(options, path);
  if (!batchMode) await askFirst(path, options);
  using volumeKey = await readVolumeKey(options, request.keyBytes);
  using passphrase = await readPassphrase({
    ...keyFileOf(options),
    ...(keyFile !== undefined && { keyFile }),
    prompt: `Enter passphrase for ${path}`,
    verify: !batchMode || options['verify-passphrase'] === true,
    isNew: true,
  });
  const key = { ...slotRequest(options, options['key-slot']), passphrase };
  try {
    const { header } = options;
    await formatLuksImage(path, {
      ...request,
      version,
      key,
      ...(header !== undefined && { header }),
      ...(volumeKey && { volumeKey }),
    });
  } catch (error) {
    throw await openFailure(error, path);
  }
}

function checkTogether(options: LuksOptions, keyFile: string | undefined): void {
  if (keyFile !== undefined && options['key-file'] !== undefined) {
    throw wrongWords('The key file is given twice: behind the image, and with --key-file.');
  }
  if (options.offset !== undefined && options['align-payload'] !== undefined) {
    throw wrongWords('Options --align-payload and --offset cannot be combined.');
  }
}

const SECTOR_BYTES = 512;

type PlainRequest = Omit<FormatRequest, 'key' | 'volumeKey' | 'detached' | 'dataSizeBytes'>;

function formatRequest(options: LuksOptions, path: string): PlainRequest {
  const { offset } = options;
  const align = options['align-payload'];
  if (path === '') throw wrongWords('The image has no name.');
  const request = headerRequest(options);
  checkSectorSize(request.sectorBytes);
  return {
    ...request,
    ...(offset !== undefined && { dataOffsetBytes: offset * SECTOR_BYTES }),
    ...(align !== undefined && { alignBytes: align * SECTOR_BYTES }),
  };
}

function checkSectorSize(bytes: number | undefined): void {
  if (bytes === undefined || [512, 1024, 2048, 4096].includes(bytes)) return;
  const got = `got ${bytes}, expected 512, 1024, 2048 or 4096`;
  throw wrongWords('Unsupported encryption sector size.', got);
}

/** cryptsetup warns of what is there even where it cannot ask. */
async function askFirst(path: string, { header }: LuksOptions): Promise<void> {
  const lost = header ?? path;
  for (const signature of signaturesOn(lost)) {
    processHost.say(`WARNING: ${describeSignature(lost, signature)}`);
  }
  await confirm({
    warning: [`This will overwrite data on ${lost} irrevocably.`],
    batchMode: false,
  });
}

/** A header file that is not there yet has nothing to lose; whatever else cannot be read is said when it is opened. */
function signaturesOn(path: string) {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  return findSignatures(readStart(path));
}

async function readVolumeKey(options: LuksOptions, keyBytes: number | undefined) {
  const path = options['volume-key-file'];
  if (path === undefined) return null;
  return await readKeyFile(path, { sizeBytes: keyBytes });
}
