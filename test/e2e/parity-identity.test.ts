import { createServer } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { clearImds, setImds } from '../support/imds.ts';
import {
  CLIENT,
  CLIENT_SECRET,
  checkRow,
  openWorld,
  type ParityWorld,
  type Row,
  requestOf,
  seedWith,
  TENANT,
  tokensParameter,
} from '../support/parity.ts';
import { issue, keyPem } from '../support/pki.ts';

const { FAILED_PRECONDITION, INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, UNKNOWN } = status;
const WORKLOAD = '44444444-4444-4444-4444-444444444444';
const SYSTEM = '55555555-5555-5555-5555-555555555555';
const USER = '66666666-6666-6666-6666-666666666666';
const STRANGER = '77777777-7777-7777-7777-777777777777';
const STACK = '88888888-8888-8888-8888-000000000000';
const EXCHANGE = 'api://AzureADTokenExchange';
const BINDING = 'api://AKSIdentityBinding';
const SUBJECT = 'system:serviceaccount:prod:web';
const NMI_PORT = 2579;
const TOKENS = 'csi.storage.k8s.io/serviceAccount.tokens';

const login = await issue({ name: 'login', keyType: 'rsa-2048' });
const loginPem = keyPem(login.key) + login.certificate.toString();
const pfxOf = async (password: string) =>
  (
    await writePkcs12(
      { key: login.key, certificates: [login.certificate] },
      { ...PKCS12_FORMS.modern, password: new Secret(password), seed: Buffer.from('login') },
    )
  ).toString('base64');

const indented = login.certificate.toString().trimEnd().replaceAll('\n', '\n            ');
const SEED = seedWith({
  identities: `
      - name: workload
        clientId: "${WORKLOAD}"
        secrets: [{value: expired, expires: -1d}]
        certificates:
          - |
            ${indented}
        federated: [{subject: "${SUBJECT}"}]
      - {name: system, clientId: "${SYSTEM}", managed: {systemAssigned: true}}
      - {name: user, clientId: "${USER}", managed: {pods: [{namespace: prod, name: web-0}]}}
      - {name: stranger, clientId: "${STRANGER}", secrets: [{value: known}]}
  - id: adfs
    identities: [{name: stack, clientId: "${STACK}", secrets: [{value: known}]}]`,
  vault: `
      - {identity: workload, secrets: all}
      - {identity: system, secrets: all}
      - {identity: user, secrets: all}
    secrets: [{name: s, value: v}]
  - {name: stack-vault, tenant: adfs, secrets: [{name: s, value: v}], grants: [{identity: stack, secrets: all}]}`,
});

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const probe = createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
const nmiIsFree = await isFree(NMI_PORT);

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(SEED, nmiIsFree ? { imdsPort: NMI_PORT } : {});
  setImds(world.emulator.imdsUrl);
});
afterEach(() => world.emulator.faults.clear());
afterAll(async () => {
  clearImds();
  await world.close();
});

const objects = [{ objectName: 's', objectType: 'secret' }];
const files = { s: 'v' };
const NONE = 'failed to build auth config for mode None: ';

/** Returns the identities that vaults accepted during a row. */
const identities = () => [
  ...new Set(world.emulator.requests.filter(({ kind }) => kind === 'vault').map((r) => r.identity)),
];

const principal = (fact: string, secrets: Row['secrets'] & object): Row => ({ fact, objects, secrets, files });
const noCredentials = (fact: string, asked: Partial<Row>, ...says: (string | RegExp)[]): Row => ({
  fact,
  objects,
  vaultRequests: 0,
  fails: { code: FAILED_PRECONDITION, says },
  ...asked,
});

