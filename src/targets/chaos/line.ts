/**
 * chaos: a disk that fails as told. `<device> <offset> [<#args> [seed=<n>] [<rule>]...]`
 * No kernel has it; words of refusals are those of dm-flakey, which is the nearest.
 */

import { type ArgumentReader, UINT_MAX } from '../../core/arguments.ts';
import type { Target, TargetContext } from '../../core/target.ts';
import { type ChaosLine, ChaosTarget } from './chaos-target.ts';

const SEED = 'seed=';

export function create(args: ArgumentReader, context: TargetContext): Target {
  return new ChaosTarget(readLine(args), context);
}

function readLine(args: ArgumentReader): ChaosLine {
  const operand = args.word('device');
  const offsetSectors = args.sectors('offset', 'Invalid device sector');
  const words = readWords(args);
  const [first = '', ...others] = words;
  const seed = readSeed(args, first);
  const late = others.find((word) => word.startsWith(SEED));
  if (late !== undefined) throw args.error('Invalid seed', `"${late}" goes in front of all rules`);
  return { device: args.open(operand), offsetSectors, seed, rules: seed === null ? words : others };
}

function readWords(args: ArgumentReader): string[] {
  if (args.remaining === 0) return [];
  const range = { min: 0, max: UINT_MAX };
  const count = args.integer('#args', 'Invalid number of feature args', range);
  const detail = `<#args> says ${count}, got ${args.remaining}`;
  if (count !== args.remaining) throw args.error('Invalid number of feature args', detail);
  return Array.from({ length: count }, () => args.word('rule'));
}

/** null: the word is no seed. */
function readSeed(args: ArgumentReader, word: string): number | null {
  if (!word.startsWith(SEED)) return null;
  const text = word.slice(SEED.length);
  if (/^\d+$/.test(text) && Number(text) <= UINT_MAX) return Number(text);
  throw args.error('Invalid seed', `expected an integer from 0 to ${UINT_MAX}, got "${text}"`);
}
