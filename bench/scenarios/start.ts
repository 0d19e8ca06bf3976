import type { Implementation, Running } from '../implementations.ts';
import { cpuCgroup } from '../linux.ts';
import { type Bench, measureAll, median, ms, type Row, range, type Scenario, withFresh } from '../scenario.ts';

const MAX_CPU_SECONDS = 0.1;
const MILLICORES = 50;

/**
 * Measures the time from exec to the first response to `Version`, without limits and with the CPU limit of the official
 * chart.
 */
export const start: Scenario = {
  name: 'start',
  async run(bench) {
    const rows = [...(await free(bench))];
    for (const implementation of bench.providers) rows.push(...(await limited(bench, implementation)));
    return rows;
  },
};

function free(bench: Bench): Promise<readonly Row[]> {
  const measureOne = (implementation: Implementation) =>
    measure(bench, implementation, { count: bench.quick ? 5 : 15 });
  return measureAll(bench, measureOne, (own, peer) => ({
    scenario: 'start to the first response',
    result: ms(own.wallMs),
    toPeer: peer && own.wallMs / peer.wallMs,
    usage: own,
    targets: [{ text: `<= ${MAX_CPU_SECONDS.toFixed(2)} CPU s`, met: own.cpuSeconds <= MAX_CPU_SECONDS }],
    details: { own, peer },
  }));
}

async function limited(bench: Bench, implementation: Implementation): Promise<readonly Row[]> {
  const row = { scenario: `start with ${MILLICORES}m CPU`, implementation: implementation.name };
  const group = cpuCgroup('akv-csi-bench', MILLICORES);
  if (group === undefined) return [{ ...row, result: 'this machine allows no CPU cgroup', details: {} }];
  try {
    const { runs, ...own } = await measure(bench, implementation, {
      count: bench.quick ? 1 : 3,
      procsFiles: [group.procsFile],
    });
    return [{ ...row, result: ms(own.wallMs), usage: own, details: { runs } }];
  } finally {
    group.remove();
  }
}

async function measure(
  bench: Bench,
  implementation: Implementation,
  { count, procsFiles = [] }: { readonly count: number; readonly procsFiles?: readonly string[] },
) {
  const runs: (Running['start'] & { readonly peakBytes: number })[] = [];
  for (const _ of range(count)) {
    const work = { implementation, procsFiles, upMs: 0 };
    const { value, usage } = await withFresh(bench, work, async (running) => running.start);
    runs.push({ ...value, peakBytes: usage.peakBytes });
  }
  return {
    runs,
    wallMs: median(runs.map(({ wallMs }) => wallMs)),
    cpuSeconds: median(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes)),
  };
}
