import type { Implementation } from '../implementations.ts';
import {
  type Bench,
  longest,
  measureAll,
  median,
  ms,
  type Row,
  range,
  type Scenario,
  timed,
  withFresh,
} from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

/** The two moments of a first Mount: how long the process has been up. */
const MOMENTS = [
  { upMs: 0, name: 'right after the start' },
  { upMs: 2000, name: 'up for 2 s' },
] as const;

type Moment = (typeof MOMENTS)[number];

/** Measures the first Mount of a process, right after the start and of a process that has completed its start. */
export const cold: Scenario = {
  name: 'cold Mount',
  async run(bench) {
    const rows: Row[] = [];
    for (const objects of bench.quick ? [1, 50] : [1, 10, 50, 200]) rows.push(...(await coldMounts(bench, objects)));
    return rows;
  },
};

async function coldMounts(bench: Bench, objects: number): Promise<readonly Row[]> {
  const sequential = await measure(bench, { implementation: bench.sequential, objects, upMs: 0 });
  const limit = await measure(bench, { implementation: bench.limit, objects, upMs: 0 });
  const rows: Row[] = [];
  for (const moment of MOMENTS) {
    const { upMs } = moment;
    const measureOne = (implementation: Implementation) => measure(bench, { implementation, objects, upMs });
    const describe = (own: Measured, peer: Measured | undefined) => ({
      scenario: `cold Mount, ${objects} objects, ${moment.name}`,
      result: ms(own.timeMs),
      toPeer: peer && own.timeMs / peer.timeMs,
      toSequential: own.timeMs / sequential.timeMs,
      toLimit: own.timeMs / limit.timeMs,
      counts: own.counts,
      usage: own.usage,
      loop: own.loop,
      targets: targetsOf(bench, { objects, moment, own, peer, sequential, limit }),
      details: { own, peer, sequential, limit },
    });
    rows.push(...(await measureAll(bench, measureOne, describe)));
  }
  return rows;
}

interface Comparison {
  readonly objects: number;
  readonly moment: Moment;
  readonly own: Measured;
  readonly peer: Measured | undefined;
  readonly sequential: Measured;
  readonly limit: Measured;
}

function targetsOf({ azure }: Bench, { objects, moment, own, peer, sequential, limit }: Comparison) {
  const peerMs = peer?.timeMs ?? Number.NaN;
  const againstPeer = (text: string, met: boolean) => (peer === undefined ? [] : [{ text, met }]);
  const { entraMs, vaultMs } = azure.latency;
  // The requests of a login follow one another. Then all reads can be sent together.
  const pureMs = entraMs * (own.counts.metadata + own.counts.tokens) + vaultMs;
  const pure = (most: number) => ({
    text: `<= ${most}x pure latency of ${ms(pureMs)}; ${(own.timeMs / pureMs).toFixed(2)}x`,
    met: own.timeMs <= most * pureMs,
  });
  if (moment.upMs === 0) {
    if (objects !== 1) return [];
    const { cpuSeconds } = own.usage;
    return [
      ...againstPeer('<= go-peer', own.timeMs <= peerMs),
      { text: '<= 0.15 CPU s beyond the start', met: cpuSeconds <= 0.15 },
    ];
  }
  if (objects === 1) return [pure(1.15)];
  if (objects !== 50) return [];
  return [
    ...againstPeer('>= 8x faster than go-peer', peerMs / own.timeMs >= 8),
    pure(1.3),
    { text: '>= 10x faster than sequential', met: sequential.timeMs / own.timeMs >= 10 },
    { text: '<= 1.5x limit', met: own.timeMs / limit.timeMs <= 1.5 },
  ];
}

interface Attempt {
  readonly implementation: Implementation;
  readonly objects: number;
  readonly upMs: number;
}

type Measured = Awaited<ReturnType<typeof measure>>;

async function measure(bench: Bench, { implementation, objects, upMs }: Attempt) {
  const outcomes = [];
  for (const _ of range(bench.quick ? 1 : 3)) {
    const work = { implementation, upMs, watchLoop: upMs > 0 };
    outcomes.push(await withFresh(bench, work, ({ mount }) => timed(() => mount(podOf(0, 0, secrets(objects))))));
  }
  const [first] = outcomes;
  if (first === undefined) throw new Error('nothing was measured');
  const timesMs = outcomes.map(({ value }) => value);
  const usage = {
    cpuSeconds: median(outcomes.map(({ usage }) => usage.cpuSeconds)),
    peakBytes: Math.max(...outcomes.map(({ usage }) => usage.peakBytes)),
  };
  const loop = longest(outcomes.map((outcome) => outcome.loop));
  return { timeMs: median(timesMs), timesMs, counts: first.counts, usage, loop };
}
