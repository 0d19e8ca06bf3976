import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { ALONE } from './test/support/alone.ts';
import { enterRunDirectory } from './test/support/run-directory.ts';

enterRunDirectory();

export default defineConfig({
  test: {
    // A test ends when what it waits for has come; these limits are for a machine with ten times the work it can do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    // Many tests wait for a socket or a process, so that more workers than cores finish earlier.
    maxWorkers: 2 * availableParallelism(),
    projects: [
      // Loading the SDKs and the program takes a third of the time of a run where each file does it.
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          isolate: false,
        },
      },
      { extends: true, test: { name: 'alone', include: [...ALONE] } },
    ],
  },
});
