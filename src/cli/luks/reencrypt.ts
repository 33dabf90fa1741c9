/** The work of `devmapper luks reencrypt`: which kind it is, what is asked for, and the way to its end. */

import { statSync } from 'node:fs';
import {
  type Begun,
  beginChange,
  beginDecryption,
  beginEncryption,
  type DecryptRequest,
} from '../../mapper/luks/begin-reencrypt.ts';
import { isExportedHeader } from '../../mapper/luks/exported-header.ts';
import {
  demandReencryption,
  goOn,
  ReencryptImage,
  unlockBoth,
} from '../../mapper/luks/reencrypt.ts';
import { isLuks1UnderWay } from '../../mapper/luks/reencrypt-luks1.ts';
import { CommandError } from '../failure.ts';
import { listenForStop } from '../stop-signals.ts';
import type { LuksInvocation } from './command.ts';
import { openFailure, withImage } from './image.ts';
import type { LuksOptions } from './option-table.ts';
import { processHost } from './passphrase.ts';
import { startProgress } from './progress.ts';
import { beginWithLuks1, refuseMarked, resumeOfLuks1 } from './reencrypt-luks1.ts';
import {
  askExisting,
  askNew,
  collectKeys,
  confirmDecrypt,
  confirmEncrypt,
  tuningOf,
  wipeCollected,
} from './reencrypt-requests.ts';
import { cipherRequest, headerRequest, slotRequest } from './requests.ts';
import { INTERRUPTED, WRONG_PARAMETERS } from './status.ts';
import { unlock } from './unlock.ts';
import { wrongWords } from './words.ts';

export async function reencrypt({ operands, options }: LuksInvocation): Promise<number> {
  const [path = ''] = operands;
  checkTogether(options);
  try {
    const begun = await begin(path, options);
    if (begun === 'finished') return 0;
    await using image = begun.image;
    using keys = begun.keys;
    if (options['init-only']) return 0;
    return await run(path, { ...begun, image, keys }, options);
  } catch (error) {
    throw await openFailure(error, path);
  }
}

function checkTogether(options: LuksOptions): void {
  if (options.encrypt && options.decrypt) {
    throw wrongWords('Options --encrypt and --decrypt cannot be combined.');
  }
  if (options['init-only'] && options['resume-only']) {
    throw wrongWords('Options --init-only and --resume-only cannot be combined.');
  }
  if (options['reduce-device-size'] !== undefined && options.header !== undefined) {
    throw wrongWords('Options --reduce-device-size and --header cannot be combined.');
  }
}

async function begin(path: string, options: LuksOptions): Promise<Begun | 'finished'> {
  if (isLuks1UnderWay(path)) {
    const resumed = await resumeOfLuks1(path, options);
    if (resumed !== null) return resumed;
  }
  const volume = await currentState(path, options);
  if (volume === 'none') await refuseMarked(path, options);
  if (volume === 'luks1' || (volume === 'none' && options.type === 'luks1')) {
    if (options['resume-only']) throw notInReencryption(path);
    return await beginWithLuks1(path, options, volume);
  }
  if (volume === 'in-reencryption') return await resume(path, options);
  if (options['resume-only']) throw notInReencryption(path);
  if (options.encrypt) return await encrypt(path, options, volume);
  if (options.decrypt) return await decrypt(path, options, volume);
  return await change(path, options);
}

function notInReencryption(path: string): CommandError {
  return new CommandError('Device reencryption not in progress.', {
    status: WRONG_PARAMETERS,
    details: [`devmapper luks reencrypt ${path} begins one`],
  });
}

type State = 'in-reencryption' | 'luks' | 'luks1' | 'none';

async function currentState(path: string, options: LuksOptions): Promise<State> {
  const { header } = options;
  if (header !== undefined && statSync(header, { throwIfNoEntry: false }) === undefined) {
    return options.encrypt ? 'none' : await stateOf(path, {});
  }
  return await stateOf(path, header === undefined ? {} : { header });
}

async function stateOf(path: string, options: LuksOptions): Promise<State> {
  try {
    return await withImage<State>(path, options, 'read', ({ volume }) => {
      if (volume.version === 1) return Promise.resolve('luks1');
      const isUnderWay = volume.requirements.some((name) => name.startsWith('online-reencrypt'));
      return Promise.resolve(isUnderWay ? 'in-reencryption' : 'luks');
    });
  } catch (error) {
    const isPlain = error instanceof CommandError && error.message.includes('not a valid LUKS');
    if (isPlain) return 'none';
    throw error;
  }
}

