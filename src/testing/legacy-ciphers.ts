/** Whether blowfish and cast5 can be had here: OpenSSL keeps them in its legacy provider. */

import { getCiphers } from 'node:crypto';
import { loadSystem } from '../system/index.ts';

/** We load the provider through koffi; Node does when started with --openssl-legacy-provider. */
export const hasLegacyCiphers =
  (loadSystem()?.ciphers ?? null) !== null || getCiphers().includes('bf-ecb');
