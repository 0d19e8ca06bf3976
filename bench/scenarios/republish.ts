import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from '../contestants.ts';
import { type Bench, type Row, range, type Scenario, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 30;
const OBJECTS = 5;
/** The kubelet republishes a volume every 60 to 90 s. */
const INTERVAL_MS = 75_000;
const CACHE_TTL_MS = 30_000;
const DURATION_MS = 600_000;
/** A cached entry may die early by this part of its time. */
const JITTER = 0.2;

/** Ten minutes of republish: how many requests they cost. Time is compressed for pods and cache alike. */
export const republish: Scenario = {
  name: 'republish',
  async run(bench) {
    const compression = bench.quick ? 120 : 60;
    const sequential = await measure(bench, bench.sequential, compression);
    const rows: Row[] = [];
    for (const contestant of bench.providers) {
      const own = await measure(bench, contestant, compression);
      const { reads, tokens } = own.counts;
      const ttls = DURATION_MS / CACHE_TTL_MS;
      const perTtl = reads / ttls;
      rows.push({
        scenario: `republish, ${PODS} pods x ${OBJECTS} objects, 10 min / ${compression}`,
        contestant: contestant.name,
        result: `${perTtl.toFixed(1)} reads a TTL (sequential: ${(sequential.counts.reads / ttls).toFixed(0)})`,
        counts: own.counts,
        loop: own.loop,
        targets: [
          { text: `${OBJECTS} reads a TTL (shortened by jitter)`, met: perTtl <= OBJECTS / (1 - JITTER) },
          { text: '1 token', met: tokens <= 1 },
        ],
        details: { own, sequential, ttls },
      });
    }
    return rows;
  },
};

function measure(bench: Bench, contestant: Contestant, compression: number) {
  const start = { contestant, watchLoop: true, cacheTtlMs: CACHE_TTL_MS / compression };
  return withFresh(bench, start, async ({ mount }) => {
    const endAt = performance.now() + DURATION_MS / compression;
    const intervalMs = INTERVAL_MS / compression;
    let mounts = 0;
    const life = async (n: number) => {
      const pod = podOf(n, 0, secrets(OBJECTS));
      await sleep((n / PODS) * intervalMs);
      while (performance.now() < endAt) {
        const next = performance.now() + intervalMs;
        await mount(pod);
        mounts++;
        await sleep(Math.max(0, next - performance.now()));
      }
    };
    await Promise.all(range(PODS).map(life));
    return { mounts };
  });
}
