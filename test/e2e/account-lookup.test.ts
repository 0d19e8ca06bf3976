/** Mounts manifests that leave out the client ID, over gRPC, with an emulator and an API server over HTTPS. */
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readManifests } from '../../src/driver/manifests.ts';
import { type ClusterApi, startClusterApi } from '../support/cluster-api.ts';
import { codeBlocks, section } from '../support/markdown.ts';
import {
  type Asked,
  CLIENT,
  CLIENT_SECRET,
  type Outcome,
  openWorld,
  type ParityWorld,
  TENANT,
  tokensParameter,
} from '../support/parity.ts';

const EXCHANGE = 'api://AzureADTokenExchange';
const WORKLOAD = '44444444-4444-4444-4444-444444444444';
const ANNOTATION = 'azure.workload.identity/client-id';
const SUBJECT = 'system:serviceaccount:prod:web';
const ON = ['--service-account-lookup'];
const SEED = `
tenants:
  - id: "${TENANT}"
    identities:
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "${SUBJECT}"}]}
      - {name: app, clientId: "${CLIENT}", secrets: [{value: "${CLIENT_SECRET}"}]}
vaults:
  - name: my-key-vault
    tenant: "${TENANT}"
    grants: [{identity: workload, secrets: [get]}, {identity: app, secrets: [get]}]
    secrets: [{name: db-password, value: hunter2}]
`;

let cluster: ClusterApi;
let world: ParityWorld;
beforeAll(async () => {
  cluster = await startClusterApi();
  world = await openWorld(SEED, {}, cluster);
});
beforeEach(() => {
  world.emulator.requests.clear();
  cluster.requests.length = 0;
  cluster.accounts.clear();
  cluster.accounts.set('prod/web', { [ANNOTATION]: WORKLOAD });
});
afterEach(() => world.emulator.faults.clear());
afterAll(async () => {
  await world.close();
  await cluster.close();
});

const token = (subject = SUBJECT, audience = EXCHANGE) =>
  tokensParameter({ [audience]: world.emulator.issueServiceAccountToken({ subject, audience }) });
const [documented = ''] = codeBlocks(section('docs/identity-modes.md', 'A manifest without a client ID'), 'yaml');
const [spc] = readManifests(documented, 'identity-modes.md').classes;
const BASE = { keyvaultName: undefined, tenantID: undefined, objects: undefined };
const CLASSIC = { ...BASE, ...spc?.parameters };
const keyVault = (workloadIdentity: unknown) =>
  JSON.stringify({
    vault: { name: 'my-key-vault', directoryId: TENANT, credentials: { workloadIdentity } },
    vaultSecret: { name: 'db-password' },
  });

/** Mounts without a node-publish secret, unless one is given. */
function mount(parameters: Asked['parameters'], asked: Asked = {}): Promise<Outcome> {
  return world.mount({ flags: ON, secrets: null, ...asked, parameters: { ...token(), ...parameters } });
}
const filesOf = (outcome: Outcome) =>
  outcome.kind === 'failed'
    ? outcome.message
    : outcome.response.files.map(({ contents }) => Buffer.from(contents).toString());
const reader = () =>
  world.emulator.requests.find(({ kind, authenticated }) => kind === 'vault' && authenticated)?.identity;
const logins = () => world.emulator.requests.filter(({ kind, method }) => kind === 'entra' && method === 'POST').length;
/** A flag that changes nothing, so that the provider has looked up nothing before. */
const fresh = (digits: string) => ['--service-account-lookup', `--custom-user-agent=${digits}`];

