import type { Counts } from './azure.ts';
import type { LoopBlock } from './contestants.ts';
import type { Row, Target } from './scenario.ts';

/** Longest block of the event loop that any scenario may see. */
const MAX_BLOCK_MS = 20;

const HEADINGS = ['scenario', 'result', '/seq.', '/limit', 'reads', 'tokens', 'loop block (CPU)', 'targets'] as const;

/** The table, one line a row; contestants are named where there are several. */
export function printTable(rows: readonly Row[]): void {
  const several = new Set(rows.map(({ contestant }) => contestant)).size > 1;
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

/** What was missed, each with its scenario. */
export function missedTargets(rows: readonly Row[]): readonly string[] {
  return rows.flatMap((row) =>
    targetsOf(row)
      .filter(({ met }) => !met)
      .map(({ text }) => `${row.contestant}: ${row.scenario}: ${text}; ${row.result}`),
  );
}

/** The targets of a row, that for blocks of the event loop among them. */
export function targetsOf({ targets = [], loop }: Row): readonly Target[] {
  if (loop === undefined) return targets;
  // Where the machine was busy with others, a block holds time in which the provider did not run.
  const block = { text: `no block above ${MAX_BLOCK_MS} ms`, met: Math.min(loop.blockMs, loop.cpuMs) <= MAX_BLOCK_MS };
  return [...targets, block];
}

function cellsOf(row: Row, several: boolean): readonly string[] {
  return [
    several ? `${row.scenario} [${row.contestant}]` : row.scenario,
    row.result,
    ratio(row.toSequential),
    ratio(row.toLimit),
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
