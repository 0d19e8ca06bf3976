/**
 * The types of scenarios and results, and functions that all scenarios use.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Azure, Counts } from './azure.ts';
import type { Implementation, LoopBlock, Running, StartOptions } from './implementations.ts';
import { cpuSecondsOf, memoryOf } from './linux.ts';
import type { Pod } from './world.ts';

/** The input of a scenario. */
export interface Bench {
  readonly azure: Azure;
  /** The measured providers, this project's first. Each has its own rows. */
  readonly providers: readonly Implementation[];
  /** The provider in Go. Absent if it cannot be built here. */
  readonly peer: Implementation | undefined;
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

/** What the process used: CPU time of all threads during the work, and the peak of its RSS (VmHWM) since its start. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
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
  readonly toPeer?: number | undefined;
  readonly usage?: Usage;
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
  readonly usage: Usage;
}

/** Options of {@link withFresh}. */
export interface Fresh extends StartOptions {
  readonly implementation: Implementation;
  /** How long a provider has been up when the work begins; default 1000. Its start is complete after a second. */
  readonly upMs?: number;
}

/** Starts an implementation, runs the work, counts its requests, and ends the implementation. */
export async function withFresh<T>(
  { azure }: Bench,
  { implementation, upMs = 1000, ...options }: Fresh,
  work: (running: Running) => Promise<T>,
): Promise<TimedResult<T>> {
  const running = await implementation.start(azure, options);
  try {
    if (implementation.kind === 'provider') await sleep(upMs);
    await running.watchFromNow();
    await azure.remote.clearRequests();
    const before = cpuSecondsOf(running.pid);
    const value = await work(running);
    const usage = { cpuSeconds: cpuSecondsOf(running.pid) - before, peakBytes: memoryOf(running.pid, 'VmHWM') };
    const counts = await azure.counts();
    return { value, counts, usage, loop: (await running.stop()).loop };
  } finally {
    await running.stop();
  }
}

/** The name of this project's provider. */
export const OWN_NAME = 'akv-csi';

/** Returns this project's provider, if it is measured: for volumes that others cannot mount. */
export function ownProviders({ providers }: Pick<Bench, 'providers'>): readonly Implementation[] {
  return providers.filter(({ name }) => name === OWN_NAME);
}

/**
 * Measures the Go peer, if there is one, and then each provider. Returns a row for each; targets and blocks of the event
 * loop belong to the providers only.
 */
export async function measureAll<T>(
  { peer, providers }: Bench,
  measure: (implementation: Implementation) => Promise<T>,
  describe: (own: T, peer: T | undefined) => Omit<Row, 'implementation'>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const peerResult = peer === undefined ? undefined : await measure(peer);
  if (peer !== undefined && peerResult !== undefined) {
    const { targets: _, ...row } = describe(peerResult, undefined);
    rows.push({ ...row, implementation: peer.name });
  }
  for (const implementation of providers)
    rows.push({ ...describe(await measure(implementation), peerResult), implementation: implementation.name });
  return rows;
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
