import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { clearImds, setImds } from '../support/imds.ts';
import {
  CLIENT,
  CLIENT_SECRET,
  checkRow,
  openWorld,
  type ParityWorld,
  type Row,
  seedWith,
  TENANT,
  tokensParameter,
  VAULT,
} from '../support/parity.ts';
import { issue, issueChain, keyPem, newKey, pemOf } from '../support/pki.ts';

const { FAILED_PRECONDITION, INVALID_ARGUMENT } = status;
const PFX = 'application/x-pkcs12';
const PEM = 'application/x-pem-file';
const WORKLOAD = '44444444-4444-4444-4444-444444444444';
const NODE = '55555555-5555-5555-5555-555555555555';

const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
const [own, intermediate, root] = certificates;
if (own === undefined || intermediate === undefined || root === undefined) throw new Error('a short chain');
const key = keyPem(leaf.key);
const ec = await issueChain({ keyType: 'p-256', names: ['ec.example', 'EC Intermediate', 'EC Root'] });
const otherRoot = (await issue({ name: 'Other Root', ca: true })).certificate;
const pfx = (
  await writePkcs12(
    { key: leaf.key, certificates: [root, intermediate, own] },
    { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.from('x') },
  )
).toString('base64');
const text = (...parts: readonly { toString(): string }[]) => parts.map(String).join('');

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(
    seedWith({
      identities: `
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "system:serviceaccount:prod:web"}]}
      - {name: node, clientId: "${NODE}", managed: {systemAssigned: true}}`,
      vault: `
      - {identity: workload, secrets: all}
      - {identity: node, secrets: all}
    secrets: [{name: db, value: "alice = 1\\n"}, {name: pinned, version: ${'a'.repeat(32)}, value: old}]`,
    }),
  );
  world.emulator.setSecret(VAULT, 'pinned', 'new', { version: 'b'.repeat(32) });
  setImds(world.emulator.imdsUrl);
});
afterEach(() => world.emulator.faults.clear());
afterAll(async () => {
  clearImds();
  await world.close();
});

const vault = {
  name: VAULT,
  directoryId: TENANT,
  credentials: { servicePrincipalLocalSecretName: 'aio-akv-sp' },
};
/** Returns parameters with a `keyVault` field and without the classic form. */
const asked = (field: object | string, more: Readonly<Record<string, string>> = {}) => ({
  keyvaultName: undefined,
  tenantID: undefined,
  keyVault: typeof field === 'string' ? field : stringify({ vault, ...field }),
  ...more,
});
const row = (
  fact: string,
  field: object | string,
  more: Partial<Row> & { siblings?: Record<string, string> } = {},
): Row => {
  const { siblings, ...rest } = more;
  return { fact, parameters: asked(field, siblings), ...rest };
};
const refused = (
  fact: string,
  field: object | string,
  says: readonly (string | RegExp)[],
  siblings: Record<string, string> = {},
): Row => row(fact, field, { siblings, vaultRequests: 0, fails: { code: INVALID_ARGUMENT, says } });

const PLAIN: readonly Row[] = [
  row(
    'vaultSecret is a file of its name',
    { vaultSecret: { name: 'db' } },
    {
      files: { db: 'alice = 1\n' },
      modes: [0o644],
      versions: ['secret/db *'],
      vaultRequests: 1,
    },
  ),
  row(
    'fileName names it',
    { vaultSecret: { name: 'db' } },
    {
      siblings: { fileName: 'passwords.toml' },
      files: { 'passwords.toml': 'alice = 1\n' },
    },
  ),
  row(
    'filePermission holds for all files',
    { vaultSecret: { name: 'db' } },
    {
      siblings: { filePermission: '0440' },
      files: { db: 'alice = 1\n' },
      modes: [0o440],
    },
  ),
  row(
    'username is a file of its own, and no vault is asked for it',
    { username: '$ConnectionString', vaultSecret: { name: 'db' } },
    {
      siblings: { fileName: 'password', filePermission: '0440' },
      files: { password: 'alice = 1\n', username: '$ConnectionString' },
      modes: [0o440, 0o440],
      versions: ['secret/db *', 'literal/username 5cb911a8b6ee9322d71f44b1107c7d60'],
      vaultRequests: 1,
    },
  ),
  row(
    'an empty username is none',
    { username: null, vaultSecret: { name: 'db' } },
    { files: { db: 'alice = 1\n' }, versions: ['secret/db *'] },
  ),
  row('a version is read', { vaultSecret: { name: 'pinned', version: 'a'.repeat(32) } }, { files: { pinned: 'old' } }),
  row(
    'latest is the current version',
    { vaultSecret: { name: 'pinned', version: 'latest' } },
    { files: { pinned: 'new' } },
  ),
  row('the field may be JSON', JSON.stringify({ vault, vaultSecret: { name: 'db' } }), {
    files: { db: 'alice = 1\n' },
  }),
  row(
    'unknown parameters of the driver are none of its business',
    { vaultSecret: { name: 'db' } },
    {
      siblings: { 'example.com/x': 'y' },
      files: { db: 'alice = 1\n' },
    },
  ),
  row(
    'a secret that belongs to a certificate is PEM',
    { vaultSecret: { name: 'certified' } },
    {
      given: (w) => w.certificateSecret('certified', pfx, PFX),
      files: { certified: text(key, own, intermediate, root) },
    },
  ),
];

