/**
 * The types of scenarios and results, and functions that all scenarios use.
 */
import type { Azure, Counts } from './azure.ts';
import type { Implementation, LoopBlock, Running, StartOptions } from './implementations.ts';
import type { Pod } from './world.ts';

/** The input of a scenario. */
export interface Bench {
  readonly azure: Azure;
  /** The measured providers, this project's first. Each has its own rows. */
  readonly providers: readonly Implementation[];
  readonly sequential: Implementation;
  readonly limit: Implementation;
  /** If true, scenarios use few repetitions and small numbers. */
  readonly quick: boolean;
}

/** A target and whether the result met it. */
export interface Target {
  readonly text: string;
  readonly met: boolean;
}

/** One line of the table. */
export interface Row {
  readonly scenario: string;
  readonly implementation: string;
  /** The result as text. */
  readonly result: string;
  /** The time divided by that of the baseline. */
  readonly toSequential?: number;
  readonly toLimit?: number;
  readonly counts?: Counts;
  readonly loop?: LoopBlock | undefined;
  readonly targets?: readonly Target[];
  /** The measured values. Names of numbers contain their units. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A part of the benchmark. */
export interface Scenario {
  readonly name: string;
  run(bench: Bench): Promise<readonly Row[]>;
}

/** The result of work with one implementation. */
export interface TimedResult<T> {
  readonly value: T;
  readonly counts: Counts;
  readonly loop: LoopBlock | undefined;
}

/** Starts an implementation, runs the work, counts its requests, and ends the implementation. */
export async function withFresh<T>(
  { azure }: Bench,
  { implementation, ...options }: StartOptions & { readonly implementation: Implementation },
  work: (running: Running) => Promise<T>,
): Promise<TimedResult<T>> {
  const running = await implementation.start(azure, options);
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

/** Returns the duration of the work in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Mounts the volumes of all pods in parallel. Rejects if one of them fails. */
export async function mountAll(running: Running, pods: readonly Pod[]): Promise<void> {
  await Promise.all(pods.map((pod) => running.mount(pod)));
}

/** Returns the median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** Returns the longest block. */
export function longest(blocks: readonly (LoopBlock | undefined)[]): LoopBlock | undefined {
  return blocks.reduce((a, b) => ((b?.blockMs ?? 0) > (a?.blockMs ?? 0) ? b : (a ?? b)), undefined);
}

/** Returns the numbers from 0 to `count` - 1. */
export function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Formats milliseconds. */
export function ms(value: number): string {
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 10_000
      ? `${value.toFixed(0)} ms`
      : `${(value / 1000).toFixed(1)} s`;
}

/** Formats bytes. */
export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
