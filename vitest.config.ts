import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { ALONE } from './test/support/alone.ts';
import { enterRunDirectory } from './test/support/run-directory.ts';

enterRunDirectory();

/** Tests that need programs which npm does not install. */
const WITH_TOOLS = 'test/**/*.ci.test.ts';

const withTools = (path: string): boolean => path.endsWith('.ci.test.ts');

/** Returns a project of tests that share processes: loading SDKs and program takes long where each file does it. */
const shared = (name: string, include: string, exclude: readonly string[]) => ({
  extends: true as const,
  test: { name, include: [include], exclude: [...configDefaults.exclude, ...ALONE, ...exclude], isolate: false },
});

/** Returns a project of tests with a process for each file. */
const alone = (name: string, include: readonly string[]) => ({
  extends: true as const,
  test: { name, include: [...include] },
});

export default defineConfig({
  test: {
    // A test ends when what it waits for has come; these limits are for a machine with ten times the work it can do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    pool: 'forks',
    // Many tests wait for a socket or a process, so that more workers than cores finish earlier.
    maxWorkers: 2 * availableParallelism(),
    // `npm test` leaves out the projects whose names begin with "tools".
    projects: [
      shared('shared', 'test/**/*.test.ts', [WITH_TOOLS]),
      alone(
        'alone',
        ALONE.filter((path) => !withTools(path)),
      ),
      shared('tools', WITH_TOOLS, []),
      alone('tools-alone', ALONE.filter(withTools)),
    ],
  },
});
