import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IdentityRequest } from '../../src/spc/identities/table.ts';
import { GUARDED_NAMES } from '../../src/spc/overrides.ts';
import { ALL_NAMES } from '../../src/spc/parameter-names.ts';
import { type ClusterApi, startClusterApi } from '../support/cluster-api.ts';
import { clearImds, setImds } from '../support/imds.ts';
import {
  CLIENT,
  CLIENT_SECRET,
  checkOutcome,
  type Outcome,
  objectsText,
  openWorld,
  type ParityWorld,
  seedWith,
  TENANT,
  tokensParameter,
  VAULT,
} from '../support/parity.ts';

const WORKLOAD = '44444444-4444-4444-4444-444444444444';
const SYSTEM = '55555555-5555-5555-5555-555555555555';
const USER = '66666666-6666-6666-6666-666666666666';
const OTHER_VAULT = 'other-vault';
const EXCHANGE = 'api://AzureADTokenExchange';
const SUBJECT = 'system:serviceaccount:prod:web';

const SEED = seedWith({
  identities: `
      - {name: workload, clientId: "${WORKLOAD}", federated: [{subject: "${SUBJECT}"}]}
      - {name: system, clientId: "${SYSTEM}", managed: {systemAssigned: true}}
      - {name: user, clientId: "${USER}", managed: {}}`,
  vault: `
      - {identity: workload, secrets: all}
      - {identity: system, secrets: all}
      - {identity: user, secrets: all}
    secrets: [{name: s, value: v}, {name: hidden, value: h}]
  - name: ${OTHER_VAULT}
    tenant: "${TENANT}"
    grants:
      - {identity: app, secrets: all}
      - {identity: workload, secrets: all}
      - {identity: system, secrets: all}
    secrets: [{name: s, value: other}]`,
});

let cluster: ClusterApi;
let world: ParityWorld;
beforeAll(async () => {
  cluster = await startClusterApi();
  world = await openWorld(SEED, {}, cluster);
  setImds(world.emulator.imdsUrl);
});
beforeEach(() => {
  cluster.requests.length = 0;
  world.emulator.requests.clear();
});
afterAll(async () => {
  clearImds();
  await world.close();
  await cluster.close();
});

type Texts = Readonly<Record<string, string>>;

const BASE = {
  keyvaultName: VAULT,
  tenantID: TENANT,
  objects: objectsText([{ objectName: 's', objectType: 'secret' }]),
};
const OBJECTS = objectsText([{ objectName: 'hidden', objectType: 'secret' }]);
/** The credentials of the pod, which every request brings. */
const OWN = {
  parameters: () =>
    tokensParameter({
      [EXCHANGE]: world.emulator.issueServiceAccountToken({ subject: SUBJECT, audience: EXCHANGE }),
    }),
  secrets: { clientid: CLIENT, clientsecret: CLIENT_SECRET },
};

let classes = 0;
/** Mounts a new class of these parameters in a pod with these attributes, as a driver lays them over one another. */
async function mount(
  inClass: Texts,
  inPod: Texts,
  flags: readonly string[] = [],
): Promise<Outcome & { readonly name: string }> {
  const name = `kv-${++classes}`;
  cluster.classes.set(`prod/${name}`, inClass);
  const parameters = { ...OWN.parameters(), ...inClass, ...inPod, secretProviderClass: name };
  // `requestOf` has parameters of its own, which a class may not have.
  const absent = Object.fromEntries(Object.keys(BASE).map((key) => [key, undefined]));
  const outcome = await world.mount({ parameters: { ...absent, ...parameters }, secrets: OWN.secrets, flags });
  return { ...outcome, name };
}

const refusal = (names: readonly string[], name: string) => {
  const [one, them, are] = names.length === 1 ? ['parameter', 'it', 'is'] : ['parameters', 'them', 'are'];
  const quoted = names.map((text) => `"${text}"`).join(', ');
  return (
    `${one} ${quoted} of the pod's volumeAttributes ${are} refused: the request uses the node's own identity, and only ` +
    `the SecretProviderClass may then set ${them}; set ${them} in SecretProviderClass prod/${name}, or start the provider ` +
    `with --allow-volume-attributes=${names.join(',')}`
  );
};

