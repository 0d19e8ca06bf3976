import type { Implementation } from '../implementations.ts';
import { type Bench, measureAll, median, ms, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const OBJECTS = 50;
const WARM_UP = 5;

/** Measures repeated Mounts of the same pod, as at every republish. */
export const warm: Scenario = {
  name: 'warm Mount',
  async run(bench) {
    const repetitions = bench.quick ? 10 : 30;
    const sequential = await measure(bench, bench.sequential, 2);
    const measureOne = (implementation: Implementation) =>
      measure(bench, implementation, implementation === bench.peer ? 2 : repetitions);
    return measureAll(bench, measureOne, (own, peer) => {
      const { reads, challenges, tokens, metadata } = own.counts;
      return {
        scenario: `warm Mount, ${OBJECTS} objects`,
        result: `${ms(own.value.timeMs)}; ${own.value.mounts} Mounts in all`,
        toPeer: peer && own.value.timeMs / peer.value.timeMs,
        toSequential: own.value.timeMs / sequential.value.timeMs,
        counts: own.counts,
        usage: own.usage,
        loop: own.loop,
        targets: [
          { text: 'no vault or Entra request', met: reads + challenges + tokens + metadata === 0 },
          { text: '<= 10 ms over the socket', met: own.value.timeMs <= 10 },
        ],
        details: { own, peer, sequential },
      };
    });
  },
};

async function measure(bench: Bench, implementation: Implementation, repetitions: number) {
  return withFresh(bench, { implementation, watchLoop: true }, async (running) => {
    const pod = podOf(0, 0, secrets(OBJECTS));
    const warmUp = repetitions > WARM_UP ? WARM_UP : 1;
    for (const _ of range(warmUp)) await running.mount(pod);
    await running.watchFromNow();
    await bench.azure.remote.clearRequests();
    const timesMs: number[] = [];
    for (const _ of range(repetitions)) timesMs.push(await timed(() => running.mount(pod)));
    return { timeMs: median(timesMs), timesMs, mounts: warmUp + repetitions };
  });
}
