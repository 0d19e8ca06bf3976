import { setTimeout as sleep } from 'node:timers/promises';
import type { Running } from '../implementations.ts';
import { type Bench, median, ms, ownProviders, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { CERTIFICATES, podOf, SECRETS, secrets } from '../world.ts';

/** Secrets on one page of a listing. */
const PAGE = 25;
const PAGES = Math.ceil((SECRETS + CERTIFICATES) / PAGE);
const CACHE_TTL_MS = 200;

/** Measures a selection of all secrets by a glob: the first Mount, and republishes after the lifetime of values. */
export const select: Scenario = {
  name: 'selection',
  async run(bench) {
    const rows: Row[] = [];
    for (const implementation of ownProviders(bench)) {
      const { value, counts, ...used } = await withFresh(
        bench,
        { implementation, watchLoop: true, cacheTtlMs: CACHE_TTL_MS },
        (running) => measure(bench, running.mount),
      );
      const { coldMs, coldRequests, againMs, againRequests } = value;
      rows.push({
        scenario: `selection of ${SECRETS} secrets by a glob, cold and republished`,
        implementation: implementation.name,
        result: `${ms(coldMs)}, ${coldRequests} requests; republished ${ms(againMs)}, ${againRequests} requests`,
        counts,
        ...used,
        targets: [
          { text: `${PAGES} pages and ${SECRETS} reads at first`, met: coldRequests === PAGES + SECRETS },
          { text: `${PAGES} pages for each republish`, met: againRequests === PAGES },
        ],
        details: { ...value },
      });
    }
    return rows;
  },
};

async function measure({ azure, quick }: Bench, mount: Running['mount']) {
  const pod = { ...podOf(0, 0, secrets(SECRETS)), selection: 'secret-*' };
  const coldMs = await timed(() => mount(pod));
  const { reads: coldRequests } = await azure.counts();
  const timesMs: number[] = [];
  const repetitions = quick ? 3 : 10;
  await azure.remote.clearRequests();
  for (const _ of range(repetitions)) {
    await sleep(CACHE_TTL_MS);
    timesMs.push(await timed(() => mount(pod)));
  }
  const { reads } = await azure.counts();
  return { coldMs, coldRequests, againMs: median(timesMs), againRequests: reads / repetitions, timesMs };
}