/** What the class asks for in each mode that the emulator serves here. */
const IN_CLASS: Readonly<Record<string, Texts>> = {
  'service-principal': BASE,
  'workload-identity': { ...BASE, clientID: WORKLOAD },
  'managed-identity': { ...BASE, useVMManagedIdentity: 'true' },
};

/** What a pod changes: the parameter, its value, and the content of the file that is then mounted. */
const CHANGES: readonly (readonly [string, string, Texts])[] = [
  ['keyvaultName', OTHER_VAULT, { s: 'other' }],
  ['objects', OBJECTS, { hidden: 'h' }],
  ['cloudName', 'AZURESTACKCLOUD', { s: 'v' }],
  ['tenantId', TENANT, { s: 'v' }],
  ['cloudEnvFileName', 'cloud.json', { s: 'v' }],
];
/** Parameters of the classic form that decide nothing beside a managed identity. */
const FREE: readonly (readonly [string, string])[] = [
  ['resourceGroup', 'rg'],
  ['subscriptionId', TENANT],
  ['fileName', 'f'],
  ['filePermission', '0600'],
  ['fileLayout', 'client'],
  ['maxAge', '10m'],
  ['certificateUse', 'client'],
  ['clientID', WORKLOAD],
  ['usePodIdentity', 'false'],
  ['useAzureTokenProxy', 'false'],
  ['example.com/x', 'y'],
];

describe('a class as it is', () => {
  it.each(Object.entries(IN_CLASS))('is mounted: %s', async (mode, parameters) => {
    checkOutcome(await mount(parameters, {}), { fact: mode, files: { s: 'v' } });
  });

  it('of a user-assigned identity is mounted', async () => {
    const outcome = await mount({ ...IN_CLASS['managed-identity'], userAssignedIdentityID: USER }, {});
    checkOutcome(outcome, { fact: 'user-assigned', files: { s: 'v' } });
    expect(new Set(world.emulator.requests.filter(({ kind }) => kind === 'vault').map((r) => r.identity))).toContain(
      'user',
    );
  });

  it('is mounted for a pod that names the same values', async () => {
    const parameters = IN_CLASS['managed-identity'] as Texts;
    checkOutcome(await mount(parameters, { ...parameters, keyvaultName: ` ${VAULT} `, cloudName: '' }), {
      fact: 'same values',
      files: { s: 'v' },
    });
  });
});

describe("a class of the pod's own identity", () => {
  const rows = ['service-principal', 'workload-identity'].flatMap((mode) =>
    CHANGES.map(([name, value, files]) => [mode, name, value, files] as const),
  );

  it.each(rows)('%s: lets the pod change %s, and asks nobody for the class', async (mode, name, value, files) => {
    checkOutcome(await mount(IN_CLASS[mode] as Texts, { [name]: value }), { fact: name, files });
    expect(cluster.requests).toEqual([]);
  });
});

describe('a class of a managed identity', () => {
  it.each(CHANGES)('refuses the pod another %s', async (name, value) => {
    const outcome = await mount(IN_CLASS['managed-identity'] as Texts, { [name]: value });
    const fails = { code: status.INVALID_ARGUMENT, says: [refusal([name], outcome.name)] };
    checkOutcome(outcome, { fact: name, fails });
    expect(world.emulator.requests.filter(() => true)).toEqual([]);
  });

  it.each(CHANGES)('lets the pod change %s where the flag names it', async (name, value, files) => {
    const flags = [`--allow-volume-attributes=${name}`];
    checkOutcome(await mount(IN_CLASS['managed-identity'] as Texts, { [name]: value }, flags), { fact: name, files });
  });

  it.each(FREE)('lets the pod change %s', async (name, value) => {
    checkOutcome(await mount(IN_CLASS['managed-identity'] as Texts, { [name]: value }), {
      fact: name,
      files: { s: 'v' },
    });
  });

  it('refuses the pod another identity of the node, and none at all', async () => {
    const inClass = { ...IN_CLASS['managed-identity'], userAssignedIdentityID: USER };
    for (const userAssignedIdentityID of [SYSTEM, '']) {
      const outcome = await mount(inClass, { userAssignedIdentityID });
      const fails = { code: status.INVALID_ARGUMENT, says: [refusal(['userAssignedIdentityID'], outcome.name)] };
      checkOutcome(outcome, { fact: 'other identity', fails });
    }
  });

  it('lets the pod turn to its own identity, where its own credentials decide', async () => {
    const inPod = { useVMManagedIdentity: 'false', clientID: WORKLOAD, keyvaultName: OTHER_VAULT };
    checkOutcome(await mount(IN_CLASS['managed-identity'] as Texts, inPod), { fact: 'own', files: { s: 'other' } });
  });

  it('reports all parameters at once, and the other mistakes first', async () => {
    const inPod = { keyvaultName: OTHER_VAULT, objects: 'array: [x', cloudName: 'Moon' };
    const outcome = await mount(IN_CLASS['managed-identity'] as Texts, inPod);
    const says = [
      'cloudName Moon is not valid',
      '[first of 3 mistakes]',
      `; (3) ${refusal(['keyvaultName', 'cloudName', 'objects'], outcome.name)}`,
    ];
    checkOutcome(outcome, { fact: 'all', fails: { code: status.INVALID_ARGUMENT, says } });
  });
});