const withCert = (value: string, contentType: string) => (w: ParityWorld) =>
  w.certificateSecret('server', value, contentType);
const vaultCert = { name: 'server' };
const TLS = { 'tls.crt': text(own, intermediate), 'tls.key': key };
const CLIENT_FILES = { 'client_cert.pem': text(own, intermediate), 'client_key.pem': key };

const CERTIFICATES: readonly Row[] = [
  row(
    'tls: leaf and intermediates, key, roots',
    { vaultCert },
    {
      given: withCert(pfx, PFX),
      files: { ...TLS, 'ca.crt': text(root) },
      versions: ['secret/server *', 'secret/server *', 'secret/server *'],
      modes: [0o644, 0o644, 0o644],
      vaultRequests: 1,
    },
  ),
  row(
    'client: leaf and intermediates, key, intermediates',
    { vaultCert },
    {
      given: withCert(pfx, PFX),
      siblings: { fileLayout: 'client' },
      files: { ...CLIENT_FILES, 'client_intermediate_certs.pem': text(intermediate) },
    },
  ),
  row(
    'PEM in any order',
    { vaultCert },
    {
      given: withCert(text(root, intermediate, own, key), PEM),
      files: { ...TLS, 'ca.crt': text(root) },
    },
  ),
  row(
    'an EC certificate',
    { vaultCert },
    {
      given: withCert(text(keyPem(ec.leaf.key), pemOf(ec.certificates)), PEM),
      files: {
        'tls.crt': pemOf(ec.certificates.slice(0, 2)),
        'tls.key': keyPem(ec.leaf.key),
        'ca.crt': pemOf(ec.certificates.slice(2)),
      },
    },
  ),
  row(
    'without a root there is no ca.crt',
    { vaultCert },
    {
      given: withCert(text(key, own, intermediate), PEM),
      files: TLS,
    },
  ),
  row(
    'without intermediates there is no file for them',
    { vaultCert },
    {
      given: withCert(text(key, own, root), PEM),
      siblings: { fileLayout: 'client' },
      files: { 'client_cert.pem': text(own), 'client_key.pem': key },
    },
  ),
  row(
    'filePermission holds for all files of a certificate',
    { vaultCert },
    {
      given: withCert(pfx, PFX),
      siblings: { filePermission: '0400' },
      files: { ...TLS, 'ca.crt': text(root) },
      modes: [0o400, 0o400, 0o400],
    },
  ),
  ...(['vaultCaChainCert', 'vaultCaChainSecret'] as const).flatMap((name) => [
    row(
      `tls: ca.crt holds the certificates of ${name}, in its order`,
      { vaultCert, [name]: { name: 'chain' } },
      {
        given: (w) => {
          withCert(pfx, PFX)(w);
          w.emulator.setSecret(VAULT, 'chain', `text before\n${otherRoot}between\n${root}`);
        },
        files: { ...TLS, 'ca.crt': text(otherRoot, root) },
        versions: ['secret/server *', 'secret/server *', 'secret/chain *'],
        vaultRequests: 2,
      },
    ),
    row(
      `client: the intermediates of ${name} complete the chain`,
      { vaultCert, [name]: { name: 'chain' } },
      {
        given: (w) => {
          withCert(text(key, own), PEM)(w);
          w.emulator.setSecret(VAULT, 'chain', text(root, intermediate));
        },
        siblings: { fileLayout: 'client' },
        files: { ...CLIENT_FILES, 'client_intermediate_certs.pem': text(intermediate) },
        versions: ['secret/server *', 'secret/server *', 'secret/server *', 'secret/chain *'],
      },
    ),
  ]),
  row(
    'a chain alone gives the chain file',
    { vaultCaChainCert: { name: 'chain' } },
    {
      given: (w) => w.emulator.setSecret(VAULT, 'chain', text(root, intermediate)),
      files: { 'ca.crt': text(root, intermediate) },
    },
  ),
  row(
    'a chain alone in the layout of clients: its intermediates',
    { vaultCaChainCert: { name: 'chain' } },
    {
      given: (w) => w.emulator.setSecret(VAULT, 'chain', text(root, intermediate)),
      siblings: { fileLayout: 'client' },
      files: { 'client_intermediate_certs.pem': text(intermediate) },
    },
  ),
  row(
    'a chain alone that holds a key serves as the certificate too',
    { vaultCaChainCert: { name: 'chain' } },
    {
      given: (w) => w.emulator.setSecret(VAULT, 'chain', text(intermediate, own, key)),
      siblings: { fileLayout: 'client' },
      files: { ...CLIENT_FILES, 'client_intermediate_certs.pem': text(intermediate) },
      versions: ['secret/chain *', 'secret/chain *', 'secret/chain *'],
    },
  ),
  row(
    'a key that does not fit the leaf is an error',
    { vaultCert },
    {
      given: withCert(text(keyPem(newKey('rsa-2048')), own, intermediate), PEM),
      fails: {
        code: FAILED_PRECONDITION,
        says: ['keyVault.vaultCert', '"server"', /does not belong to the certificate/],
      },
    },
  ),
  row(
    'a certificate without its key is an error',
    { vaultCert },
    {
      given: withCert(text(own, intermediate), PEM),
      fails: { code: FAILED_PRECONDITION, says: ['keyVault.vaultCert', /private key/, 'exportable'] },
    },
  ),
  row(
    'a chain without certificates is an error',
    { vaultCaChainCert: { name: 'chain' } },
    {
      given: (w) => w.emulator.setSecret(VAULT, 'chain', 'nothing of the kind'),
      fails: { code: FAILED_PRECONDITION, says: ['keyVault.vaultCaChainCert', '"chain"'] },
    },
  ),
  row(
    'every failed object is named',
    { vaultCert: { name: 'gone' }, vaultCaChainCert: { name: 'away' } },
    {
      fails: { code: status.NOT_FOUND, says: ['"gone"', '"away"', '2 of 2 objects'] },
    },
  ),
];