async function resume(path: string, options: LuksOptions): Promise<Begun> {
  if (options['init-only'])
    throw wrongWords('LUKS2 reencryption is already initialized in metadata.');
  const { header: headerPath } = options;
  const image = await ReencryptImage.open(path, {
    ...(headerPath !== undefined && { header: headerPath }),
  });
  try {
    const header = await image.readHeader();
    demandReencryption(header);
    using passphrase = await askExisting(path, options);
    const keys = await unlockBoth(image.disks.header, header.metadata, passphrase);
    return { image, header, keys };
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

async function encrypt(path: string, options: LuksOptions, state: State): Promise<Begun> {
  if (state === 'luks') {
    throw new CommandError(`Device ${path} is already LUKS device. Aborting operation.`);
  }
  const { header } = options;
  const reduceBytes = options['reduce-device-size'];
  await confirmEncrypt(path, options);
  using passphrase = await askNew(path, options);
  return await beginEncryption(path, {
    ...tuningOf(options),
    ...(header !== undefined && { header }),
    ...(reduceBytes !== undefined && { reduceBytes }),
    format: {
      key: { ...slotRequest(options, options['key-slot']), passphrase },
      ...headerRequest(options),
    },
  });
}

async function decrypt(path: string, options: LuksOptions, state: State): Promise<Begun> {
  const { header } = options;
  if (state === 'none') throw new CommandError(`Device ${path} is not a valid LUKS device.`);
  if (header === undefined) {
    throw wrongWords(
      'LUKS2 decryption requires --header option.',
      'the detached header, or a new file: the header in front is moved there, because its place is needed',
    );
  }
  const place = await placeOf(path, header);
  await confirmDecrypt(path, options);
  const request = { ...tuningOf(options), header, place };
  return await beginDecryption(path, request, (headerPath) =>
    withImage(
      path,
      headerPath === null ? {} : { header: headerPath },
      'read',
      async ({ volume }) => {
        const prompt = `Enter passphrase for ${path}`;
        const unlocked = await unlock(volume, { prompt, options, slot: options['key-slot'] });
        unlocked.passphrase?.wipe();
        return unlocked.volumeKey;
      },
    ),
  );
}

async function placeOf(path: string, header: string): Promise<DecryptRequest['place']> {
  if (statSync(header, { throwIfNoEntry: false }) === undefined) return 'front';
  return (await isExportedHeader(path, header)) ? 'exported' : 'detached';
}

async function change(path: string, options: LuksOptions): Promise<Begun> {
  const { header } = options;
  const sectorBytes = options['sector-size'];
  const found = await withImage(path, options, 'read', ({ volume }) =>
    collectKeys(volume, path, options),
  );
  try {
    return await beginChange(path, found.volumeKey, {
      ...tuningOf(options),
      ...(header !== undefined && { header }),
      keepKey: options['keep-key'] === true,
      ...cipherRequest(options),
      ...(sectorBytes !== undefined && { sectorBytes }),
      keys: found.requests,
    });
  } finally {
    wipeCollected(found);
  }
}

async function run(path: string, begun: Begun, options: LuksOptions): Promise<number> {
  const progress = startProgress(path, options);
  const controller = new AbortController();
  const signals = listenForStop({
    say: processHost.say,
    waitingFor: () => 'the step under way',
    force: () => process.exit(INTERRUPTED),
  });
  void signals.stopped.then(() => controller.abort());
  let totalBytes = 0;
  try {
    const result = await goOn(begun.image, begun.header, begun.keys, {
      ...tuningOf(options),
      signal: controller.signal,
      onProgress: (at) => {
        totalBytes = at.totalBytes;
        progress.report(at.doneBytes, at.totalBytes);
      },
    });
    if (result === 'finished') {
      await begun.finish?.();
      progress.finish(totalBytes);
      return 0;
    }
  } finally {
    progress.stop();
    signals.dispose();
  }
  processHost.say('Reencryption interrupted. The same command goes on with it.');
  return INTERRUPTED;
}