describe('a pod that turns a class to the identity of the node', () => {
  it.each(['service-principal', 'workload-identity'])('is refused: %s', async (mode) => {
    const outcome = await mount(IN_CLASS[mode] as Texts, { useVMManagedIdentity: 'true' });
    const fails = { code: status.INVALID_ARGUMENT, says: [refusal(['useVMManagedIdentity'], outcome.name)] };
    checkOutcome(outcome, { fact: mode, fails });
    expect(world.emulator.requests.filter(() => true)).toEqual([]);
  });

  it('is refused in the keyVault form too', async () => {
    const form = (credentials: string) =>
      `vault: {name: ${VAULT}, directoryId: "${TENANT}", credentials: {${credentials}}}\nvaultSecret: {name: s}`;
    const own = { keyVault: form('servicePrincipalLocalSecretName: app') };
    const node = { keyVault: form('managedIdentity: {}') };
    checkOutcome(await mount(node, {}), { fact: 'class', files: { s: 'v' } });
    checkOutcome(await mount(own, {}), { fact: 'own', files: { s: 'v' } });
    const outcome = await mount(own, node);
    const fails = { code: status.INVALID_ARGUMENT, says: [refusal(['keyVault'], outcome.name)] };
    checkOutcome(outcome, { fact: 'pod', fails });
    const added = await mount(BASE, { ...node, keyvaultName: '', objects: '' });
    expect(added).toMatchObject({ kind: 'failed', message: expect.stringContaining('"keyvaultName", ') });
  });

  it('is served where the flag allows it, for the vault and objects of the class only', async () => {
    const flags = ['--allow-volume-attributes=useVMManagedIdentity'];
    const inPod = { useVMManagedIdentity: 'true' };
    checkOutcome(await mount(BASE, inPod, flags), { fact: 'allowed', files: { s: 'v' } });
    const outcome = await mount(BASE, { ...inPod, keyvaultName: OTHER_VAULT }, flags);
    const says = [
      'parameter "keyvaultName" of the pod\'s volumeAttributes is refused',
      '--allow-volume-attributes=useVMManagedIdentity,keyvaultName',
    ];
    checkOutcome(outcome, { fact: 'other vault', fails: { code: status.INVALID_ARGUMENT, says } });
  });

  it('is served where every parameter is allowed, and nobody is asked for the class', async () => {
    const inPod = { useVMManagedIdentity: 'true', keyvaultName: OTHER_VAULT };
    for (const allowed of ['*', GUARDED_NAMES.join(',')]) {
      checkOutcome(await mount(BASE, inPod, [`--allow-volume-attributes=${allowed}`]), {
        fact: allowed,
        files: { s: 'other' },
      });
    }
    expect(cluster.requests).toEqual([]);
  });
});

