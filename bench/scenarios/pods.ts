import type { Implementation } from '../implementations.ts';
import { type Bench, median, mountAll, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 100;
const OBJECTS = 20;

/** Measures Mounts of many pods of one node in parallel, as after a restart of the node. */
export const podsAtOnce: Scenario = {
  name: 'pods at once',
  async run(bench) {
    return [...(await oneIdentity(bench)), ...(await manyIdentities(bench))];
  },
};

async function oneIdentity(bench: Bench): Promise<readonly Row[]> {
  const sequential = await mountPods(bench, bench.sequential, 1);
  const rows: Row[] = [];
  for (const implementation of bench.providers) {
    const colds: number[] = [];
    for (const _ of range(bench.quick ? 1 : 3)) colds.push(await coldMount(bench, implementation));
    const coldMs = median(colds);
    const own = await mountPods(bench, implementation, 1);
    rows.push({
      scenario: `${PODS} pods x ${OBJECTS} objects, one identity`,
      implementation: implementation.name,
      result: `${ms(own.value)}, ${(own.value / coldMs).toFixed(1)}x one cold Mount`,
      toSequential: own.value / sequential.value,
      counts: own.counts,
      loop: own.loop,
      targets: [
        { text: `${OBJECTS} reads`, met: own.counts.reads === OBJECTS },
        { text: '1 token', met: own.counts.tokens === 1 },
        { text: '<= 2x one cold Mount', met: own.value <= 2 * coldMs },
      ],
      details: { own, sequential, coldMs },
    });
  }
  return rows;
}

async function manyIdentities(bench: Bench): Promise<readonly Row[]> {
  const sequential = await mountPods(bench, bench.sequential, PODS);
  const limit = await mountPods(bench, bench.limit, PODS);
  const rows: Row[] = [];
  for (const implementation of bench.providers) {
    const own = await mountPods(bench, implementation, PODS);
    rows.push({
      scenario: `${PODS} pods x ${OBJECTS} objects, ${PODS} identities`,
      implementation: implementation.name,
      result: ms(own.value),
      toSequential: own.value / sequential.value,
      toLimit: own.value / limit.value,
      counts: own.counts,
      loop: own.loop,
      targets: [
        { text: '<= sequential / 4', met: own.value <= sequential.value / 4 },
        { text: '<= 1 token per identity', met: own.counts.tokens <= PODS },
      ],
      details: { own, sequential, limit },
    });
  }
  return rows;
}

function mountPods(bench: Bench, implementation: Implementation, identities: number) {
  const pods = range(PODS).map((n) => podOf(n, n % identities, secrets(OBJECTS)));
  return withFresh(bench, { implementation, watchLoop: true }, (running) => timed(() => mountAll(running, pods)));
}

async function coldMount(bench: Bench, implementation: Implementation): Promise<number> {
  const work = { implementation, watchLoop: true };
  return (await withFresh(bench, work, ({ mount }) => timed(() => mount(podOf(0, 0, secrets(OBJECTS)))))).value;
}
