/** Holds that a wall clock which is set during an outage neither shortens nor prolongs the life of last known values. */
import { describe, expect, it, type TestContext } from 'vitest';
import { Snapshot } from '../../src/mount/snapshot.ts';
import type { Identity } from '../../src/spc/model.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, textOf, workload } from '../support/azure.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { countTurnsAsTime } from '../support/turns.ts';

countTurnsAsTime();

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** An emulator and its provider, which one test has for itself. */
interface World {
  readonly lab: Lab;
  readonly clock: ManualClock;
  /** Reads as a Mount does: the value, and how many of the values are last known ones; or the error. */
  outcome(identity: Identity): Promise<unknown>;
  away(...services: ('entra' | 'vault')[]): void;
}

async function startWorld({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<World> {
  const clock = manualClock();
  const lab = await startLab({ clock, world: { wall: () => clock.time }, maxStaleMs: HOUR, verifyTokensOffline: true });
  onTestFinished(() => lab.close());
  async function read(identity: Identity) {
    const snapshot = new Snapshot(clock);
    const value = textOf(await lab.open(identity).get(secret('s0'), lab.context({ snapshot })));
    return { value, lastKnown: snapshot.lastKnown.length };
  }
  return {
    lab,
    clock,
    outcome: (identity) => read(identity).catch((error: unknown) => error),
    away(...services) {
      for (const on of services) lab.emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
    },
  };
}

const podToken = ({ emulator }: Lab) =>
  emulator.issueServiceAccountToken({
    subject: SUBJECT,
    audience: WORKLOAD_IDENTITY_AUDIENCE,
    expiresInSeconds: 4 * 3600,
  });

const CURRENT = { value: 'value-0', lastKnown: 0 };
const SERVED = { value: 'value-0', lastKnown: 1 };
const REFUSED = expect.objectContaining({ code: 'ERR_UNREACHABLE' });

const IDENTITIES: readonly (readonly [string, (lab: Lab) => Identity])[] = [
  ['a service principal', () => reader()],
  ['a service-account token', (lab) => workload(podToken(lab))],
];
const OUTAGES: readonly (readonly ('entra' | 'vault')[])[] = [['vault'], ['entra', 'vault']];
const STEPS = [-DAY, DAY];

const cases = IDENTITIES.flatMap(([name, identityOf]) =>
  OUTAGES.flatMap((services) => STEPS.map((step) => ({ name, identityOf, services, step }))),
);

describe.concurrent('a wall clock that is set during an outage', () => {
  it.for(cases)('$name, $services away, set by $step ms: values end by the steady clock', async (row, test) => {
    const { identityOf, services, step } = row;
    const { lab, clock, outcome, away } = await startWorld(test);
    const identity = identityOf(lab);
    expect(await outcome(identity)).toEqual(CURRENT);
    away(...services);
    clock.time += HOUR / 2;
    expect(await outcome(identity)).toEqual(SERVED);
    clock.offBy = step;
    // By the wall clock the token has ended, so that nobody can prove it while Entra ID is away.
    const ended = identity.kind === 'workload-identity' && services.includes('entra') && step > 0;
    expect(await outcome(identity)).toEqual(ended ? REFUSED : SERVED);
    clock.time += HOUR / 2 - 1;
    expect(await outcome(identity)).toEqual(ended ? REFUSED : SERVED);
    clock.time += 1;
    expect(await outcome(identity)).toEqual(REFUSED);
    clock.offBy = 0;
    expect(await outcome(identity)).toEqual(REFUSED);
  });

  it.for(STEPS)('by %s ms, and back again: no value lives longer', async (step, test) => {
    const { clock, outcome, away } = await startWorld(test);
    expect(await outcome(reader())).toEqual(CURRENT);
    away('vault');
    for (let i = 0; i < 6; i++) {
      clock.offBy = i % 2 === 0 ? step : 0;
      expect(await outcome(reader())).toEqual(SERVED);
      clock.time += HOUR / 6;
    }
    expect(await outcome(reader())).toEqual(REFUSED);
  });

  it.for(STEPS)('by %s ms: values are current as soon as the services answer', async (step, test) => {
    const { lab, clock, outcome, away } = await startWorld(test);
    expect(await outcome(reader())).toEqual(CURRENT);
    away('entra', 'vault');
    expect(await outcome(reader())).toEqual(SERVED);
    clock.offBy = step;
    lab.emulator.faults.clear();
    lab.emulator.setSecret('lab-vault', 's0', 'changed');
    const next = () => {
      clock.time += 60_000;
      return outcome(reader());
    };
    await test.expect.poll(next).toEqual({ value: 'changed', lastKnown: 0 });
  });
});
