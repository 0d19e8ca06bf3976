/** Holds who gets which last known value, online and offline: each principal its own for each request, and nobody another's. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { ObjectRef } from '../../src/mount/ports.ts';
import { Snapshot } from '../../src/mount/snapshot.ts';
import type { Identity } from '../../src/spc/model.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { type Lab, POD, READER, SUBJECT, secret, startLab, TENANT, textOf, WORKLOAD } from '../support/azure.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { clearImds, setImds } from '../support/imds.ts';
import { sharedKey } from '../support/pki.ts';
import { podClaims, podToken } from '../support/pod-tokens.ts';

const HOUR = 3_600_000;
const STRANGER = '55555555-5555-5555-5555-555555555555';
const SYSTEM = '66666666-6666-6666-6666-666666666666';
const OTHER_TENANT = '99999999-9999-9999-9999-999999999999';
const OTHER_ACCOUNT = 'system:serviceaccount:default:other';
const OTHER_NAMESPACE = 'system:serviceaccount:other:app';

const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - {name: reader, clientId: "${READER}", secrets: [{value: one}, {value: two}]}
      - {name: stranger, clientId: "${STRANGER}", secrets: [{value: stranger}]}
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "${SUBJECT}"}, {subject: "${OTHER_ACCOUNT}"}]}
      - {name: system, clientId: "${SYSTEM}", managed: {systemAssigned: true, pods: [{namespace: prod, name: web-0}]}}
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants:
      - {identity: reader, secrets: [get, list]}
      - {identity: workload, secrets: [get]}
      - {identity: system, secrets: [get]}
    secrets: [{name: s0, value: first}, {name: s1, value: other}]
  - name: next-vault
    tenant: "${TENANT}"
    grants: [{identity: reader, secrets: [get]}]
    secrets: [{name: s0, value: next}]
`;

let lab: Lab;
let clock: ManualClock;

const principal = (clientSecret: string, clientId = READER, tenantId = TENANT): Identity => ({
  kind: 'service-principal',
  tenantId,
  clientId,
  clientSecret: new Secret(clientSecret),
});
const account = (subject: string, clientId = WORKLOAD, tenantId = TENANT): Identity => {
  const token = lab.emulator.issueServiceAccountToken({ subject, audience: WORKLOAD_IDENTITY_AUDIENCE });
  return { kind: 'workload-identity', tenantId, clientId, token: new Secret(token) };
};
const node = (clientId = ''): Identity => ({ kind: 'managed-identity', clientId });
const pod = (podName: string): Identity => ({ kind: 'pod-identity', podName, podNamespace: 'prod' });
const forged = (): Identity => {
  const claims = podClaims(lab.emulator.serviceAccountIssuer, clock.wall());
  const token = podToken({ key: sharedKey('p-256', 'thief'), claims, header: { alg: 'ES256' } });
  return { kind: 'workload-identity', tenantId: TENANT, clientId: WORKLOAD, token: new Secret(token) };
};

/** Identities that may read, each with a value of the object that no other one has read. */
const READERS: Readonly<Record<string, () => Identity>> = {
  'a service principal': () => principal('one'),
  'the same with another secret': () => principal('two'),
  'a service account': () => account(SUBJECT),
  'another service account of the same client': () => account(OTHER_ACCOUNT),
  'the identity of the node': () => node(),
  'a pod with the same identity by NMI': () => pod('web-0'),
};
/** Identities that have read nothing, each close to one that has. */
const THIEVES: Readonly<Record<string, () => Identity>> = {
  'another client of the tenant': () => principal('stranger', STRANGER),
  'the client with a wrong secret': () => principal('wrong'),
  'the client in another tenant': () => principal('one', READER, OTHER_TENANT),
  'the client of the service account, by a secret': () => principal('one', WORKLOAD),
  'the service account in another namespace': () => account(OTHER_NAMESPACE),
  'the service account with another client': () => account(SUBJECT, READER),
  'the service account with the client of the node': () => account(SUBJECT, SYSTEM),
  'the service account in another tenant': () => account(SUBJECT, WORKLOAD, OTHER_TENANT),
  'a forged token of the service account': forged,
  'the node with the client of the service account': () => node(WORKLOAD),
  'the node with the client of the service principal': () => node(READER),
  'another pod by NMI': () => pod('web-1'),
};

