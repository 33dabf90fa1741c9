/** A target that does what a test tells it, and remembers what the core asked of it. `<device> <offset>`, as linear. */

import type { Bio } from '../core/bio.ts';
import type { MapResult, Target, TargetContext, TargetType } from '../core/target.ts';

export interface ProbeOptions {
  name?: string;
  features?: TargetType['features'];
  /** Laid over each target that is made; functions may use `probe`. */
  overrides?: Partial<Target>;
}

export class Probe {
  readonly type: TargetType;
  /** Names of the life-cycle calls, and `map OP SECTOR+COUNT`, in order. */
  calls: string[] = [];
  /** What `map` answers from now on; `remapped` does as linear. */
  answer: (bio: Bio) => MapResult = () => 'remapped';
  contexts: TargetContext[] = [];

  constructor({ name = 'probe', features, overrides = {} }: ProbeOptions = {}) {
    this.type = {
      name,
      version: [1, 0, 0],
      usage: '<device> <offset>',
      summary: 'is told what to do',
      ...(features && { features }),
      create: (args, context) => {
        const device = args.open(args.word('device'));
        const offset = args.sectors('offset', 'Bad offset');
        this.contexts.push(context);
        const note = (call: string) => {
          this.calls.push(`${call} ${device.operand}`);
        };
        return {
          map: (bio) => {
            this.calls.push(`map ${bio.sector}+${bio.sectorCount}`);
            const result = this.answer(bio);
            if (result !== 'remapped') return result;
            bio.device = device;
            bio.sector += offset - context.start;
            return result;
          },
          table: () => `${device.operand} ${offset}`,
          devices: () => [{ device, startSectors: offset, lengthSectors: context.length }],
          presuspend: () => note('presuspend'),
          postsuspend: () => note('postsuspend'),
          preresume: () => note('preresume'),
          resume: () => note('resume'),
          close: () => note('close'),
          ...overrides,
        };
      },
    };
  }
}
