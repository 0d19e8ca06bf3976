import type { Contestant } from '../contestants.ts';
import { type Bench, median, mountAll, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 100;
const OBJECTS = 20;

/** Many pods of one node at once, as after a restart of the node. */
export const podsAtOnce: Scenario = {
  name: 'pods at once',
  async run(bench) {
    return [...(await oneIdentity(bench)), ...(await manyIdentities(bench))];
  },
};

async function oneIdentity(bench: Bench): Promise<readonly Row[]> {
  const sequential = await storm(bench, bench.sequential, 1);
  const rows: Row[] = [];
  for (const contestant of bench.providers) {
    const colds: number[] = [];
    for (const _ of range(bench.quick ? 1 : 3)) colds.push(await coldMount(bench, contestant));
    const coldMs = median(colds);
    const own = await storm(bench, contestant, 1);
    rows.push({
      scenario: `${PODS} pods x ${OBJECTS} objects, one identity`,
      contestant: contestant.name,
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
  const sequential = await storm(bench, bench.sequential, PODS);
  const limit = await storm(bench, bench.limit, PODS);
  const rows: Row[] = [];
  for (const contestant of bench.providers) {
    const own = await storm(bench, contestant, PODS);
    rows.push({
      scenario: `${PODS} pods x ${OBJECTS} objects, ${PODS} identities`,
      contestant: contestant.name,
      result: ms(own.value),
      toSequential: own.value / sequential.value,
      toLimit: own.value / limit.value,
      counts: own.counts,
      loop: own.loop,
      targets: [
        { text: '<= sequential / 4', met: own.value <= sequential.value / 4 },
        { text: '<= 1 token an identity', met: own.counts.tokens <= PODS },
      ],
      details: { own, sequential, limit },
    });
  }
  return rows;
}

function storm(bench: Bench, contestant: Contestant, identities: number) {
  const pods = range(PODS).map((n) => podOf(n, n % identities, secrets(OBJECTS)));
  return withFresh(bench, { contestant, watchLoop: true }, (running) => timed(() => mountAll(running, pods)));
}

async function coldMount(bench: Bench, contestant: Contestant): Promise<number> {
  const work = { contestant, watchLoop: true };
  return (await withFresh(bench, work, ({ mount }) => timed(() => mount(podOf(0, 0, secrets(OBJECTS)))))).value;
}
