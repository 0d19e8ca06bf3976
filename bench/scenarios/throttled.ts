import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/base/errors.ts';
import type { Implementation } from '../implementations.ts';
import { type Bench, measureAll, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 20;
const OBJECTS = 10;
/** Time until the first 429 arrives. Reads sent before that do not count. */
const ARRIVAL_MS = 10;

/** Counts the reads and failed pods while a vault responds with 429. */
export const throttled: Scenario = {
  name: 'throttled vault',
  async run(bench) {
    const rows: Row[] = [];
    for (const retryAfter of [true, false]) {
      const sequential = await measure(bench, bench.sequential, retryAfter);
      const measureOne = (implementation: Implementation) => measure(bench, implementation, retryAfter);
      const measured = await measureAll(bench, measureOne, (own, peer) => {
        const { failed, asked, refused, timeMs } = own.value;
        const baseline = `${sequential.value.asked} and ${sequential.value.failed}`;
        return {
          scenario: `429 for ${pauseSeconds(bench)} s ${retryAfter ? 'with' : 'without'} Retry-After, ${PODS} pods`,
          result:
            `${refused} x 429, ${asked} of them in the pause, ${failed} pods failed ` +
            `(sequential: ${baseline}); done in ${ms(timeMs)}`,
          toPeer: peer && timeMs / peer.value.timeMs,
          counts: own.counts,
          usage: own.usage,
          loop: own.loop,
          targets: [
            { text: 'every pod succeeds', met: failed === 0 },
            // Without the header, the length of the pause is unknown, so that the provider must try again.
            ...(retryAfter ? [{ text: '<= 2 reads in the pause', met: asked <= 2 }] : []),
          ],
          details: { own, peer, sequential },
        };
      });
      rows.push(...measured);
    }
    return rows;
  },
};

function pauseSeconds({ quick }: Bench): number {
  return quick ? 3 : 5;
}

async function measure(bench: Bench, implementation: Implementation, retryAfter: boolean) {
  const { remote } = bench.azure;
  const seconds = pauseSeconds(bench);
  const headers = retryAfter ? { headers: { 'retry-after': String(seconds) } } : {};
  try {
    return await withFresh(bench, { implementation, watchLoop: true }, async ({ mount }) => {
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
      return { timeMs, failed: failures.length, firstError, ...(await refusals(bench)) };
    });
  } finally {
    await remote.clearFaults();
  }
}

/** Ends the fault `pauseMs` after the first 429. */
async function pauseOver({ azure }: Bench, pauseMs: number): Promise<void> {
  while (!(await azure.remote.requests()).some(({ status }) => status === 429)) await sleep(20);
  await sleep(pauseMs - 50);
  await azure.remote.clearFaults();
}

/** Counts the reads that received 429: all of them, and those that began after the first 429 arrived. */
async function refusals({ azure }: Bench) {
  const refused = (await azure.remote.requests()).filter(({ status }) => status === 429);
  const first = Math.min(...refused.map(({ at }) => at));
  const asked = refused.filter(({ at }) => at > first + azure.latency.vaultMs + ARRIVAL_MS).length;
  return { refused: refused.length, asked };
}
