import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Boots of a kernel first: nothing takes longer, and no long one should be left for the end, when there is nothing to run beside it. */
class KernelFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isBoot = ({ moduleId }: TestSpecification) => moduleId.includes('/test/kernel/');
    return [...sorted.filter(isBoot), ...sorted.filter((file) => !isBoot(file))];
  }
}

/** Files that need what there is once: the nodes in /dev/mapper, which are one daemon's at a time, or a machine at rest. */
const alone = [
  'test/interop/*exec*.test.ts',
  'test/interop/{control-soak,isolation,luks-devices}.test.ts',
];

const realPrograms = {
  // Real programs on a busy machine: once more, alone, before it counts as a failure.
  retry: 1,
  testTimeout: 180_000,
  hookTimeout: 180_000,
};

// `unit` runs anywhere with nothing but Node; `interop` and `interop-alone` drive real programs and need `dist/`.
export default defineConfig({
  test: {
    // By itself vitest leaves one processor free: one file at a time on a machine of two.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: KernelFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/{sim,fuzz,golden}/**/*.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          ...realPrograms,
          name: 'interop',
          include: ['test/{interop,kernel}/**/*.test.ts', 'docs/**/*.test.ts'],
          exclude: alone,
        },
      },
      {
        test: {
          ...realPrograms,
          name: 'interop-alone',
          include: alone,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