/** Reads as a Mount does. Returns the value with how old it is, or the code of the error. */
async function read(identity: Identity, ref: ObjectRef = secret('s0'), vaultUrl = urlOf('lab-vault')): Promise<string> {
  const snapshot = new Snapshot(clock);
  const volume = { pod: POD, cloud: lab.cloud, tenantId: TENANT, identity, vaultName: 'lab-vault', vaultUrl };
  const reading = lab.azure.vaults.open(volume).get(ref, lab.context({ snapshot }));
  return reading.then(
    (value) => `${snapshot.lastKnown.length === 0 ? 'current' : 'last known'}: ${textOf(value)}`,
    (error: { code?: string }) => error.code ?? 'no code',
  );
}

function urlOf(vaultName: string): string {
  return `https://${vaultName}.${lab.cloud.vaultSuffix}`;
}

async function outcomes(identities: Readonly<Record<string, () => Identity>>): Promise<Record<string, string>> {
  const all = Object.entries(identities).map(async ([name, identityOf]) => [name, await read(identityOf())]);
  return Object.fromEntries(await Promise.all(all));
}

const valuesOf = (age: string) =>
  Object.fromEntries(Object.keys(READERS).map((name) => [name, `${age}: value of ${name}`]));

beforeAll(async () => {
  clock = manualClock();
  lab = await startLab({ clock, seed: SEED, nmi: true, maxStaleMs: HOUR, verifyTokensOffline: true });
  setImds(lab.emulator.imdsUrl);
});
afterAll(async () => {
  clearImds();
  await lab.close();
});

describe.each([
  ['the vault is away', ['vault']],
  ['vault, Entra ID, IMDS and NMI are away', ['vault', 'entra', 'imds', 'nmi']],
] as const)('while %s', (_, services) => {
  beforeAll(async () => {
    lab.emulator.faults.clear();
    // What was remembered of an outage is over.
    clock.time += 10 * 60_000;
    for (const [name, identityOf] of Object.entries(READERS)) {
      lab.emulator.setSecret('lab-vault', 's0', `value of ${name}`);
      await vi.waitUntil(async () => (await read(identityOf())) === `current: value of ${name}`, 20_000);
    }
    const issuerAsked = () => lab.emulator.requests.filter(({ kind }) => kind === 'issuer').length > 1;
    await vi.waitUntil(issuerAsked, 20_000);
    for (const on of services) lab.emulator.faults.add({ on, unauthenticated: true, action: { kind: 'drop' } });
  });

  it('each principal gets the value that it has read itself', async () => {
    expect(await outcomes(READERS)).toEqual(valuesOf('last known'));
  });

  it('nobody else gets one', async () => {
    const served = Object.entries(await outcomes(THIEVES)).filter(([, outcome]) => !outcome.startsWith('ERR_'));
    expect(served).toEqual([]);
    expect(await outcomes(READERS)).toEqual(valuesOf('last known'));
  });

  it('a value answers its own request only, however the vault is spelled', async () => {
    const [one] = Object.values(READERS);
    const identity = () => one?.() ?? node();
    const { version } = lab.emulator.currentSecret('lab-vault', 's0');
    const host = new URL(urlOf('lab-vault'));
    const asked: readonly (readonly [string, ObjectRef, string])[] = [
      ['the version that is current now', secret('s0', version), urlOf('lab-vault')],
      ['another object', secret('s1'), urlOf('lab-vault')],
      ['the object as a key', { type: 'key', name: 's0', version: '' }, urlOf('lab-vault')],
      ['the object in other letters', secret('S0'), urlOf('lab-vault')],
      ['another vault', secret('s0'), urlOf('next-vault')],
      ['the vault with a trailing dot', secret('s0'), `https://${host.hostname}.:${host.port}`],
      ['the vault at another port', secret('s0'), `https://${host.hostname}:1`],
    ];
    const answers = await Promise.all(asked.map(async ([name, ref, url]) => [name, await read(identity(), ref, url)]));
    expect(answers).toEqual(asked.map(([name]) => [name, expect.stringMatching(/^ERR_/)]));
    // The same host in other letters is the same vault.
    const loud = `https://${host.hostname.toUpperCase()}:${host.port}`;
    expect(await read(identity(), secret('s0'), loud)).toBe('last known: value of a service principal');
  });
});
