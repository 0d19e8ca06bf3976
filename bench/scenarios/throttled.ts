import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.ts';
import type { Contestant } from '../contestants.ts';
import { type Bench, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 20;
const OBJECTS = 10;
/** The first 429 takes so long to arrive: what was sent before is no fault. */
const ARRIVAL_MS = 10;

/** A vault that answers 429 for a while: who asks in that time, and does every pod succeed after it. */
export const throttled: Scenario = {
  name: 'throttled vault',
  async run(bench) {
    const rows: Row[] = [];
    for (const retryAfter of [true, false]) {
      const sequential = await measure(bench, bench.sequential, retryAfter);
      for (const contestant of bench.providers) {
        const own = await measure(bench, contestant, retryAfter);
        const { failed, asked, timeMs, firstError } = own.value;
        const they = `${sequential.value.asked} and ${sequential.value.failed}`;
        rows.push({
          scenario: `429 for ${pauseSeconds(bench)} s ${retryAfter ? 'with' : 'without'} Retry-After, ${PODS} pods`,
          contestant: contestant.name,
          result: `${asked} reads in the pause, ${failed} pods failed (sequential: ${they}); done in ${ms(timeMs)}`,
          counts: own.counts,
          loop: own.loop,
          targets: [
            { text: 'every pod succeeds', met: failed === 0 },
            // Without the header nobody is told how long the pause is, and finding out takes a read now and then.
            ...(retryAfter ? [{ text: '<= 2 reads in the pause', met: asked <= 2 }] : []),
          ],
          details: { own, sequential, firstError },
        });
      }
    }
    return rows;
  },
};

function pauseSeconds({ quick }: Bench): number {
  return quick ? 3 : 10;
}

async function measure(bench: Bench, contestant: Contestant, retryAfter: boolean) {
  const { remote } = bench.azure;
  const seconds = pauseSeconds(bench);
  const headers = retryAfter ? { headers: { 'retry-after': String(seconds) } } : {};
  try {
    return await withFresh(bench, { contestant, watchLoop: true }, async ({ mount }) => {
      await remote.addFault({ on: 'vault', action: { kind: 'answer', status: 429, ...headers } });
      const pods = range(PODS).map((n) => podOf(n, 0, secrets(OBJECTS, (n * OBJECTS) % 200)));
      const pause = pauseOver(bench, seconds * 1000);
      let results: readonly PromiseSettledResult<void>[] = [];
      const timeMs = await timed(async () => {
        results = await Promise.allSettled(pods.map((pod) => mount(pod)));
      });
      await pause;
      const failures = results.filter((result) => result.status === 'rejected');
      const firstError = failures[0] === undefined ? undefined : messageOf(failures[0].reason);
      return { timeMs, failed: failures.length, firstError, asked: await askedInPause(bench) };
    });
  } finally {
    await remote.clearFaults();
  }
}

/** The vault recovers so long after its first 429. */
async function pauseOver({ azure }: Bench, pauseMs: number): Promise<void> {
  while (!(await azure.remote.requests()).some(({ status }) => status === 429)) await sleep(20);
  await sleep(pauseMs - 50);
  await azure.remote.clearFaults();
}

/** Reads that began after the first 429 was there, and met a vault that still said wait. */
async function askedInPause({ azure }: Bench): Promise<number> {
  const refused = (await azure.remote.requests()).filter(({ status }) => status === 429);
  const first = Math.min(...refused.map(({ at }) => at));
  return refused.filter(({ at }) => at > first + azure.latency.vaultMs + ARRIVAL_MS).length;
}
