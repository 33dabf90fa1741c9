/** One history: drawn from a seed, or some of the steps of one that was drawn before. */

import type { BlockDevice } from '../../core/device.ts';
import type { TargetType } from '../../core/target.ts';
import { targets } from '../../targets/index.ts';
import { descriptions } from './descriptions/index.ts';
import { StepDrawing } from './draw.ts';
import type { Failure } from './ledger.ts';
import type { Step } from './steps.ts';
import { drawTheme } from './theme.ts';
import { prngFor, World } from './world.ts';

export interface HistoryOptions {
  /** Default: all there are. */
  types?: readonly TargetType[];
  /** For mutants. */
  wrapDisk?: (disk: BlockDevice) => BlockDevice;
}

export interface HistoryResult {
  readonly seed: number;
  readonly steps: readonly Step[];
  readonly failure: Failure | null;
  readonly requestCount: number;
  readonly crashCount: number;
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>;
  /** Equal for two histories in which the same happened. */
  readonly traceHash: number;
}

const DRAW = 1;
const THEME = 2;

/** Draws steps and takes them one by one. */
export async function runSeed(seed: number, options: HistoryOptions = {}): Promise<HistoryResult> {
  const prng = prngFor(seed, DRAW);
  const world = await createWorld(seed, options);
  const { types = targets } = options;
  const known = descriptions.filter(({ name }) => types.some((type) => type.name === name));
  const { theme } = world;
  const drawing = new StepDrawing(world, prng, { descriptions: known, theme });
  const stepCount = prng.pick(theme.stepCounts);
  const steps: Step[] = [];
  return await finish(world, seed, steps, async () => {
    while (steps.length < stepCount && !world.ledger.failure) {
      const step = drawing.next();
      steps.push(step);
      await take(world, step);
    }
  });
}

/** The same disks, and these steps. */
export async function runSteps(
  seed: number,
  steps: readonly Step[],
  options: HistoryOptions = {},
): Promise<HistoryResult> {
  const world = await createWorld(seed, options);
  return await finish(world, seed, steps, async () => {
    for (const step of steps) {
      if (world.ledger.failure) return;
      await take(world, step);
    }
  });
}

async function createWorld(seed: number, options: HistoryOptions): Promise<World> {
  const { types = targets, wrapDisk } = options;
  // Loading code takes real time, which a history must not notice.
  for (const { prepare } of types) if (prepare) await prepare();
  const hasSnapshots = types.some(({ name }) => name === 'snapshot');
  const theme = drawTheme(prngFor(seed, THEME), { hasSnapshots });
  return new World({ seed, theme, types, ...(wrapDisk && { wrapDisk }) });
}

async function take(world: World, step: Step): Promise<void> {
  await world.clock.advance(step.waitMs);
  await step.apply(world);
}

async function finish(
  world: World,
  seed: number,
  steps: readonly Step[],
  run: () => Promise<void>,
): Promise<HistoryResult> {
  const { ledger } = world;
  try {
    await run();
    if (!ledger.failure) await world.finish();
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    ledger.report('exception', text);
  }
  const { failure, traceHash, counts } = ledger;
  const { requestCount, crashCount } = world;
  return { seed, steps, failure, requestCount, crashCount, counts, traceHash };
}
