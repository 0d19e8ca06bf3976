import type { Implementation, Running } from '../implementations.ts';
import { cpuCgroup } from '../linux.ts';
import { type Bench, median, ms, type Row, range, type Scenario, withFresh } from '../scenario.ts';

const MAX_CPU_SECONDS = 0.2;
const MILLICORES = 50;

/**
 * Measures the time from exec to the first response to `Version`, without limits and with the CPU limit of the official
 * chart.
 */
export const start: Scenario = {
  name: 'start',
  async run(bench) {
    const rows: Row[] = [];
    for (const implementation of bench.providers) {
      rows.push(await free(bench, implementation));
      rows.push(...(await limited(bench, implementation)));
    }
    return rows;
  },
};

async function free(bench: Bench, implementation: Implementation): Promise<Row> {
  const { wallMs, cpuSeconds, runs } = await measure(bench, implementation, { count: bench.quick ? 5 : 15 });
  return {
    scenario: 'start to the first response',
    implementation: implementation.name,
    result: `${ms(wallMs)}, ${cpuSeconds.toFixed(2)} CPU s`,
    targets: [{ text: `<= ${MAX_CPU_SECONDS.toFixed(2)} CPU s`, met: cpuSeconds <= MAX_CPU_SECONDS }],
    details: { runs },
  };
}

async function limited(bench: Bench, implementation: Implementation): Promise<readonly Row[]> {
  const row = { scenario: `start with ${MILLICORES}m CPU`, implementation: implementation.name };
  const group = cpuCgroup('akv-csi-bench', MILLICORES);
  if (group === undefined) return [{ ...row, result: 'this machine allows no CPU cgroup', details: {} }];
  try {
    const { wallMs, cpuSeconds, runs } = await measure(bench, implementation, {
      count: bench.quick ? 1 : 3,
      procsFiles: [group.procsFile],
    });
    return [{ ...row, result: `${ms(wallMs)}, ${cpuSeconds.toFixed(2)} CPU s`, details: { runs } }];
  } finally {
    group.remove();
  }
}

async function measure(
  bench: Bench,
  implementation: Implementation,
  { count, procsFiles = [] }: { readonly count: number; readonly procsFiles?: readonly string[] },
) {
  const runs: Running['start'][] = [];
  for (const _ of range(count)) {
    const { value } = await withFresh(bench, { implementation, procsFiles }, async (running) => running.start);
    runs.push(value);
  }
  return {
    runs,
    wallMs: median(runs.map(({ wallMs }) => wallMs)),
    cpuSeconds: median(runs.map(({ cpuSeconds }) => cpuSeconds)),
  };
}
