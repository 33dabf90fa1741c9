import { defineConfig } from 'vitest/config';

// Two projects: `unit` runs anywhere with nothing but Node; `interop` drives real programs and needs `dist/`.
export default defineConfig({
  test: {
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
