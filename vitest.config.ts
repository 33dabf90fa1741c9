import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Boots of a kernel take longest and mind no neighbours; what measures latency wants none, so it comes when the others are over. */
function rank({ moduleId }: TestSpecification): number {
  if (moduleId.includes('/test/kernel/')) return 0;
  return moduleId.endsWith('/isolation.test.ts') ? 2 : 1;
}

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((left, right) => rank(left) - rank(right));
  }
}

// Two projects: `unit` runs anywhere with nothing but Node; `interop` drives real programs and needs `dist/`.
export default defineConfig({
  test: {
    // By itself vitest leaves one processor free: one file at a time on a machine of two.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/{sim,fuzz,golden}/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/{interop,kernel}/**/*.test.ts', 'docs/**/*.test.ts'],
          // Real programs on a busy machine: once more, alone, before it counts as a failure.
          retry: 1,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
