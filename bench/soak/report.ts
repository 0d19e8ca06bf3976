/**
 * Judges a soak and prints its result. `soak.ts` calls it.
 */
import { median, mib } from '../scenario.ts';
import type { Sample } from './process.ts';
import type { Tally } from './workers.ts';

/** One process of the provider, from its start to its end. */
export interface Life {
  readonly number: number;
  readonly samples: readonly Sample[];
  /** After the Mounts, at rest. */
  readonly rest: Sample;
  readonly ended: string;
  readonly defects: readonly string[];
}

/** Growth from the second fifth of a life to its last fifth that is still noise. */
const LIMITS: Readonly<Record<keyof Sample, { readonly factor: number; readonly more: number }>> = {
  anonBytes: { factor: 1.2, more: 16 * 2 ** 20 },
  files: { factor: 1.2, more: 40 },
  sockets: { factor: 1.2, more: 40 },
  threads: { factor: 1, more: 2 },
  timers: { factor: 1.2, more: 40 },
  resources: { factor: 1.2, more: 60 },
};
/** A shorter life, in samples, is not judged by its growth: caches fill, and the heap finds its size. */
const MIN_SAMPLES = 240;
/** A process at rest has no more than these. */
const AT_REST: Readonly<Partial<Record<keyof Sample, number>>> = { anonBytes: 50 * 2 ** 20, sockets: 60, timers: 30 };

/** Returns everything that is wrong, as sentences; empty if nothing is. */
export function judge(lives: readonly Life[], { wrong, mounted }: Tally): readonly string[] {
  return [
    ...[...wrong].map(([text, times]) => `${times} ×: ${text}`),
    ...(mounted === 0 ? ['no Mount succeeded'] : []),
    ...lives.flatMap((life) => faultsOf(life).map((fault) => `life ${life.number}: ${fault}`)),
  ];
}

function faultsOf({ samples, rest, ended, defects }: Life): readonly string[] {
  const grown = entriesOf(LIMITS).flatMap(([name, { factor, more }]) => {
    const [early, late] = [partOf(samples, name, 0.2), partOf(samples, name, 0.8)];
    return late > early * factor + more ? [`${name} grew from ${early} to ${late}`] : [];
  });
  const left = entriesOf(AT_REST).filter(([name, most]) => rest[name] > most);
  return [
    ...(ended === 'as told' ? [] : [ended]),
    ...defects,
    ...(samples.length < MIN_SAMPLES ? [] : grown),
    ...left.map(([name]) => `${rest[name]} ${name} at rest`),
  ];
}

/** Prints the table of lives, and what is wrong. */
export function printReport(lives: readonly Life[], { mounted, failed }: Tally, faults: readonly string[]): void {
  const lines = [`${mounted} Mounts succeeded, ${failed} failed as expected`, ''];
  const names = Object.keys(LIMITS) as (keyof Sample)[];
  lines.push(`life  ${names.map((name) => name.padEnd(30)).join('')}`);
  for (const { number, samples, rest } of lives) {
    const cells = names.map((name) => {
      const show = (value: number) => (name === 'anonBytes' ? mib(value) : String(value));
      const [early, late] = [partOf(samples, name, 0.2), partOf(samples, name, 0.8)];
      return `${show(early)} -> ${show(late)}, rest ${show(rest[name])}`.padEnd(30);
    });
    lines.push(`${String(number).padEnd(6)}${cells.join('')}`);
  }
  lines.push('', ...(faults.length === 0 ? ['No wrong answer, no growth.'] : ['Wrong:', ...faults]));
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The median of a fifth of the samples that begins at a part of their number. */
function partOf(samples: readonly Sample[], name: keyof Sample, from: number): number {
  const part = samples.slice(samples.length * from, samples.length * (from + 0.2));
  return part.length === 0 ? 0 : median(part.map((sample) => sample[name]));
}

function entriesOf<V>(record: Readonly<Partial<Record<keyof Sample, V>>>): [keyof Sample, V][] {
  return Object.entries(record) as [keyof Sample, V][];
}