describe('a manifest without a client ID', () => {
  it('of the documents mounts with the identity of the annotation, by one request to the API server', async () => {
    expect(spc?.parameters).not.toHaveProperty('clientID');
    expect(spc?.parameters).not.toHaveProperty('tenantID');
    const all = await Promise.all(Array.from({ length: 10 }, () => mount(CLASSIC)));
    expect(all.map(filesOf)).toEqual(Array(10).fill(['hunter2']));
    expect(reader()).toBe('workload');
    expect(cluster.requests).toEqual(['/api/v1/namespaces/prod/serviceaccounts/web']);
    expect(filesOf(await mount(CLASSIC))).toEqual(['hunter2']);
    expect(cluster.requests).toHaveLength(1);
  });

  it.each([[{}], [null]])('may be of the keyVault form: workloadIdentity: %j', async (value) => {
    expect(filesOf(await mount({ ...BASE, keyVault: keyVault(value) }))).toEqual(['hunter2']);
    expect(reader()).toBe('workload');
  });

  it('with a node-publish secret is a service principal as ever, and no account is asked for', async () => {
    const outcome = await mount(CLASSIC, { secrets: { clientid: CLIENT, clientsecret: CLIENT_SECRET } });
    expect(filesOf(outcome)).toEqual(['hunter2']);
    expect([reader(), cluster.requests]).toEqual(['app', []]);
  });

  it('that names one asks for no account', async () => {
    cluster.accounts.clear();
    expect(filesOf(await mount({ ...CLASSIC, clientID: WORKLOAD }))).toEqual(['hunter2']);
    expect(cluster.requests).toEqual([]);
  });

  it('with the name of the parameter misspelt is told so', async () => {
    const outcome = await mount({ ...CLASSIC, clientId: WORKLOAD });
    expect(filesOf(outcome)).toMatch(/parameter "clientId" is ignored/);
    expect(cluster.requests).toEqual([]);
  });
});

describe('while the flag is off', () => {
  const off = { flags: [] };
  it.each<[string, Asked['parameters']]>([
    ['classic', CLASSIC],
    ['keyVault', { ...BASE, keyVault: keyVault({}) }],
  ])('the error names flag and chart value: %s', async (_, parameters) => {
    const outcome = await mount(parameters, off);
    expect(outcome).toMatchObject({ kind: 'failed', code: status.FAILED_PRECONDITION });
    expect(filesOf(outcome)).toMatch(/--service-account-lookup \(chart value serviceAccountLookup\)/);
    expect(filesOf(outcome)).toMatch(/failed to build auth config for mode None/);
    expect([cluster.requests, world.emulator.requests.length]).toEqual([[], 0]);
  });

  it('a pod without a token is told nothing of it', async () => {
    const outcome = await mount({ ...CLASSIC, 'csi.storage.k8s.io/serviceAccount.tokens': '' }, off);
    expect(filesOf(outcome)).not.toContain('--service-account-lookup');
  });
});

describe('an attack', () => {
  const failure = async (parameters: Asked['parameters'], flags = ON) => {
    const outcome = await mount({ ...CLASSIC, ...parameters }, { flags });
    expect(outcome.kind).toBe('failed');
    expect(logins()).toBe(0);
    return String(filesOf(outcome));
  };

  it('by a pod that names the service account of another one is refused before the account is read', async () => {
    const told = await failure({ ...token('system:serviceaccount:prod:evil') });
    expect(told).toMatch(/the pod's token is that of system:serviceaccount:prod:evil/);
    expect(cluster.requests).toEqual([]);
  });

  it('by a name that is a path reads nothing', async () => {
    const name = '../../secrets/x';
    const told = await failure({
      ...token(`system:serviceaccount:prod:${name}`),
      'csi.storage.k8s.io/serviceAccount.name': name,
    });
    expect(told).toMatch(/no client ID is named/);
    expect(cluster.requests).toEqual([]);
  });

  it('by an account whose annotation names the identity of another account is refused by Entra ID', async () => {
    cluster.accounts.set('prod/evil', { [ANNOTATION]: WORKLOAD });
    const evil = { ...token('system:serviceaccount:prod:evil'), 'csi.storage.k8s.io/serviceAccount.name': 'evil' };
    const outcome = await mount({ ...CLASSIC, ...evil });
    expect(outcome).toMatchObject({ kind: 'failed', code: status.UNAUTHENTICATED });
    expect(reader()).toBeUndefined();
  });

  it.each<[string, () => void, RegExp]>([
    [
      'without an annotation',
      () => cluster.accounts.set('prod/web', {}),
      /it has no annotation azure\.workload\.identity/,
    ],
    ['that does not exist', () => cluster.accounts.clear(), /404: it does not exist/],
  ])('or a mistake with an account %s is told with the remedy', async (fact, change, told) => {
    change();
    const message = await failure({}, fresh(fact.length.toString()));
    expect(message).toMatch(told);
    expect(message).toMatch(/ServiceAccount prod\/web gives none: .*, or name clientID$/);
  });
});
