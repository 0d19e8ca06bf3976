/** Storms of large volumes against the built program in a memory cgroup. `bench/storm.ts` has the whole table. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { memoryCgroup } from '../../bench/linux.ts';
import type { StormResult } from '../../bench/storm.ts';
import { builtProgram } from '../support/e2e.ts';
import { scratch } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Below 1,000 are usual under a low limit. A group that thrashes has thousands in a minute. */
const MAX_MAJOR_FAULTS = 2500;
/** The deadline of each Mount, for a busy machine: a group that thrashes is known by its faults. */
const PATIENCE_S = 600;

/** Returns true if this machine allows a memory cgroup, of version 1 or 2. */
function allowsCgroups(): boolean {
  const group = memoryCgroup('akv-csi-probe');
  group?.remove();
  if (group === undefined) process.stderr.write('this machine allows no memory cgroup: the storms are skipped\n');
  return group !== undefined;
}

async function storm(limit: number, rows: readonly string[]): Promise<readonly StormResult[]> {
  builtProgram();
  const json = join(scratch(), 'results.json');
  const args = [
    ...rows.flatMap((row) => ['--row', row]),
    '--limit',
    String(limit),
    '--rounds',
    '1',
    '--json',
    json,
    ...['--patience', String(PATIENCE_S), '--deadline', String(PATIENCE_S)],
  ];
  // It exits with 1 if a Mount did not end as it should; the results tell which.
  await promisify(execFile)(process.execPath, ['scripts/bench.mjs', 'storm', ...args], { cwd: root }).catch(() => {});
  return JSON.parse(readFileSync(json, 'utf8'));
}

/**
 * In 100 MiB they need `memory.node`, which the build makes where there is a C compiler.
 */
const STORMS: readonly (readonly [limit: number, rows: readonly string[]])[] = [
  [128, ['100 x 20 x 25000, 100']],
  [100, ['100 x 20 x 25000, 100', '10 x 160 x 25500, 10', '10 x 500 x 25000, 10', '100 x 20 x 200, 100']],
];
/** A storm takes about ten CPU seconds: the tests of a change run the first one. */
const RUN = FULL ? STORMS : STORMS.slice(0, 1);

describe.skipIf(!allowsCgroups())('a storm of large volumes', () => {
  it.each(RUN)(
    'kills nothing in %i MiB, and each Mount ends as it should',
    async (limit, rows) => {
      const results = await storm(limit, rows);
      expect(
        results.map(({ row, good, killed }) => ({ row, good, killed })),
        JSON.stringify(results),
      ).toEqual(rows.map((row) => ({ row, good: true, killed: false })));
      for (const { majorFaults } of results) expect(majorFaults).toBeLessThan(MAX_MAJOR_FAULTS);
    },
    1_200_000,
  );
});
