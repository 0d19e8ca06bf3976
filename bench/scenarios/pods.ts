import type { Implementation } from '../implementations.ts';
import {
  type Bench,
  measureAll,
  median,
  mountAll,
  ms,
  type Row,
  range,
  type Scenario,
  timed,
  withFresh,
} from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

const PODS = 100;
const OBJECTS = 20;
const UP_MS = 2000;

/** Measures Mounts of many pods of one node in parallel, as after a restart of the node. */
export const podsAtOnce: Scenario = {
  name: 'pods at once',
  async run(bench) {
    return [...(await oneIdentity(bench)), ...(await manyIdentities(bench))];
  },
};

async function oneIdentity(bench: Bench): Promise<readonly Row[]> {
  const sequential = await mountPods(bench, bench.sequential, { identities: 1 });
  const measure = async (implementation: Implementation) => {
    const colds: number[] = [];
    for (const _ of range(bench.quick ? 1 : 3)) colds.push(await coldMount(bench, implementation));
    return { ...(await mountPods(bench, implementation, { identities: 1 })), coldMs: median(colds) };
  };
  return measureAll(bench, measure, (own, peer) => ({
    scenario: `${PODS} pods x ${OBJECTS} objects, one identity`,
    result: `${ms(own.value)}, ${(own.value / own.coldMs).toFixed(1)}x one cold Mount`,
    toPeer: peer && own.value / peer.value,
    toSequential: own.value / sequential.value,
    counts: own.counts,
    usage: own.usage,
    loop: own.loop,
    targets: [
      { text: `${OBJECTS} reads`, met: own.counts.reads === OBJECTS },
      { text: '1 token', met: own.counts.tokens === 1 },
      { text: '<= 2x one cold Mount', met: own.value <= 2 * own.coldMs },
    ],
    details: { own, peer, sequential },
  }));
}

async function manyIdentities(bench: Bench): Promise<readonly Row[]> {
  const sequential = await mountPods(bench, bench.sequential, { identities: PODS });
  const limit = await mountPods(bench, bench.limit, { identities: PODS });
  const rows: Row[] = [];
  for (const upMs of [0, UP_MS]) {
    const measure = (implementation: Implementation) => mountPods(bench, implementation, { identities: PODS, upMs });
    const moment = upMs === 0 ? 'right after the start' : `up for ${upMs / 1000} s`;
    const measured = await measureAll(bench, measure, (own, peer) => ({
      scenario: `${PODS} pods x ${OBJECTS} objects, ${PODS} identities, ${moment}`,
      result: ms(own.value),
      toPeer: peer && own.value / peer.value,
      toSequential: own.value / sequential.value,
      toLimit: own.value / limit.value,
      counts: own.counts,
      usage: own.usage,
      loop: own.loop,
      targets: [
        ...(peer === undefined ? [] : againstPeer(own, peer)),
        { text: '<= sequential / 4', met: own.value <= sequential.value / 4 },
        { text: '<= 1 token per identity', met: own.counts.tokens <= PODS },
      ],
      details: { own, peer, sequential, limit },
    }));
    rows.push(...measured);
  }
  return rows;
}

type Measured = Awaited<ReturnType<typeof mountPods>>;

function againstPeer(own: Measured, peer: Measured) {
  const cpu = own.usage.cpuSeconds / peer.usage.cpuSeconds;
  return [
    { text: '<= go-peer', met: own.value <= peer.value },
    { text: `<= 1.2x CPU s of go-peer; ${cpu.toFixed(2)}x`, met: cpu <= 1.2 },
  ];
}

interface Pods {
  readonly identities: number;
  readonly upMs?: number;
}

function mountPods(bench: Bench, implementation: Implementation, { identities, upMs = UP_MS }: Pods) {
  const pods = range(PODS).map((n) => podOf(n, n % identities, secrets(OBJECTS)));
  const work = { implementation, upMs, watchLoop: upMs > 0 };
  return withFresh(bench, work, (running) => timed(() => mountAll(running, pods)));
}

async function coldMount(bench: Bench, implementation: Implementation): Promise<number> {
  const work = { implementation, upMs: UP_MS, watchLoop: true };
  return (await withFresh(bench, work, ({ mount }) => timed(() => mount(podOf(0, 0, secrets(OBJECTS)))))).value;
}
