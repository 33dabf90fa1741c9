/** The crypt target with the ciphers that there are. */

import { createCipher } from './cipher.ts';
import { cryptTarget } from './target-type.ts';

export const crypt = cryptTarget(createCipher);
