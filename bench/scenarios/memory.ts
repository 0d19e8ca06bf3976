import { setTimeout as sleep } from 'node:timers/promises';
import type { Implementation, Running } from '../implementations.ts';
import { type Cgroup, memoryCgroup, memoryOf } from '../linux.ts';
import { type Bench, mib, type Row, range, type Scenario, withFresh } from '../scenario.ts';
import { certificates, IDENTITIES, type Pod, podOf, secrets } from '../world.ts';

const IN_PARALLEL = 20;
const OBJECTS = 10;
const SETTLE_MS = 2000;
/** V8 releases memory after eight seconds without allocations. */
const REST_MS = 12_000;
const MIB = 2 ** 20;
/** The target depends on the memory that the major version of Node needs. */
const MAX_RSS_MB = Number(process.versions.node.split('.')[0]) < 22 ? 90 : 110;
const MAX_WORKING_SET_MIB = 45;

/** Measures memory before, during and after many Mounts of many identities. */
export const memory: Scenario = {
  name: 'memory',
  async run(bench) {
    const rows: Row[] = [];
    for (const implementation of bench.providers) rows.push(await measure(bench, implementation));
    return rows;
  },
};

async function measure(bench: Bench, implementation: Implementation): Promise<Row> {
  const pods = podsOf(bench.quick ? 100 : 500);
  const group = memoryCgroup('akv-csi-bench');
  try {
    const options = { implementation, ...(group === undefined ? {} : { procsFiles: [group.procsFile] }) };
    const { value, counts } = await withFresh(bench, options, async (running) => {
      await sleep(SETTLE_MS);
      const idle = readingOf(running, group);
      await mountInTurns(running, pods);
      const busy = readingOf(running, group);
      await sleep(REST_MS);
      return { idle, busy, after: readingOf(running, group), peakBytes: memoryOf(running.pid, 'VmHWM') };
    });
    const { idle, after, peakBytes } = value;
    const inGroup = (bytes: number) => (Number.isNaN(bytes) ? 'no cgroup' : mib(bytes));
    const targets = [
      { text: `RSS after it <= ${MAX_RSS_MB} MB`, met: after.rssBytes <= MAX_RSS_MB * 1e6 },
      { text: `working set <= ${MAX_WORKING_SET_MIB} MiB`, met: after.workingSetBytes <= MAX_WORKING_SET_MIB * MIB },
    ];
    return {
      scenario: `memory, ${pods.length} Mounts`,
      implementation: implementation.name,
      result:
        `RSS ${mib(idle.rssBytes)} idle, ${mib(peakBytes)} peak, ${mib(after.rssBytes)} after; ` +
        `working set ${inGroup(idle.workingSetBytes)} idle, ${inGroup(after.workingSetBytes)} after`,
      counts,
      targets: group === undefined ? targets.slice(0, 1) : targets,
      details: value,
    };
  } finally {
    group?.remove();
  }
}

function readingOf({ pid }: Running, group: Cgroup | undefined) {
  return {
    rssBytes: memoryOf(pid, 'VmRSS'),
    anonBytes: memoryOf(pid, 'RssAnon'),
    workingSetBytes: group?.workingSet() ?? Number.NaN,
  };
}

/** Returns pods with secrets. Every tenth pod also has a certificate. */
function podsOf(count: number): readonly Pod[] {
  return range(count).map((n) => {
    const plain = secrets(OBJECTS, (n * OBJECTS) % 190);
    return podOf(n, n % IDENTITIES, n % 10 === 0 ? [...plain, ...certificates(1)] : plain);
  });
}

async function mountInTurns(running: Running, pods: readonly Pod[]): Promise<void> {
  const queue = [...pods];
  const worker = async () => {
    for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) await running.mount(pod);
  };
  await Promise.all(range(IN_PARALLEL).map(worker));
}
