import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import { Snapshot } from '../../src/mount/snapshot.ts';
import type { Identity } from '../../src/spc/model.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, SUBJECT, secret, startLab, textOf, workload } from '../support/azure.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { sharedKey } from '../support/pki.ts';
import { podClaims, podIdentity, podToken } from '../support/pod-tokens.ts';
import { countTurnsAsTime } from '../support/turns.ts';

countTurnsAsTime();

const HOUR = 3_600_000;
const KEPT = 'The keys of an issuer are kept';

let lab: Lab;
let clock: ManualClock;
let messages: string[];

async function start(verifyTokensOffline: boolean): Promise<void> {
  messages = [];
  clock = manualClock();
  const log: Logger = { ...silentLogger, detail: (message) => messages.push(message) };
  lab = await startLab({ clock, log, maxStaleMs: HOUR, verifyTokensOffline });
}

function freshToken(subject = SUBJECT): string {
  return lab.emulator.issueServiceAccountToken({ subject, audience: WORKLOAD_IDENTITY_AUDIENCE });
}

/** Reads as a Mount does. Returns the value, and how many of the values are last known ones. */
async function read(identity: Identity, name = 's0'): Promise<{ value: string; lastKnown: number }> {
  const snapshot = new Snapshot(clock);
  const value = textOf(await lab.open(identity).get(secret(name), lab.context({ snapshot })));
  return { value, lastKnown: snapshot.lastKnown.length };
}

/** Lets a service end each connection without an answer. */
function away(...services: ('entra' | 'vault')[]): void {
  for (const on of services) lab.emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
}

/** All services answer again, and the provider has noticed. */
async function recover(): Promise<string> {
  lab.emulator.faults.clear();
  const fresh = async () => {
    clock.time += 60_000;
    return read(workload(freshToken()));
  };
  await expect.poll(async () => (await fresh()).lastKnown).toBe(0);
  return (await fresh()).value;
}

const AWAY = {
  code: 'ERR_UNREACHABLE',
  details: expect.objectContaining({ phase: 'entra' }),
  message: expect.stringContaining('Entra ID at'),
};

describe('a new pod of a known service account, while Entra ID is away', () => {
  beforeAll(() => start(true));
  beforeEach(async () => {
    await recover();
    await expect.poll(() => messages).toContain(KEPT);
    lab.emulator.requests.clear();
  });
  afterEach(() => lab.emulator.faults.clear());
  afterAll(() => lab.close());

  it('gets the last known value where the vault is away too', async () => {
    away('entra', 'vault');
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
  });

  it('gets the last known value where the vault answers, which is not asked', async () => {
    lab.emulator.setSecret('lab-vault', 's0', 'changed');
    away('entra');
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
    expect(lab.count('vault')).toBe(0);
    lab.emulator.setSecret('lab-vault', 's0', 'value-0');
  });

  it('gets it where Entra ID answers 503', async () => {
    lab.emulator.faults.add({ on: 'entra', action: { kind: 'answer', status: 503 } });
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
  });

  it('gets it where Entra ID asks to wait for longer than a Mount may', async () => {
    const headers = { 'retry-after': '600' };
    lab.emulator.faults.add({ on: 'entra', action: { kind: 'answer', status: 429, headers } });
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
    await expect(read(workload(freshToken()), 's1')).rejects.toMatchObject({ code: 'ERR_THROTTLED' });
  });

  it('gets no value that was never read for it', async () => {
    away('entra');
    await expect(read(workload(freshToken()), 's1')).rejects.toMatchObject(AWAY);
  });

  it('is refused, and told that Entra ID is away, where anything of its identity differs', async () => {
    const claims = podClaims(lab.emulator.serviceAccountIssuer, clock.wall());
    const [header = '', body = '', signature = ''] = freshToken().split('.');
    const { kid, alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const otherIssuer = Buffer.from(JSON.stringify({ ...claims, iss: 'https://x.example' })).toString('base64url');
    const identities: Readonly<Record<string, Identity>> = {
      'another subject': workload(freshToken('system:serviceaccount:default:other')),
      'another client': { ...podIdentity(freshToken()), clientId: '55555555-5555-5555-5555-555555555555' },
      'another tenant': { ...podIdentity(freshToken()), tenantId: '99999999-9999-9999-9999-999999999999' },
      'another signer': workload(podToken({ key: sharedKey('p-256', 'thief'), claims, header: { kid, alg } })),
      'another issuer': workload([header, otherIssuer, signature].join('.')),
      'no signature': workload(`${header}.${body}.`),
    };
    away('entra', 'vault');
    const outcomes = Object.entries(identities).map(async ([name, identity]) => {
      const error: unknown = await read(identity).then(
        () => 'served',
        (thrown: unknown) => thrown,
      );
      return [name, error];
    });
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual(
      Object.fromEntries(Object.keys(identities).map((name) => [name, expect.objectContaining(AWAY)])),
    );
  });

  it('gets nothing after Entra ID has refused its service account, until a login succeeds again', async () => {
    const body = { error: 'invalid_client', error_description: 'AADSTS700213: No matching federated identity record.' };
    lab.emulator.faults.add({ on: 'entra', method: 'POST', action: { kind: 'answer', status: 401, body } });
    await expect(read(workload(freshToken()))).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' });
    lab.emulator.faults.clear();
    away('entra');
    await expect(read(workload(freshToken()))).rejects.toMatchObject(AWAY);
    await recover();
    away('entra');
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
  });

  it('is not kept out by a forged token that Entra ID refuses', async () => {
    const claims = podClaims(lab.emulator.serviceAccountIssuer, clock.wall());
    const forged = podToken({ key: sharedKey('p-256', 'thief'), claims, header: { alg: 'ES256' } });
    await expect(read(workload(forged))).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' });
    away('entra');
    expect(await read(workload(freshToken()))).toEqual({ value: 'value-0', lastKnown: 1 });
  });

  it('gets the present value as soon as Entra ID answers', async () => {
    away('entra');
    expect((await read(workload(freshToken()))).lastKnown).toBe(1);
    lab.emulator.setSecret('lab-vault', 's0', 'changed');
    expect(await recover()).toBe('changed');
    lab.emulator.setSecret('lab-vault', 's0', 'value-0');
  });
});

describe('with --verify-tokens-offline=false', () => {
  beforeAll(() => start(false));
  afterAll(() => lab.close());

  it('the keys of issuers are not read, and only tokens that Entra ID accepted open last known values', async () => {
    const accepted = freshToken();
    await read(workload(accepted));
    away('entra', 'vault');
    await expect(read(workload(freshToken()))).rejects.toMatchObject(AWAY);
    expect(await read(workload(accepted))).toMatchObject({ value: 'value-0' });
    expect(lab.emulator.requests.filter(({ kind }) => kind === 'issuer')).toEqual([]);
  });
});