const PRINCIPAL: readonly Row[] = [
  principal('clientid and clientsecret', { clientid: CLIENT, clientsecret: CLIENT_SECRET }),
  principal('their names in any letter case', { clientID: CLIENT, ClientSecret: CLIENT_SECRET }),
  principal('white space around their values', { clientid: ` ${CLIENT}\n`, clientsecret: `${CLIENT_SECRET}\n` }),
  principal('other entries beside them', { clientid: CLIENT, clientsecret: CLIENT_SECRET, other: 'x' }),
  principal('tokens beside them', { clientid: CLIENT, clientsecret: CLIENT_SECRET, [TOKENS]: '{"x":{"token":"y"}}' }),
  noCredentials(
    'no node-publish secret',
    { secrets: null },
    `${NONE}failed to get credentials, nodePublishSecretRef secret is not set`,
  ),
  noCredentials('an empty one', { secrets: {} }, `${NONE}could not find clientid in secrets`),
  noCredentials(
    'one without clientid',
    { secrets: { clientsecret: 'x' } },
    `${NONE}could not find clientid in secrets`,
  ),
  noCredentials(
    'one without clientsecret',
    { secrets: { clientid: CLIENT } },
    `${NONE}could not find clientsecret in secrets`,
  ),
  noCredentials(
    'one with a blank clientsecret',
    { secrets: { clientid: CLIENT, clientsecret: ' \n' } },
    `${NONE}could not find clientsecret in secrets`,
  ),
  noCredentials(
    'tokens alone are no credentials',
    { secrets: { [TOKENS]: JSON.stringify({ [EXCHANGE]: { token: 'x' } }) } },
    `${NONE}failed to get credentials, nodePublishSecretRef secret is not set`,
  ),
];

const certificate = (fact: string, more: Readonly<Record<string, string>>): Row => ({
  fact,
  objects,
  secrets: { clientid: WORKLOAD, ...more },
  files,
});

const CERTIFICATE: readonly Row[] = [
  certificate('PEM of certificate and key', { clientcertificate: loginPem }),
  certificate('PEM with the certificate first', {
    ClientCertificate: login.certificate.toString() + keyPem(login.key),
  }),
  certificate('a PFX in base64', { clientcertificate: await pfxOf('') }),
  certificate('a PFX under a password', { clientcertificate: await pfxOf('p4ss'), clientcertificatepassword: 'p4ss' }),
  {
    fact: 'a PFX under another password is an error without the password',
    objects,
    secrets: { clientid: WORKLOAD, clientcertificate: await pfxOf('p4ss'), clientcertificatepassword: 'wr0ng' },
    fails: { code: FAILED_PRECONDITION, says: [/password/, /^(?!.*(p4ss|wr0ng))/] },
  },
  {
    fact: 'a certificate without its key is an error',
    objects,
    secrets: { clientid: WORKLOAD, clientcertificate: login.certificate.toString() },
    fails: { code: FAILED_PRECONDITION, says: ['clientcertificate', /private key/] },
  },
  {
    fact: 'a certificate Entra does not know is its refusal',
    objects,
    secrets: { clientid: CLIENT, clientcertificate: loginPem },
    fails: { code: UNAUTHENTICATED, says: [/AADSTS\d+/, CLIENT] },
  },
];

interface TokenOptions {
  readonly audience?: string;
  readonly under?: string;
  readonly subject?: string;
  readonly expiresInSeconds?: number;
}
/** Returns parameters of workload identity with a new token. */
const workload = ({ audience = EXCHANGE, under = EXCHANGE, subject = SUBJECT, ...more }: TokenOptions = {}) => ({
  clientID: WORKLOAD,
  ...tokensParameter({ [under]: world.emulator.issueServiceAccountToken({ audience, subject, ...more }) }),
});

