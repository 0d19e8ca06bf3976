import { setTimeout as sleep } from 'node:timers/promises';
import type { Implementation, Running } from '../implementations.ts';
import { type Cgroup, memoryCgroup, memoryOf } from '../linux.ts';
import { type Bench, measureAll, mib, mountAll, range, type Scenario, withFresh } from '../scenario.ts';
import { certificates, IDENTITIES, type Pod, podOf, secrets } from '../world.ts';

const IN_PARALLEL = 20;
const OBJECTS = 10;
const PODS_AT_ONCE = 100;
const OBJECTS_AT_ONCE = 20;
const UP_MS = 2000;
/** V8 releases memory after eight seconds without allocations. */
const REST_MS = 12_000;
const SAMPLE_MS = 10;
const MIB = 2 ** 20;
const MB = 1e6;
/** The target depends on the memory that the major version of Node needs. */
const MAX_RSS_MB = Number(process.versions.node.split('.')[0]) < 22 ? 90 : 110;
const MAX_PEAK_MB = 105;
const MAX_WORKING_SET_MIB = 45;
/** Targets of RssAnon: the memory that the process itself allocated, without the pages of its files. */
const MAX_ANON_MB = { idle: 20, after: 32, peak: 64 } as const;

/** Measures memory before, during and after two storms of Mounts of many identities: some in parallel, and all at once. */
export const memory: Scenario = {
  name: 'memory',
  run(bench) {
    const count = bench.quick ? 100 : 500;
    const measureOne = (implementation: Implementation) => measure(bench, implementation, count);
    // The rests take most of the time of this scenario.
    const measured = bench.quick ? { ...bench, peer: undefined } : bench;
    return measureAll(measured, measureOne, (own, peer) => {
      return {
        scenario: `memory, ${count} Mounts, then ${PODS_AT_ONCE} pods at once`,
        result: textOf(own.value),
        toPeer: peer && own.usage.peakBytes / peer.usage.peakBytes,
        counts: own.counts,
        usage: own.usage,
        targets: targetsOf(own.value, own.usage.peakBytes),
        details: { own, peer },
      };
    });
  },
};

interface Reading {
  readonly rssBytes: number;
  readonly anonBytes: number;
  readonly workingSetBytes: number;
}

interface Storm {
  readonly anonPeakBytes: number;
  readonly after: Reading;
}

interface Readings {
  readonly idle: Reading;
  readonly storms: readonly [Storm, Storm];
}

function targetsOf({ idle, storms }: Readings, peakBytes: number) {
  const [{ after }] = storms;
  const most = (text: string, bytes: number, mb: number) => ({
    text: `${text} <= ${mb} MB; ${(bytes / MB).toFixed(1)}`,
    met: bytes <= mb * MB,
  });
  const largest = (of: (storm: Storm) => number) => Math.max(...storms.map(of));
  const targets = [
    most('RSS after the Mounts', after.rssBytes, MAX_RSS_MB),
    most('VmHWM', peakBytes, MAX_PEAK_MB),
    most('RssAnon idle', idle.anonBytes, MAX_ANON_MB.idle),
    most(
      'RssAnon after each storm',
      largest((storm) => storm.after.anonBytes),
      MAX_ANON_MB.after,
    ),
    most(
      'RssAnon at the peak',
      largest(({ anonPeakBytes }) => anonPeakBytes),
      MAX_ANON_MB.peak,
    ),
  ];
  if (Number.isNaN(after.workingSetBytes)) return targets;
  const met = after.workingSetBytes <= MAX_WORKING_SET_MIB * MIB;
  return [...targets, { text: `working set <= ${MAX_WORKING_SET_MIB} MiB`, met }];
}

function measure(bench: Bench, implementation: Implementation, count: number) {
  const group = memoryCgroup('akv-csi-bench');
  const options = { implementation, upMs: UP_MS, ...(group === undefined ? {} : { procsFiles: [group.procsFile] }) };
  const atOnce = range(PODS_AT_ONCE).map((n) => podOf(n, n % IDENTITIES, secrets(OBJECTS_AT_ONCE)));
  const work = async (running: Running): Promise<Readings> => {
    const idle = readingOf(running, group);
    const first = await storm(running, group, () => mountInTurns(running, podsOf(count)));
    const second = await storm(running, group, () => mountAll(running, atOnce));
    return { idle, storms: [first, second] };
  };
  return withFresh(bench, options, work).finally(() => group?.remove());
}

/** Runs the Mounts, reads RssAnon while they run, and reads the memory after a rest. */
async function storm(running: Running, group: Cgroup | undefined, mounts: () => Promise<void>): Promise<Storm> {
  let anonPeakBytes = 0;
  const sample = () => {
    anonPeakBytes = Math.max(anonPeakBytes, memoryOf(running.pid, 'RssAnon'));
  };
  const sampling = setInterval(sample, SAMPLE_MS);
  try {
    await mounts();
    sample();
  } finally {
    clearInterval(sampling);
  }
  await sleep(REST_MS);
  return { anonPeakBytes, after: readingOf(running, group) };
}

function readingOf({ pid }: Running, group: Cgroup | undefined): Reading {
  return {
    rssBytes: memoryOf(pid, 'VmRSS'),
    anonBytes: memoryOf(pid, 'RssAnon'),
    workingSetBytes: group?.workingSet() ?? Number.NaN,
  };
}

function textOf({ idle, storms }: Readings): string {
  const storm = ({ anonPeakBytes, after }: Storm) => `${mib(anonPeakBytes)} peak, ${mib(after.anonBytes)} after`;
  const [{ after }] = storms;
  const inGroup = Number.isNaN(after.workingSetBytes) ? 'no cgroup' : mib(after.workingSetBytes);
  return (
    `RssAnon ${mib(idle.anonBytes)} idle, ${storms.map(storm).join(', then ')}; ` +
    `after the Mounts RSS ${mib(after.rssBytes)}, working set ${inGroup}`
  );
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
