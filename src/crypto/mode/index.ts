/** The only list of chain modes. */

import type { ChainMode } from '../cipher-spec.ts';
import { cbc } from './cbc.ts';
import type { ModeType } from './chain-mode.ts';
import { ctr } from './ctr.ts';
import { ecb } from './ecb.ts';
import { xts } from './xts.ts';

export const modeTypes: Readonly<Record<ChainMode, ModeType>> = { xts, cbc, ecb, ctr };
