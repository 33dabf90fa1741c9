/** The target with the ciphers that there are, and all that comes along with them. */

import { createCipher } from './cipher.ts';
import { cryptTarget } from './target-type.ts';

export const { create } = cryptTarget(createCipher);
