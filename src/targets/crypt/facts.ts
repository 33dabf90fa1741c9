/** What lists and tables say of the target before anything of it is loaded. */

import type { TargetType } from '../../core/target.ts';

export const CRYPT_FACTS = {
  name: 'crypt',
  version: [1, 29, 0],
  usage: '<cipher> <key> <iv_offset> <device> <offset> [<#options> <options>]',
  summary: 'encrypts what is written and decrypts what is read',
  features: ['stateless'],
} as const satisfies Partial<TargetType>;
