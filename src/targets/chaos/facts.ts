/** What lists and tables say of the target before anything of it is loaded. */

import type { TargetType } from '../../core/target.ts';

export const CHAOS_FACTS = {
  name: 'chaos',
  version: [1, 0, 0],
  usage: '<device> <offset> [<#args> [seed=<n>] [<effect>[:<key>=<value>,...]]...]',
  summary:
    'fails, loses, damages, delays and reorders requests by rules; message "help" lists them',
  features: ['owns-flush'],
} as const satisfies Partial<TargetType>;