const noCredentials = (fact: string, secrets: Row['secrets'] & (object | null), ...says: string[]): Row =>
  row(fact, { vaultSecret: { name: 'db' } }, { secrets, vaultRequests: 0, fails: { code: FAILED_PRECONDITION, says } });

const CREDENTIALS: readonly Row[] = [
  row(
    'names in any letter case, white space around values',
    { vaultSecret: { name: 'db' } },
    {
      secrets: { clientID: ` ${CLIENT}\n`, CLIENTSECRET: `${CLIENT_SECRET}\n` },
      files: { db: 'alice = 1\n' },
    },
  ),
  noCredentials('without the Secret the volume field to add is named', null, 'nodePublishSecretRef', 'aio-akv-sp'),
  noCredentials('a Secret without clientid is named', { clientsecret: 'x' }, 'clientid', '"aio-akv-sp"'),
  noCredentials('a Secret without clientsecret is named', { clientid: 'x' }, 'clientsecret', '"aio-akv-sp"'),
  row(
    'the node’s managed identity',
    { vault: { ...vault, credentials: { managedIdentity: {} } }, vaultSecret: { name: 'db' } },
    {
      secrets: null,
      files: { db: 'alice = 1\n' },
    },
  ),
];

const field = { vaultSecret: { name: 'db' } };
const STRICT: readonly Row[] = [
  refused('a username that is a placeholder', { username: '<name>', vaultSecret: { name: 'db' } }, [
    'keyVault.username is still the placeholder "<name>"',
  ]),
  refused('a username of two lines', { username: 'a\nb', vaultSecret: { name: 'db' } }, [
    'keyVault.username must be one line without control characters',
  ]),
  refused('a username that is a map', { username: { a: 1 }, vaultSecret: { name: 'db' } }, [
    'keyVault.username must be text, not a map',
  ]),
  refused('two files called username', { username: 'me', vaultSecret: { name: 'username' } }, [
    /"username".*keyVault\.username/,
  ]),
  refused('keyvaultName beside it', field, ['keyVault', 'keyvaultName'], { keyvaultName: VAULT }),
  refused('objects beside it', field, ['keyVault', 'objects'], { objects: 'array: []' }),
  refused('a misspelt sibling', field, ['filename', 'did you mean "fileName"'], { filename: 'x' }),
  refused('an unknown layout', field, ['fileLayout', '"tls"', '"client"'], { fileLayout: 'nginx' }),
  refused('a file name that leaves the volume', field, ['fileName', "'..'"], { fileName: '../x' }),
  refused('a mode that is none', field, ['file permission must be a valid octal number'], { filePermission: 'rw' }),
  refused('an unknown cloud', field, ['cloudName Moon is not valid'], { cloudName: 'Moon' }),
  refused('no YAML', 'vault: [', ['keyVault', /line \d/]),
  refused('no map', 'hello', ['keyVault', 'map']),
  refused('no object', {}, ['keyVault names no object']),
  refused('both names of the chain', { vaultCaChainCert: { name: 'a' }, vaultCaChainSecret: { name: 'b' } }, [
    'vaultCaChainSecret',
  ]),
  refused('a misspelt field', { vaultSecrets: { name: 'db' } }, [
    'keyVault.vaultSecrets',
    'did you mean "vaultSecret"',
  ]),
  refused('a misspelt field further down', { vault: { ...vault, directoryID: 'x' }, ...field }, [
    'keyVault.vault.directoryID',
    'did you mean "directoryId"',
  ]),
  refused('an object without a name', { vaultSecret: {} }, ['keyVault.vaultSecret.name']),
  refused('no vault', stringify(field), ['keyVault.vault']),
  refused('no credentials', { vault: { name: VAULT, directoryId: TENANT }, ...field }, ['keyVault.vault.credentials']),
  refused('the seed’s placeholder', { vault: { ...vault, directoryId: '<AKV directory ID>' }, ...field }, [
    'keyVault.vault.directoryId',
    '<AKV directory ID>',
    'placeholder',
  ]),
  refused(
    'two files of one path',
    { vaultSecret: { name: 'db' }, vaultCert: { name: 'c' } },
    ['"tls.crt"', 'vaultSecret', 'vaultCert'],
    { fileName: 'tls.crt' },
  ),
  refused(
    'all mistakes in one answer',
    { vault: { nam: VAULT, directoryId: '<AKV directory ID>' }, vaultSecret: { version: 'x' } },
    [
      'keyVault.vault.nam',
      'keyVault.vault.name',
      'keyVault.vault.directoryId',
      'keyVault.vault.credentials',
      'keyVault.vaultSecret.name',
      'keyVault.vault',
    ],
    { fileLayout: 'x' },
  ),
];

describe('vaultSecret', () => {
  it.each(PLAIN)('$fact', (one) => checkRow(world, one));
});

describe('vaultCert and the chain', () => {
  it.each(CERTIFICATES)('$fact', (one) => checkRow(world, one));
});

describe('credentials', () => {
  it.each(CREDENTIALS)('$fact', (one) => checkRow(world, one));

  it('the pod’s workload identity', async () => {
    const audience = 'api://AzureADTokenExchange';
    const token = world.emulator.issueServiceAccountToken({ audience, subject: 'system:serviceaccount:prod:web' });
    const credentials = { workloadIdentity: { clientId: WORKLOAD } };
    const parameters = asked({ vault: { ...vault, credentials }, ...field }, tokensParameter({ [audience]: token }));
    const outcome = await world.mount({ parameters, secrets: null });
    expect(outcome.kind).toBe('mounted');
  });
});

describe('what is refused, before any vault call', () => {
  it.each(STRICT)('$fact', (one) => checkRow(world, one));
});
