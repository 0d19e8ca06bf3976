/**
 * Prints the results of the benchmark as a table and lists missed targets. `provider.ts` calls it.
 */
import type { Counts } from './azure.ts';
import type { LoopBlock } from './implementations.ts';
import type { Row, Target, Usage } from './scenario.ts';

/** Maximum block of the event loop in any scenario. */
const MAX_BLOCK_MS = 20;

const HEADINGS = [
  'scenario',
  'result',
  '/peer',
  '/seq.',
  '/limit',
  'CPU s',
  'peak RSS',
  'reads',
  'tokens',
  'loop block (CPU)',
  'targets',
] as const;

/** Prints the table, one line for each row. Names the implementations if there is more than one. */
export function printTable(rows: readonly Row[]): void {
  const several = new Set(rows.map(({ implementation }) => implementation)).size > 1;
  const lines = rows.map((row) => cellsOf(row, several));
  const widths = HEADINGS.map((heading, i) => Math.max(heading.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const print = (cells: readonly string[]) =>
    process.stdout.write(
      `${cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  print(HEADINGS);
  print(widths.map((width) => '-'.repeat(width)));
  for (const line of lines) print(line);
}

/** Returns the missed targets, each with its scenario. */
export function missedTargets(rows: readonly Row[]): readonly string[] {
  return rows.flatMap((row) =>
    targetsOf(row)
      .filter(({ met }) => !met)
      .map(({ text }) => `${row.implementation}: ${row.scenario}: ${text}; ${row.result}`),
  );
}

/** Returns the targets of a row, including the target for blocks of the event loop. */
export function targetsOf({ targets = [], loop }: Row): readonly Target[] {
  if (loop === undefined) return targets;
  // On a busy machine, a block includes time in which the provider did not run. Its CPU time does not.
  const block = { text: `no block above ${MAX_BLOCK_MS} ms`, met: Math.min(loop.blockMs, loop.cpuMs) <= MAX_BLOCK_MS };
  return [...targets, block];
}

function cellsOf(row: Row, several: boolean): readonly string[] {
  return [
    several ? `${row.scenario} [${row.implementation}]` : row.scenario,
    row.result,
    ratio(row.toPeer),
    ratio(row.toSequential),
    ratio(row.toLimit),
    ...usageOf(row.usage),
    ...countsOf(row.counts),
    blockOf(row.loop),
    targetsOf(row)
      .map(({ text, met }) => `${met ? 'met' : 'MISSED'}: ${text}`)
      .join('; '),
  ];
}

function ratio(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}

function usageOf(usage: Usage | undefined): readonly [string, string] {
  return usage === undefined ? ['', ''] : [usage.cpuSeconds.toFixed(2), `${(usage.peakBytes / 1e6).toFixed(1)} MB`];
}

function countsOf(counts: Counts | undefined): readonly [string, string] {
  if (counts === undefined) return ['', ''];
  const { reads, challenges, tokens, metadata } = counts;
  return [
    challenges === 0 ? `${reads}` : `${reads} + ${challenges}x401`,
    metadata === 0 ? `${tokens}` : `${tokens} + ${metadata}`,
  ];
}

function blockOf(loop: LoopBlock | undefined): string {
  return loop === undefined ? '' : `${loop.blockMs.toFixed(0)} ms (${loop.cpuMs.toFixed(0)})`;
}
