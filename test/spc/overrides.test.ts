/** Holds that a pod which changes parameters never gets with the node's identity what the class alone would not read. */
import { beforeAll, expect, it } from 'vitest';
import { parseAttributes } from '../../src/spc/attributes.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import type { VolumeSpec } from '../../src/spc/model.ts';
import { guardedParameters, overriddenNames } from '../../src/spc/overrides.ts';
import { ALL_NAMES } from '../../src/spc/parameter-names.ts';
import { block, cloudFileOf, POD, read, TENANT } from '../support/spc.ts';

beforeAll(loadLanguages);

const [ONE, TWO] = ['22222222-2222-2222-2222-222222222222', '33333333-3333-3333-3333-333333333333'];
const objects = (name: string) => block(`objectName: ${name}\nobjectType: secret`);
const keyVault = (secret: string, credentials: string, vault = 'kv1') =>
  `vault: {name: ${vault}, directoryId: ${TENANT}, credentials: {${credentials}}}\nvaultSecret: {name: ${secret}}\n`;

const CLASSIC = { keyvaultName: 'kv1', tenantID: TENANT, objects: objects('a') };
const CLASSES: Readonly<Record<string, string>>[] = [
  { ...CLASSIC, useVMManagedIdentity: 'true' },
  { ...CLASSIC, useVMManagedIdentity: 'true', userAssignedIdentityID: ONE },
  { ...CLASSIC, useVMManagedIdentity: 'true', cloudName: 'AzureStackCloud', cloudEnvFileName: 'a' },
  { ...CLASSIC, clientID: ONE },
  CLASSIC,
  { keyVault: keyVault('a', 'managedIdentity: {}') },
  { keyVault: keyVault('a', `managedIdentity: {clientId: ${ONE}}`) },
  { keyVault: keyVault('a', `workloadIdentity: {clientId: ${ONE}}`) },
];

/** Values of each parameter, of which some mean something else than the classes say. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  keyvaultName: ['kv1', ' kv1 ', 'kv2', ''],
  tenantID: [TENANT, TWO, ''],
  tenantId: [TENANT, TWO],
  cloudName: ['AzurePublicCloud', 'AZURECHINACLOUD', 'AzureStackCloud'],
  cloudEnvFileName: ['a', 'b'],
  usePodIdentity: ['true', 'false'],
  useVMManagedIdentity: ['true', ' true', 'T', 'false', ''],
  useAzureTokenProxy: ['true', 'false'],
  userAssignedIdentityID: [ONE, TWO, ''],
  clientID: [ONE, TWO, ''],
  objects: [objects('a'), objects('b'), ''],
  keyVault: [keyVault('b', 'managedIdentity: {}'), keyVault('a', `managedIdentity: {clientId: ${TWO}}`), ''],
  resourceGroup: ['kv2'],
  subscriptionId: [TWO],
  fileLayout: ['client'],
  certificateUse: ['client'],
  fileName: ['b'],
  filePermission: ['0600'],
  templates: ['a: b', 'a: c'],
  maxAge: ['0s', '5m'],
  validity: ['previous', 'ignore'],
  fallbackVaults: ['kv3', 'kv3,kv4'],
};
const PLAIN = Object.entries(VALUES).flatMap(([name, values]) => values.map((value) => ({ [name]: value })));
const MISSPELT = PLAIN.flatMap((change) =>
  Object.entries(change).flatMap(([name, value]) => [{ [name.toUpperCase()]: value }, { [` ${name}`]: value }]),
);
/** One change, with correct and other spellings, and each two of the correct ones. */
const CHANGES: readonly Readonly<Record<string, string>>[] = [
  ...MISSPELT,
  ...PLAIN.flatMap((one, at) => [one, ...PLAIN.slice(at + 1).map((other) => ({ ...one, ...other }))]),
];

/** Parses the parameters, with a cloud for each cloud file. */
function volumeOf(parameters: Readonly<Record<string, string>>): VolumeSpec | undefined {
  return read(parameters, { cloudFile: cloudFileOf(`${parameters.cloudEnvFileName}.example`) }).volume;
}

/** What the identity reads: everything but the files that are made of it. */
function readingOf({ cloud, tenantId, identity, vaultUrl, fallbackVaults, objects: all }: VolumeSpec): unknown {
  const asked = all.map(({ type, name, version, history, validity }) => ({ type, name, version, history, validity }));
  return { cloud, tenantId, identity, vaultUrl, fallbackVaults, asked };
}

it('has values of each parameter', () => {
  expect(Object.keys(VALUES).toSorted()).toEqual([...new Set(ALL_NAMES)].toSorted());
});

it.each(CLASSES)('a pod reads with the identity of the node what the class reads, or nothing: %j', (inClass) => {
  const guarded = guardedParameters(new Map(Object.entries(inClass)));
  const alone = volumeOf(inClass);
  const expected = alone && readingOf(alone);
  const counts = { served: 0, refused: 0 };
  for (const change of CHANGES) {
    const parameters = { ...inClass, ...change };
    const volume = volumeOf(parameters);
    if (volume?.identity.kind !== 'managed-identity') continue;
    const attributes = parseAttributes(JSON.stringify({ ...POD, ...parameters }));
    const isServed = overriddenNames(attributes, guarded, []).length === 0;
    counts[isServed ? 'served' : 'refused']++;
    if (isServed) expect({ change, reading: readingOf(volume) }).toEqual({ change, reading: expected });
  }
  expect(counts.refused).toBeGreaterThan(0);
  expect(counts.served > 0).toBe(alone?.identity.kind === 'managed-identity');
});
