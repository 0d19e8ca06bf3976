import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Snapshot } from '../../src/mount/snapshot.ts';
import type { Identity } from '../../src/spc/model.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, reader, SUBJECT, secret, startLab, textOf, workload } from '../support/azure.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let lab: Lab;
let clock: ManualClock;

beforeEach(async () => {
  clock = manualClock();
  lab = await startLab({ clock, world: { wall: () => clock.time }, maxStaleMs: HOUR, verifyTokensOffline: true });
});
afterEach(() => lab.close());

const podToken = () =>
  lab.emulator.issueServiceAccountToken({
    subject: SUBJECT,
    audience: WORKLOAD_IDENTITY_AUDIENCE,
    expiresInSeconds: 4 * 3600,
  });

/** Reads as a Mount does: the value, and how many of the values are last known ones. */
async function read(identity: Identity) {
  const snapshot = new Snapshot(clock);
  const value = textOf(await lab.open(identity).get(secret('s0'), lab.context({ snapshot })));
  return { value, lastKnown: snapshot.lastKnown.length };
}

function away(...services: ('entra' | 'vault')[]): void {
  for (const on of services) lab.emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
}

const SERVED = { value: 'value-0', lastKnown: 1 };
const REFUSED = expect.objectContaining({ code: 'ERR_UNREACHABLE' });
const outcome = (identity: Identity) => read(identity).catch((error: unknown) => error);

const IDENTITIES: readonly (readonly [string, () => Identity])[] = [
  ['a service principal', () => reader()],
  ['a service-account token', () => workload(podToken())],
];
const OUTAGES: readonly (readonly ('entra' | 'vault')[])[] = [['vault'], ['entra', 'vault']];
const STEPS = [-DAY, DAY];

const cases = IDENTITIES.flatMap(([name, identityOf]) =>
  OUTAGES.flatMap((services) => STEPS.map((step) => ({ name, identityOf, services, step }))),
);

describe('a wall clock that is set during an outage', () => {
  it.each(cases)('$name, $services away, set by $step ms: values end by the steady clock', async (row) => {
    const { identityOf, services, step } = row;
    const identity = identityOf();
    expect(await read(identity)).toEqual({ value: 'value-0', lastKnown: 0 });
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

  it.each(STEPS)('by %s ms, and back again: no value lives longer', async (step) => {
    await read(reader());
    away('vault');
    for (let i = 0; i < 6; i++) {
      clock.offBy = i % 2 === 0 ? step : 0;
      expect(await outcome(reader())).toEqual(SERVED);
      clock.time += HOUR / 6;
    }
    expect(await outcome(reader())).toEqual(REFUSED);
  });

  it.each(STEPS)('by %s ms: values are current as soon as the services answer', async (step) => {
    await read(reader());
    away('entra', 'vault');
    expect(await outcome(reader())).toEqual(SERVED);
    clock.offBy = step;
    lab.emulator.faults.clear();
    lab.emulator.setSecret('lab-vault', 's0', 'changed');
    const next = () => {
      clock.time += 60_000;
      return outcome(reader());
    };
    await expect.poll(next).toEqual({ value: 'changed', lastKnown: 0 });
  });
});
