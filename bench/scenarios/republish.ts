import { setTimeout as sleep } from 'node:timers/promises';
import type { Implementation } from '../implementations.ts';
import { type Bench, measureAll, range, type Scenario, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 30;
const OBJECTS = 5;
/** The kubelet republishes a volume every 60 to 90 s. */
const INTERVAL_MS = 75_000;
const CACHE_TTL_MS = 30_000;
const DURATION_MS = 600_000;
/** Cached values may expire earlier by this fraction of their lifetime. */
const JITTER = 0.2;

/**
 * Counts the requests of ten minutes of republishing. Intervals and the cache's lifetime are shortened by the same
 * factor.
 */
export const republish: Scenario = {
  name: 'republish',
  async run(bench) {
    const compression = bench.quick ? 120 : 60;
    const sequential = await measure(bench, bench.sequential, compression);
    const ttls = DURATION_MS / CACHE_TTL_MS;
    const measureOne = (implementation: Implementation) => measure(bench, implementation, compression);
    return measureAll(bench, measureOne, (own, peer) => {
      const { reads, tokens } = own.counts;
      const perTtl = reads / ttls;
      return {
        scenario: `republish, ${PODS} pods x ${OBJECTS} objects, 10 min / ${compression}`,
        result:
          `${own.value.mounts} Mounts, ${perTtl.toFixed(1)} reads per TTL ` +
          `(sequential: ${(sequential.counts.reads / ttls).toFixed(0)})`,
        toPeer: peer && reads / peer.counts.reads,
        counts: own.counts,
        usage: own.usage,
        loop: own.loop,
        targets: [
          { text: `${OBJECTS} reads per TTL (shortened by jitter)`, met: perTtl <= OBJECTS / (1 - JITTER) },
          { text: '1 token', met: tokens <= 1 },
        ],
        details: { own, peer, sequential, ttls },
      };
    });
  },
};

function measure(bench: Bench, implementation: Implementation, compression: number) {
  const start = { implementation, watchLoop: true, cacheTtlMs: CACHE_TTL_MS / compression };
  return withFresh(bench, start, async ({ mount }) => {
    const endAt = performance.now() + DURATION_MS / compression;
    const intervalMs = INTERVAL_MS / compression;
    let mounts = 0;
    const republishPod = async (n: number) => {
      const pod = podOf(n, 0, secrets(OBJECTS));
      await sleep((n / PODS) * intervalMs);
      while (performance.now() < endAt) {
        const next = performance.now() + intervalMs;
        await mount(pod);
        mounts++;
        await sleep(Math.max(0, next - performance.now()));
      }
    };
    await Promise.all(range(PODS).map(republishPod));
    return { mounts };
  });
}
