import type { Implementation } from '../implementations.ts';
import { type Bench, longest, median, ms, type Row, range, type Scenario, timed, withFresh } from '../scenario.ts';
import { podOf, secrets } from '../world.ts';

/** Measures the first Mount of a process. */
export const cold: Scenario = {
  name: 'cold Mount',
  async run(bench) {
    const rows: Row[] = [];
    for (const objects of bench.quick ? [1, 50] : [1, 10, 50, 200]) rows.push(...(await coldMounts(bench, objects)));
    return rows;
  },
};

async function coldMounts(bench: Bench, objects: number): Promise<readonly Row[]> {
  const repetitions = bench.quick ? 1 : 3;
  const sequential = await measure(bench, { implementation: bench.sequential, objects, repetitions });
  const limit = await measure(bench, { implementation: bench.limit, objects, repetitions });
  const rows: Row[] = [];
  for (const implementation of bench.providers) {
    const own = await measure(bench, { implementation, objects, repetitions: repetitions + 2 });
    rows.push({
      scenario: `cold Mount, ${objects} objects`,
      implementation: implementation.name,
      result: ms(own.timeMs),
      toSequential: own.timeMs / sequential.timeMs,
      toLimit: own.timeMs / limit.timeMs,
      counts: own.counts,
      loop: own.loop,
      ...(objects === 50 ? { targets: targetsOf(own.timeMs, sequential.timeMs, limit.timeMs) } : {}),
      details: { own, sequential, limit },
    });
  }
  return rows;
}

function targetsOf(ownMs: number, sequentialMs: number, limitMs: number) {
  return [
    { text: '>= 10x faster than sequential', met: sequentialMs / ownMs >= 10 },
    { text: '<= 1.5x limit', met: ownMs / limitMs <= 1.5 },
  ];
}

interface Attempt {
  readonly implementation: Implementation;
  readonly objects: number;
  readonly repetitions: number;
}

async function measure(bench: Bench, { implementation, objects, repetitions }: Attempt) {
  const outcomes = [];
  for (const _ of range(repetitions)) {
    const work = { implementation, watchLoop: true };
    outcomes.push(await withFresh(bench, work, ({ mount }) => timed(() => mount(podOf(0, 0, secrets(objects))))));
  }
  const [first] = outcomes;
  if (first === undefined) throw new Error('nothing was measured');
  const timesMs = outcomes.map(({ value }) => value);
  return { timeMs: median(timesMs), timesMs, counts: first.counts, loop: longest(outcomes.map(({ loop }) => loop)) };
}
