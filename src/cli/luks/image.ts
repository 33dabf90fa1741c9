/** The image that a command works on: opened, locked, its header read; and what goes wrong with that, in cryptsetup's words. */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DmError } from '../../base/errors.ts';
import { IN_REENCRYPTION } from '../../formats/luks/index.ts';
import { type LuksImage, type OpenImageOptions, openLuksImage } from '../../mapper/luks/image.ts';
import { CommandError } from '../failure.ts';
import type { LuksOptions } from './option-table.ts';
import { findSignatures } from './signature-probe.ts';
import { BAD_PASSPHRASE, BUSY, luksFailure, WRONG_DEVICE, WRONG_PARAMETERS } from './status.ts';
import { wrongWords } from './words.ts';

/** What is done with it: nothing is written; the header is; or what the data are changes too. */
export type Access = 'read' | 'header' | 'data';

export async function withImage<T>(
  path: string,
  options: LuksOptions,
  access: Access,
  run: (image: LuksImage) => Promise<T>,
): Promise<T> {
  await using image = await openImage(path, options, access);
  return await run(image);
}

async function openImage(path: string, options: LuksOptions, access: Access): Promise<LuksImage> {
  const { header } = options;
  const version = versionOf(options);
  const wanted: OpenImageOptions = {
    readOnly: access === 'read',
    lock: access === 'data' ? 'image' : 'header',
    ...(header !== undefined && { header }),
    ...(version !== undefined && { version }),
  };
  try {
    return await openLuksImage(path, wanted);
  } catch (error) {
    throw await openFailure(error, header ?? path);
  }
}

/** Of `--type`. */
export function versionOf({ type }: LuksOptions): 1 | 2 | undefined {
  if (type === undefined || type === 'luks') return undefined;
  if (type === 'luks1') return 1;
  if (type === 'luks2') return 2;
  throw wrongWords(`Unrecognized metadata device type ${type}.`, 'expected luks1, luks2 or luks');
}

/** An image that cannot be opened at all, or one without a header. */
export async function openFailure(error: unknown, path: string): Promise<unknown> {
  if (!(error instanceof DmError)) return luksFailure(error);
  // The same code may be about something else: a cipher that is not there.
  if (error.code === 'ENOENT' && existsSync(path)) return luksFailure(error);
  switch (error.code) {
    case 'ENOENT':
      return new CommandError(`Device ${path} does not exist or access denied.`, {
        status: WRONG_DEVICE,
        details: [
          `no such file: ${resolve(path)}`,
          'a new image: truncate -s 1G FILE, then devmapper luks format FILE',
        ],
        cause: error,
      });
    case 'EACCES':
    case 'EISDIR':
    case 'ENOTDIR':
    case 'ENOTBLK':
      return imageError(`Device ${path} does not exist or access denied.`, WRONG_DEVICE, error);
    case 'EBUSY':
    case 'EAGAIN':
      return imageError(`Cannot use device ${path} which is in use.`, BUSY, error);
    case 'EROFS':
      return imageError(
        `Cannot write to device ${path}, permission denied.`,
        BAD_PASSPHRASE,
        error,
      );
    case 'ENODATA':
      return await notLuks(path, error);
    default:
      return luksFailure(error);
  }
}

/** An image that was read and cannot be mapped: somebody else has it, or it is not ours to write. */
export function mapFailure(error: unknown, path: string): unknown {
  if (!(error instanceof DmError)) return error;
  switch (error.code) {
    case 'EBUSY':
    case 'EAGAIN':
      return imageError(`Cannot use device ${path} which is in use.`, BUSY, error);
    case 'EACCES':
    case 'EROFS':
      return new CommandError(`Cannot write to device ${path}, permission denied.`, {
        status: BAD_PASSPHRASE,
        details: [error.message, 'to read only: --readonly, with serve --read-only'],
        cause: error,
      });
    default:
      return error;
  }
}

function imageError(words: string, status: number, cause: DmError): CommandError {
  return new CommandError(words, { status, details: [cause.message], cause });
}

async function notLuks(path: string, cause: DmError): Promise<CommandError> {
  const names = (await signaturesOf(path)).map(({ name }) => name);
  const there = names.length === 0 ? 'nothing that is known' : names.join(', ');
  return new CommandError(`Device ${path} is not a valid LUKS device.`, {
    status: WRONG_PARAMETERS,
    details: [
      ...(cause.message.includes(IN_REENCRYPTION) ? [IN_REENCRYPTION] : []),
      `what is on it looks like: ${there}`,
      ...(await nextStep(path)),
    ],
    cause,
  });
}

async function nextStep(path: string): Promise<string[]> {
  const { waitingHeaderOf } = await import('../../mapper/luks/place-header.ts');
  const waiting = waitingHeaderOf(path);
  if (!existsSync(waiting)) {
    return ['if its header is elsewhere: --header FILE; to make one: devmapper luks format'];
  }
  return [
    `its encryption was stopped before the header was in front: it is in ${waiting}, which must not be lost`,
    'the same devmapper luks reencrypt --encrypt, with the same passphrase, goes on from there',
  ];
}

/** For a message only: nothing is found on what cannot be read. */
async function signaturesOf(path: string) {
  try {
    const { readStart } = await import('./read-start.ts');
    return findSignatures(readStart(path));
  } catch {
    return [];
  }
}
