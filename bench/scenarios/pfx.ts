import type { Implementation } from '../implementations.ts';
import { type Bench, median, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { certificates, podOf } from '../world.ts';

const CERTIFICATES = 50;

/**
 * Measures the time to read and convert certificates in Key Vault's PFX form, and the longest block of the event loop.
 * The Go peer converts nothing and is left out.
 */
export const pfx: Scenario = {
  name: 'PFX',
  async run(bench) {
    const limit = await measure(bench, bench.limit);
    const rows: Row[] = [];
    for (const implementation of bench.providers) {
      const own = await measure(bench, implementation);
      rows.push({
        scenario: `${CERTIFICATES} PFX certificates, cold`,
        implementation: implementation.name,
        result: `${ms(own.value.coldMs)}, again ${ms(own.value.warmMs)}`,
        toLimit: own.value.coldMs / limit.value.coldMs,
        counts: own.counts,
        usage: own.usage,
        loop: own.loop,
        details: { own, limit },
      });
    }
    return rows;
  },
};

function measure(bench: Bench, implementation: Implementation) {
  return withFresh(bench, { implementation, watchLoop: true }, async ({ mount }) => {
    const pod = podOf(0, 0, certificates(CERTIFICATES));
    const coldMs = await timed(() => mount(pod));
    const again: number[] = [];
    for (const _ of range(implementation.kind === 'provider' ? 5 : 1)) again.push(await timed(() => mount(pod)));
    return { coldMs, warmMs: median(again) };
  });
}
