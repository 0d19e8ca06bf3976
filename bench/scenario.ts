import type { Azure, Counts } from './azure.ts';
import type { Contestant, LoopBlock, Running, StartOptions } from './contestants.ts';
import type { Pod } from './world.ts';

/** What scenarios work with. */
export interface Bench {
  readonly azure: Azure;
  /** Providers, this project's own first; each gets rows of its own. */
  readonly providers: readonly Contestant[];
  readonly sequential: Contestant;
  readonly limit: Contestant;
  /** Few repetitions, small numbers. */
  readonly quick: boolean;
}

/** A goal and whether it was met. */
export interface Target {
  readonly text: string;
  readonly met: boolean;
}

/** One line of the table. */
export interface Row {
  readonly scenario: string;
  readonly contestant: string;
  /** What was measured, in words. */
  readonly result: string;
  /** The contestant's time divided by that of the baselines. */
  readonly toSequential?: number;
  readonly toLimit?: number;
  readonly counts?: Counts;
  readonly loop?: LoopBlock | undefined;
  readonly targets?: readonly Target[];
  /** Everything behind the words; numbers with their units in the names. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A part of the benchmark. */
export interface Scenario {
  readonly name: string;
  run(bench: Bench): Promise<readonly Row[]>;
}

/** What came of letting one contestant work. */
export interface TimedResult<T> {
  readonly value: T;
  readonly counts: Counts;
  readonly loop: LoopBlock | undefined;
}

/** Starts a contestant afresh, lets it work, counts the requests of the work, and ends it. */
export async function withFresh<T>(
  { azure }: Bench,
  { contestant, ...options }: StartOptions & { readonly contestant: Contestant },
  work: (running: Running) => Promise<T>,
): Promise<TimedResult<T>> {
  const running = await contestant.start(azure, options);
  try {
    await running.watchFromNow();
    await azure.remote.clearRequests();
    const value = await work(running);
    const counts = await azure.counts();
    return { value, counts, loop: (await running.stop()).loop };
  } finally {
    await running.stop();
  }
}

/** Milliseconds that work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** All pods at once; rejects if one of them fails. */
export async function mountAll(running: Running, pods: readonly Pod[]): Promise<void> {
  await Promise.all(pods.map((pod) => running.mount(pod)));
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** The longest of several blocks. */
export function longest(blocks: readonly (LoopBlock | undefined)[]): LoopBlock | undefined {
  return blocks.reduce((a, b) => ((b?.blockMs ?? 0) > (a?.blockMs ?? 0) ? b : (a ?? b)), undefined);
}

/** `0`, `1`, … below `count`. */
export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Milliseconds for people. */
export function ms(value: number): string {
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 10_000
      ? `${value.toFixed(0)} ms`
      : `${(value / 1000).toFixed(1)} s`;
}

/** Bytes for people. */
export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