describe('where the class cannot be read', () => {
  const inClass = IN_CLASS['managed-identity'] as Texts;
  const unreadable = (name: string, reason: string) =>
    `the request uses the node's own identity, and the provider cannot compare its parameters with ` +
    `SecretProviderClass prod/${name}: ${reason}`;

  it('the identity of the node is refused, with the right that is missing', async () => {
    cluster.allowed = false;
    try {
      const outcome = await mount(inClass, {});
      const at = `the API server at ${cluster.host} answered 403: grant the service account of the provider "get" on secretproviderclasses`;
      checkOutcome(outcome, {
        fact: 'forbidden',
        fails: { code: status.FAILED_PRECONDITION, says: [unreadable(outcome.name, at)] },
      });
      for (const mode of ['service-principal', 'workload-identity']) {
        checkOutcome(await mount(IN_CLASS[mode] as Texts, {}), { fact: mode, files: { s: 'v' } });
      }
    } finally {
      cluster.allowed = true;
    }
  });

  it('the error stands among the other mistakes', async () => {
    cluster.allowed = false;
    try {
      const outcome = await mount({ ...inClass, objects: 'array: [x' }, {});
      const says = ['[first of 2 mistakes]', `; (2) ${unreadable(outcome.name, 'the API server')}`];
      checkOutcome(outcome, { fact: 'two', fails: { code: status.INVALID_ARGUMENT, says } });
    } finally {
      cluster.allowed = true;
    }
  });

  it.each(['absent', 'Not_A_Name', '../../../../api/v1/secrets', 'a'.repeat(300)])(
    'a class that no cluster has is refused: %s',
    async (secretProviderClass) => {
      const parameters = { ...inClass, secretProviderClass };
      const outcome = await world.mount({ parameters, secrets: null });
      expect(outcome).toMatchObject({ kind: 'failed', code: status.INVALID_ARGUMENT });
      expect(outcome).toMatchObject({ message: expect.stringContaining('cannot be read: ') });
      expect(outcome).not.toMatchObject({ message: expect.stringContaining('--allow-volume-attributes') });
      expect(cluster.requests.filter((path) => !path.endsWith('/secretproviderclasses/absent'))).toEqual([]);
    },
  );

  it('a request that names no class is one of a rotation up to v1.5, which reads the class only', async () => {
    const parameters = { ...inClass, secretProviderClass: undefined, 'csi.storage.k8s.io/ephemeral': undefined };
    checkOutcome(await world.mount({ parameters, secrets: {} }), { fact: 'rotation', files: { s: 'v' } });
    expect(cluster.requests).toEqual([]);
  });
});

describe('--identity-modes', () => {
  /** Identities that a manifest can ask for, and the words about the parameter that asks. */
  const ASKED: readonly (readonly [IdentityRequest['kind'], Texts, string])[] = [
    ['service-principal', {}, 'no parameter'],
    ['workload-identity', { clientID: WORKLOAD }, 'parameter "clientID"'],
    ['managed-identity', { useVMManagedIdentity: 'true' }, 'parameter "useVMManagedIdentity"'],
    ['pod-identity', { usePodIdentity: 'true' }, 'parameter "usePodIdentity"'],
    ['identity-binding', { clientID: WORKLOAD, useAzureTokenProxy: 'true' }, 'parameter "useAzureTokenProxy"'],
  ];

  it.each(ASKED)('without %s refuses it, and names the parameter', async (mode, parameters, subject) => {
    const served = ASKED.map(([other]) => other).filter((other) => other !== mode);
    const outcome = await mount({ ...BASE, ...parameters }, {}, [`--identity-modes=${served.join(',')}`]);
    const says = [
      `${subject} (of SecretProviderClass prod/${outcome.name}, or of the pod's volumeAttributes)`,
      `asks for the identity mode ${mode}, which this provider does not serve (--identity-modes=${served.join(',')})`,
      `start the provider with --identity-modes=${served.join(',')},${mode}`,
    ];
    checkOutcome(outcome, { fact: mode, fails: { code: status.INVALID_ARGUMENT, says } });
    expect(world.emulator.requests.filter(() => true)).toEqual([]);
  });

  it.each(Object.entries(IN_CLASS))('of %s alone serves it', async (mode, parameters) => {
    checkOutcome(await mount(parameters, {}, [`--identity-modes=${mode}`]), { fact: mode, files: { s: 'v' } });
  });

  it('without managed-identity asks nobody for a class', async () => {
    await mount(BASE, { useVMManagedIdentity: 'true' }, ['--identity-modes=service-principal']);
    expect(cluster.requests).toEqual([]);
  });
});

it('every parameter is guarded or stands in the list of those that are not', () => {
  const free = FREE.map(([name]) => name).filter((name) => !name.includes('/'));
  expect([...GUARDED_NAMES, ...free].toSorted()).toEqual([...new Set(ALL_NAMES)].toSorted());
});
