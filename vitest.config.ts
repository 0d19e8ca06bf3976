import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { enterRunDirectory } from './test/support/run-directory.ts';

enterRunDirectory();

/** Tests that need programs which npm does not install. */
const WITH_TOOLS = 'test/**/*.ci.test.ts';

export default defineConfig({
  test: {
    // A test ends when what it waits for has come; these limits are for a machine with ten times the work it can do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    // Loading the SDKs and the program takes a third of the time of a run where each file does it.
    isolate: false,
    // Many tests wait for a socket or a process, so that more workers than cores finish earlier.
    maxWorkers: 2 * availableParallelism(),
    // `npm test` leaves out the project "tools".
    projects: [
      {
        extends: true,
        test: {
          name: 'npm',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, WITH_TOOLS],
          setupFiles: 'test/support/environment.ts',
        },
      },
      { extends: true, test: { name: 'tools', include: [WITH_TOOLS] } },
    ],
  },
});
