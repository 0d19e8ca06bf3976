/**
 * The recorded outcomes of all faults, and the tables of docs/faults.md, which are made of them. The test compares both with
 * what it observes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CALLS, type Call } from './calls.ts';
import { canMeet, FAULTS, type FaultGroup } from './faults.ts';
import type { Outcomes } from './lane.ts';

const RECORD = fileURLToPath(new URL('./outcomes.json', import.meta.url));
const PAGE = fileURLToPath(new URL('../../docs/faults.md', import.meta.url));
const BEGIN = '<!-- The tables are made by `FAULTS=update npm run test:faults`. -->\n';

/** Outcomes by call and fault: `first | repeat | many`. */
export type Recorded = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Returns the recorded outcomes. */
export function recorded(): Recorded {
  return JSON.parse(readFileSync(RECORD, 'utf8')) as Recorded;
}

/** Returns the outcomes of a fault as they are recorded. */
export function recordOf({ first, repeat, many }: Outcomes): string {
  return [first, repeat, many].join(' | ');
}

/**
 * Returns true if an observed outcome is the recorded one. The repeat of a login may get the last known value instead: a Mount
 * that has one waits five seconds for the service, and on a busy machine the tries of the SDK take longer.
 */
export function isAsRecorded({ host }: Call, observed: string, expected: string | undefined): boolean {
  if (observed === expected || host === 'vault' || expected === undefined) return observed === expected;
  const [first, , many] = expected.split(' | ');
  return observed === [first, 'last known value', many].join(' | ');
}

/** Replaces the recorded outcomes of calls, and the tables of the page. */
export function update(observed: Recorded): void {
  const merged = { ...recorded(), ...observed };
  const inOrder = (outcomes: Readonly<Record<string, string>> = {}) =>
    Object.fromEntries(FAULTS.flatMap(({ name }) => Object.entries(outcomes).filter(([known]) => known === name)));
  const all = Object.fromEntries(CALLS.map(({ name }) => [name, inOrder(merged[name])]));
  writeFileSync(RECORD, `${JSON.stringify(all, null, 2)}\n`);
  const [text = ''] = pageText().split(BEGIN);
  writeFileSync(PAGE, `${text}${BEGIN}${tables(all)}`);
}

/** Returns the page. */
export function pageText(): string {
  return readFileSync(PAGE, 'utf8');
}

/** Returns the tables of the page, with the line that begins them. */
export function tablesOfPage(all: Recorded): string {
  return BEGIN + tables(all);
}

function tables(all: Recorded): string {
  const groups = [...new Set(FAULTS.map(({ group }) => group))];
  const rows = groups.map((group) => {
    const names = FAULTS.filter((fault) => fault.group === group).map(({ name }) => name);
    return `| ${group} | ${names.join('; ')} |\n`;
  });
  return `\n| kind | faults |\n| --- | --- |\n${rows.join('')}${tablesOfCalls(all)}`;
}

function tablesOfCalls(all: Recorded): string {
  return CALLS.map((call) => `\n## Call: ${call.name}\n\n${table(call, all[call.name] ?? {})}`).join('');
}

function table(call: Call, outcomes: Readonly<Record<string, string>>): string {
  const groups = new Map<FaultGroup, Map<string, string[]>>();
  for (const fault of FAULTS.filter((one) => canMeet(one, call.host))) {
    const byOutcome = groups.get(fault.group) ?? new Map<string, string[]>();
    groups.set(fault.group, byOutcome);
    const outcome = outcomes[fault.name] ?? '';
    byOutcome.set(outcome, [...(byOutcome.get(outcome) ?? []), fault.name]);
  }
  const rows = [...groups].flatMap(([group, byOutcome]) =>
    [...byOutcome].map(([outcome, names]) => {
      const [first = '', repeat = '', many = ''] = outcome.split(' | ');
      const label = byOutcome.size === 1 ? group : `${group}: ${names.join('; ')}`;
      return `| ${label} | ${[first, repeat, many === first ? 'as first' : many].map(inCode).join(' | ')} |\n`;
    }),
  );
  const head = '| fault | first Mount | repeat after a good Mount | many pods at once |\n| --- | --- | --- | --- |\n';
  return head + rows.join('');
}

function inCode(outcome: string): string {
  return outcome.replace(/[A-Z]+(_[A-Z]+)+|UNKNOWN|UNAUTHENTICATED|INTERNAL/g, (code) => `\`${code}\``);
}
