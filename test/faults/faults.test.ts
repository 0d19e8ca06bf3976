import { describe, expect, it } from 'vitest';
import { randomOf } from '../support/pki.ts';
import { FULL } from '../support/rounds.ts';
import { CALLS, type Call } from './calls.ts';
import { canMeet, FAULTS, type Fault } from './faults.ts';
import { runCall } from './lane.ts';
import { isAsRecorded, pageText, recorded, recordOf, tablesOfPage, update } from './outcomes.ts';

/** `all`: every fault of every call. `update`: the same, and the outcomes are recorded. Otherwise a sample. */
const { FAULTS: scope = '', FAULTS_ONLY: only = '' } = process.env;
const isWhole = scope === 'all' || scope === 'update';
/** Faults of each call in a sample. */
const SAMPLE = FULL ? 10 : 3;
/** The calls of the small sample. */
const QUICK_CALLS = ['secret', 'token of Entra ID'];

/** Faults that end by themselves within seconds. */
const isQuick = ({ group, does }: Fault): boolean =>
  group !== 'no answer in time' && group !== '429' && group !== '5xx' && does.kind !== 'name';

function faultsOf(call: Call): readonly Fault[] {
  const all = FAULTS.filter((fault) => canMeet(fault, call.host));
  if (isWhole) return all;
  const random = randomOf(CALLS.indexOf(call) + 1);
  const pool = all.filter((fault) => FULL || (isQuick(fault) && fault.deadlineMs > 10_000));
  const order = pool.map((fault) => [random(), fault] as const).sort(([a], [b]) => a - b);
  return order.slice(0, SAMPLE).map(([, fault]) => fault);
}

const calls = CALLS.filter(({ name }) => name.includes(only) && (isWhole || FULL || QUICK_CALLS.includes(name)));

describe.concurrent('a fault of an outbound call', () => {
  it.each(calls)(
    'of $name ends in a final answer, hurts no other Mount, and shows nothing',
    {
      timeout: 1_200_000,
    },
    async (call) => {
      const { outcomes, problems } = await runCall(call, faultsOf(call));
      const observed = Object.fromEntries(Object.entries(outcomes).map(([name, one]) => [name, recordOf(one)]));
      if (scope === 'update') update({ [call.name]: observed });
      expect(problems).toEqual([]);
      const record = recorded()[call.name] ?? {};
      const changed = Object.entries(observed).filter(([name, one]) => !isAsRecorded(call, one, record[name]));
      expect(changed.map(([name, one]) => `${name}: ${one}, not ${record[name]}`)).toEqual([]);
    },
  );
});

describe('the page about faults', () => {
  it('has the recorded outcome of every fault of every call', () => {
    if (scope === 'update') update({});
    const expected = CALLS.map(({ name, host }) => [
      name,
      FAULTS.filter((fault) => canMeet(fault, host)).map((fault) => fault.name),
    ]);
    const found = CALLS.map(({ name }) => [name, Object.keys(recorded()[name] ?? {})]);
    expect(found.map(([name, faults]) => [name, [...(faults ?? [])].sort()])).toEqual(
      expected.map(([name, faults]) => [name, [...(faults ?? [])].sort()]),
    );
    expect(pageText().endsWith(tablesOfPage(recorded()))).toBe(true);
  });
});
