import type { Contestant } from '../contestants.ts';
import { type Bench, median, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { certificates, podOf } from '../world.ts';

const CERTIFICATES = 50;

/** Certificates as Key Vault hands them out: the time to read and convert them, and the longest block meanwhile. */
export const pfx: Scenario = {
  name: 'PFX',
  async run(bench) {
    const limit = await measure(bench, bench.limit);
    const rows: Row[] = [];
    for (const contestant of bench.providers) {
      const own = await measure(bench, contestant);
      rows.push({
        scenario: `${CERTIFICATES} PFX certificates, cold`,
        contestant: contestant.name,
        result: `${ms(own.value.coldMs)}, again ${ms(own.value.warmMs)}`,
        toLimit: own.value.coldMs / limit.value.coldMs,
        counts: own.counts,
        loop: own.loop,
        details: { own, limit },
      });
    }
    return rows;
  },
};

function measure(bench: Bench, contestant: Contestant) {
  return withFresh(bench, { contestant, watchLoop: true }, async ({ mount }) => {
    const pod = podOf(0, 0, certificates(CERTIFICATES));
    const coldMs = await timed(() => mount(pod));
    const again: number[] = [];
    for (const _ of range(contestant.kind === 'provider' ? 5 : 1)) again.push(await timed(() => mount(pod)));
    return { coldMs, warmMs: median(again) };
  });
}