/** A row whose parameters are made after the emulator has started. */
interface TokenRow extends Omit<Row, 'parameters'> {
  readonly parameters: () => Record<string, string>;
}
const withTokens = (row: TokenRow) => checkRow(world, { secrets: null, objects, ...row, parameters: row.parameters() });
const WORKLOAD_ERROR = `${NONE}failed to parse workload identity tokens, error: `;
const refusedToken = (fact: string, parameters: TokenRow['parameters'], ...says: (string | RegExp)[]): TokenRow => ({
  fact,
  parameters,
  vaultRequests: 0,
  fails: { code: FAILED_PRECONDITION, says: [WORKLOAD_ERROR, ...says] },
});
const raw = (tokens: string) => () => ({ clientID: WORKLOAD, [TOKENS]: tokens });
const jwt = (claims: object) =>
  ['{"alg":"none"}', JSON.stringify(claims), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');

const TOKEN_ROWS: readonly TokenRow[] = [
  { fact: 'the pod’s token is exchanged', parameters: () => workload(), files },
  {
    fact: 'clientID wins over a node-publish secret',
    parameters: () => workload(),
    secrets: { clientid: STRANGER, clientsecret: 'known' },
    files,
  },
  {
    fact: 'tokens for other audiences stand beside it',
    parameters: () => ({
      clientID: WORKLOAD,
      ...tokensParameter({
        [BINDING]: 'x',
        [EXCHANGE]: world.emulator.issueServiceAccountToken({ audience: EXCHANGE, subject: SUBJECT }),
      }),
    }),
    files,
  },
  refusedToken('no tokens', () => ({ clientID: WORKLOAD }), 'service account tokens not found', 'tokenRequests'),
  refusedToken('blank tokens', raw(' '), 'service account tokens not found'),
  refusedToken('tokens that are no JSON', raw('{"api'), 'failed to unmarshal service account tokens, error: '),
  refusedToken('tokens that are a list', raw('[]'), 'failed to unmarshal service account tokens, error: '),
  refusedToken(
    'an expiration that is no time',
    raw(JSON.stringify({ [EXCHANGE]: { token: 'x', expirationTimestamp: 'soon' } })),
    'failed to unmarshal service account tokens, error: ',
  ),
  refusedToken('none for the audience', raw('{"x":{"token":"y"}}'), `token for audience ${EXCHANGE} not found`),
  refusedToken(
    'an empty token',
    raw(JSON.stringify({ [EXCHANGE]: { token: '' } })),
    `token for audience ${EXCHANGE} not found`,
  ),
  refusedToken('a token that is no JWT', raw(JSON.stringify({ [EXCHANGE]: { token: 'a.b' } })), 'malformed'),
  refusedToken('a token that claims another audience', () => workload({ audience: 'api://other' }), 'api://other'),
  refusedToken('an expired token', () => workload({ expiresInSeconds: -60 }), 'expired at'),
  {
    fact: 'a token that lacks these claims goes to Entra, whose answer is explained',
    parameters: raw(JSON.stringify({ [EXCHANGE]: { token: jwt({ iss: 'https://i', sub: SUBJECT }) } })),
    fails: { code: UNAUTHENTICATED, says: [/AADSTS\d+/, 'federated identity credential', 'https://i', SUBJECT] },
  },
  {
    fact: 'a token that is one word goes to Entra',
    parameters: raw(JSON.stringify({ [EXCHANGE]: { token: 'opaque' } })),
    fails: { code: UNAUTHENTICATED, says: [/AADSTS\d+/] },
  },
  {
    fact: 'a pod Entra does not know is told issuer and subject to federate',
    parameters: () => workload({ subject: 'system:serviceaccount:prod:other' }),
    fails: {
      code: UNAUTHENTICATED,
      says: [/AADSTS\d+/, 'system:serviceaccount:prod:other', 'federated identity credential'],
    },
  },
  {
    ...refusedToken('a copy of the tokens in secrets is not read', () => ({ clientID: WORKLOAD }), 'not found'),
    secrets: { [TOKENS]: JSON.stringify({ [EXCHANGE]: { token: 'a.b.c' } }) },
  },
  {
    fact: 'a manifest’s clientID is not needed with a managed identity, nor are tokens',
    parameters: () => ({ clientID: WORKLOAD, useVMManagedIdentity: 'true' }),
    files,
  },
  {
    fact: 'identity binding needs clientID',
    parameters: () => ({ useAzureTokenProxy: 'true' }),
    vaultRequests: 0,
    fails: {
      code: INVALID_ARGUMENT,
      says: ['failed to build auth config for mode AzureTokenProxy: clientID is required for identity binding'],
    },
  },
  {
    fact: 'identity binding needs tokens',
    parameters: () => ({ useAzureTokenProxy: 'true', clientID: WORKLOAD }),
    vaultRequests: 0,
    fails: { code: FAILED_PRECONDITION, says: ['service account tokens are required for identity binding'] },
  },
  {
    fact: 'identity binding needs a token for its own audience',
    parameters: () => ({ ...workload(), useAzureTokenProxy: 'true' }),
    vaultRequests: 0,
    fails: {
      code: FAILED_PRECONDITION,
      says: [
        'failed to parse service account token for identity binding, error: ',
        `token for audience ${BINDING} not found`,
      ],
    },
  },
];

const managed = (fact: string, more: Record<string, string>, row: Partial<Row>): Row => ({
  fact,
  objects,
  secrets: null,
  parameters: { useVMManagedIdentity: 'true', ...more },
  ...row,
});
const MANAGED: readonly Row[] = [
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((flag) =>
    managed(`useVMManagedIdentity: ${flag}`, { useVMManagedIdentity: flag }, { files }),
  ),
  managed('the user-assigned identity by its client ID', { userAssignedIdentityID: USER }, { files }),
  managed('white space around the client ID', { userAssignedIdentityID: ` ${USER} ` }, { files }),
  managed(
    'an identity the node does not have',
    { userAssignedIdentityID: STRANGER },
    {
      fails: { code: UNAUTHENTICATED, says: [STRANGER, 'userAssignedIdentityID'] },
    },
  ),
];

const ENTRA: readonly Row[] = [
  {
    fact: 'a wrong client secret',
    objects,
    secrets: { clientid: CLIENT, clientsecret: 'wrong' },
    fails: { code: UNAUTHENTICATED, says: ['AADSTS7000215', CLIENT, /client secret/] },
  },
  {
    fact: 'an expired client secret',
    objects,
    secrets: { clientid: WORKLOAD, clientsecret: 'expired' },
    fails: { code: UNAUTHENTICATED, says: ['AADSTS7000222', WORKLOAD, /expired/] },
  },
  {
    fact: 'an unknown client',
    objects,
    secrets: { clientid: '99999999-9999-9999-9999-999999999999', clientsecret: 'x' },
    fails: { code: UNAUTHENTICATED, says: ['AADSTS700016', '99999999-9999-9999-9999-999999999999', TENANT] },
  },
  {
    fact: 'an unknown tenant',
    objects,
    parameters: { tenantID: '88888888-8888-8888-8888-888888888888' },
    fails: { code: UNAUTHENTICATED, says: ['AADSTS90002', '88888888-8888-8888-8888-888888888888'] },
  },
  {
    fact: 'an identity without a role is told which to grant, where and to whom',
    objects,
    secrets: { clientid: STRANGER, clientsecret: 'known' },
    fails: {
      code: PERMISSION_DENIED,
      says: [
        '403',
        'ForbiddenByRbac',
        STRANGER,
        'Key Vault Secrets User',
        'parity-vault',
        'objectName:s',
        /^(?!.*request id)/,
      ],
    },
  },
  {
    fact: 'Entra that fails is tried again',
    given: ({ emulator }) =>
      emulator.faults.add({ on: 'entra', count: 1, path: '/token', action: { kind: 'answer', status: 503 } }),
    objects,
    flags: ['--custom-user-agent=entra-503'],
    files,
  },
  {
    fact: 'Entra that keeps failing is an error of Entra',
    given: ({ emulator }) =>
      emulator.faults.add({ on: 'entra', path: '/token', action: { kind: 'answer', status: 500 } }),
    objects,
    flags: ['--custom-user-agent=entra-500'],
    fails: { code: UNKNOWN, says: ['Entra ID at login.localhost', '500', CLIENT] },
  },
  {
    fact: 'Entra that cuts the connection is an error of the network',
    given: ({ emulator }) => emulator.faults.add({ on: 'entra', action: { kind: 'drop' } }),
    objects,
    flags: ['--custom-user-agent=entra-drop'],
    fails: { code: UNKNOWN, says: ['Entra ID at login.localhost', 'did not answer', 'ECONNRESET'] },
  },
  {
    fact: 'a web page in place of Entra’s answer is named as such',
    given: ({ emulator }) =>
      emulator.faults.add({
        on: 'entra',
        path: '/token',
        action: {
          kind: 'answer',
          status: 403,
          headers: { 'content-type': 'text/html' },
          body: '<html>Blocked by proxy</html>',
        },
      }),
    objects,
    flags: ['--custom-user-agent=entra-html'],
    fails: { code: UNKNOWN, says: ['Entra ID at login.localhost', '403', CLIENT, 'prox'] },
  },
];

describe('AD FS', () => {
  it('takes the tenant "adfs" of Azure Stack', async () => {
    const parameters = { tenantID: 'adfs', keyvaultName: 'stack-vault' };
    const secrets = { clientid: STACK, clientsecret: 'known' };
    await checkRow(world, { fact: '', objects, parameters, secrets, files });
  });
});

describe('a service principal', () => {
  it.each(PRINCIPAL)('$fact', (row) => checkRow(world, row));
});

describe('a service principal with a client certificate', () => {
  it.each(CERTIFICATE)('$fact', (row) => checkRow(world, row));
});

describe('tokens of the pod', () => {
  it.each(TOKEN_ROWS)('$fact', (row) => withTokens(row));

  it('are never in an error or in the log, not at the highest level either', async () => {
    const token = world.emulator.issueServiceAccountToken({ audience: EXCHANGE, subject: 'system:serviceaccount:a:b' });
    const flags = ['-v=10'];
    const outcome = await world.mount({
      objects,
      flags,
      parameters: { clientID: WORKLOAD, ...tokensParameter({ [EXCHANGE]: token }) },
    });
    const seen = JSON.stringify(outcome) + world.log.join('');
    expect(outcome.kind).toBe('failed');
    expect(seen).not.toContain(token);
    expect(seen).not.toContain(token.split('.')[2]);
  });
});

describe('a managed identity', () => {
  it.each(MANAGED)('$fact', (row) => checkRow(world, row));

  it('is the system-assigned one without a client ID, and the named one with it', async () => {
    await checkRow(world, managed('', {}, { files }));
    expect(identities()).toEqual(['system']);
    await checkRow(world, managed('', { userAssignedIdentityID: USER }, { files }));
    expect(identities()).toEqual(['user']);
  });

  it('warns of clientID, which has no meaning with it', async () => {
    await checkRow(world, managed('', { clientID: USER }, { files }));
    expect(world.log.some((line) => line.includes('"warn"') && line.includes('userAssignedIdentityID'))).toBe(true);
  });
});

describe('AAD pod identity', () => {
  const asked = { objects, secrets: null, parameters: { usePodIdentity: 'true' } };
  const titled = (title: string) => (nmiIsFree ? title : `${title} (needs port ${NMI_PORT} of this machine)`);

  it.skipIf(!nmiIsFree)(titled('asks the node’s NMI in the pod’s name'), async () => {
    await checkRow(world, { fact: '', ...asked, files });
    expect(identities()).toEqual(['user']);
  });

  it.skipIf(!nmiIsFree)(titled('says what NMI said'), async () => {
    const parameters = { ...asked.parameters, 'csi.storage.k8s.io/pod.name': 'unknown' };
    const says = ['nmi response failed with status code: 404, response body: no azure assigned identity found'];
    await checkRow(world, { fact: '', ...asked, parameters, fails: { code: UNAUTHENTICATED, says } });
  });

  it.skipIf(!nmiIsFree)(titled('says what NMI left out'), async () => {
    world.emulator.faults.add({ on: 'nmi', action: { kind: 'edit', remove: ['clientid'] } });
    const parameters = { ...asked.parameters, 'csi.storage.k8s.io/pod.name': 'web-0', keyvaultName: 'another' };
    const flags = ['--custom-user-agent=nmi'];
    const says = ['nmi did not return expected values in response: token and clientid'];
    await checkRow(world, { fact: '', ...asked, parameters, flags, fails: { code: UNKNOWN, says } });
  });
});

describe('Entra’s answers', () => {
  it.each(ENTRA)('$fact', (row) => checkRow(world, row));
});

describe('the identity of a request', () => {
  it('of a pod that has none stays out of what others read', async () => {
    const client = await world.provider(['--cache-ttl=1h']);
    await client.mount(requestOf({ objects }));
    const stranger = { clientid: STRANGER, clientsecret: 'known' };
    await expect(client.mount(requestOf({ objects, secrets: stranger }))).rejects.toMatchObject({
      code: PERMISSION_DENIED,
    });
    const wrong = { clientid: CLIENT, clientsecret: 'wrong' };
    await expect(client.mount(requestOf({ objects, secrets: wrong }))).rejects.toMatchObject({ code: UNAUTHENTICATED });
  });

  it('is refused before the vault is asked where the parameters are wrong', async () => {
    await checkRow(world, {
      fact: '',
      objects: [{ objectName: 's', objectType: 'nonsense' }],
      vaultRequests: 0,
      fails: { code: INVALID_ARGUMENT, says: ['Invalid vaultObjectTypes'] },
    });
    expect(world.emulator.requests).toHaveLength(0);
  });
});
