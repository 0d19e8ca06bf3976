import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkRow,
  openWorld,
  type ParityWorld,
  type Row,
  requestOf,
  seedWith,
  TENANT,
  VAULT,
} from '../support/parity.ts';

const { INVALID_ARGUMENT, FAILED_PRECONDITION } = status;
const POD = 'csi.storage.k8s.io/pod.name';
const NAMESPACE = 'csi.storage.k8s.io/pod.namespace';

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(
    seedWith({ vault: '    secrets: [{name: a, value: va}, {name: b, value: vb}, {name: c, value: vc}]' }),
  );
});
afterAll(() => world.close());

const one = [{ objectName: 'a', objectType: 'secret' }];
const files = { a: 'va' };

/** Returns a row that is refused without a request to a vault. The message begins with `first`. */
function refused(fact: string, asked: Partial<Row>, first: string, ...more: (string | RegExp)[]): Row {
  const escaped = first.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const says = [new RegExp(`^failed to (mount objects|unmarshal [a-z ]+), error: ${escaped}`), ...more];
  return { fact, objects: one, ...asked, fails: { code: INVALID_ARGUMENT, says }, vaultRequests: 0 };
}
const accepted = (fact: string, asked: Partial<Row>): Row => ({ fact, objects: one, files, ...asked });
const withParameters = (parameters: Row['parameters']) => ({ parameters }) as const;

const REQUEST: readonly Row[] = [
  ...['{}', 'null', '{"clientid":"x"}'].map((secrets) => ({
    fact: `secrets ${secrets} hold no credentials`,
    objects: one,
    secrets,
    vaultRequests: 0,
    fails: { code: FAILED_PRECONDITION, says: ['failed to build auth config for mode None: '] },
  })),
  ...['', '[]', '"x"', '{"a":1}', '{'].map((secrets) => ({
    fact: `secrets ${JSON.stringify(secrets)} are refused`,
    objects: one,
    secrets,
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: [/^failed to unmarshal secrets, error: /] },
  })),
  ...['', '"420"', '-1', '1.5', '4294967296', '0644', 'x', '4.2e2'].map((permission) => ({
    fact: `permission ${JSON.stringify(permission)} is refused`,
    objects: one,
    permission,
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: [/^failed to unmarshal file permission, error: /] },
  })),
  accepted('permission 420 is 0644', { permission: '420', modes: [0o644] }),
  accepted('permission 256 is 0400', { permission: '256', modes: [0o400] }),
  accepted('permission null is 0', { permission: 'null', modes: [0] }),
];

const FLAGS = ['usePodIdentity', 'useVMManagedIdentity', 'useAzureTokenProxy'] as const;

const SINGLE: readonly Row[] = [
  refused('no pod name', withParameters({ [POD]: undefined }), 'pod name is not provided'),
  refused('a blank pod name', withParameters({ [POD]: '  ' }), 'pod name is not provided'),
  refused('no namespace', withParameters({ [NAMESPACE]: undefined }), 'pod namespace is not provided'),
  ...FLAGS.flatMap((flag) => [
    ...['yes', 'tru', 'TrUe', '2', 'on'].map((value) =>
      refused(
        `${flag}: ${value}`,
        withParameters({ [flag]: value }),
        `failed to parse ${flag} flag, error: strconv.ParseBool: parsing "${value}": invalid syntax`,
      ),
    ),
    ...['0', 'f', 'F', 'false', 'FALSE', 'False', ''].map((value) =>
      accepted(`${flag} ${JSON.stringify(value)} is off`, withParameters({ [flag]: value })),
    ),
  ]),
  ...[
    [FLAGS[0], FLAGS[1]],
    [FLAGS[0], FLAGS[2]],
    [FLAGS[1], FLAGS[2]],
  ].map((pair) =>
    refused(
      `${pair.join(' with ')}`,
      withParameters(Object.fromEntries(pair.map((flag) => [flag, 'true']))),
      'only one identity mode can be enabled at a time: usePodIdentity, useVMManagedIdentity, or useAzureTokenProxy',
    ),
  ),
  refused('no vault', withParameters({ keyvaultName: undefined }), 'keyvaultName is not provided'),
  refused('a blank vault', withParameters({ keyvaultName: ' ' }), 'keyvaultName is not provided'),
  refused('a misspelt tenant', withParameters({ tenantID: undefined, tenantid: 'x' }), 'tenantId is not provided'),
  refused(
    'an unknown cloud',
    withParameters({ cloudName: 'AzureMoonCloud' }),
    'cloudName AzureMoonCloud is not valid, error: autorest/azure: There is no cloud environment matching the name "AZUREMOONCLOUD"',
  ),
  ...[
    '/nowhere/cloud.json',
    '/etc/passwd',
    '/dev/zero',
    '/dev/stdout',
    '/proc/self/environ',
    '/',
    '..',
    '../../etc',
  ].map((name) =>
    refused(
      `the cloud file ${name}`,
      withParameters({ cloudName: 'AzureStackCloud', cloudEnvFileName: name }),
      `cloudName AzureStackCloud is not valid, error: cloudEnvFileName "${name}" must name a file below `,
    ),
  ),
  refused(
    'a cloud file that is missing where cloud files are',
    withParameters({ cloudName: 'AzureStackCloud', cloudEnvFileName: 'missing.json' }),
    'cloudName AzureStackCloud is not valid, error: cloudEnvFileName "missing.json" cannot be read: there is no such file below ',
  ),
  refused('no objects', { objects: undefined }, 'objects is not set'),
  refused('blank objects', { objects: '  \n' }, 'objects is not set'),
  refused(
    'a vault name too short',
    withParameters({ keyvaultName: 'kv' }),
    'failed to get vault: Invalid vault name: "kv", must be between 3 and 24 chars',
  ),
  refused(
    'a vault name too long',
    withParameters({ keyvaultName: 'k'.repeat(25) }),
    `failed to get vault: Invalid vault name: "${'k'.repeat(25)}", must be between 3 and 24 chars`,
  ),
  refused(
    'a vault name with a dot',
    withParameters({ keyvaultName: 'my.vault' }),
    'failed to get vault: Invalid vault name: "my.vault", must match [-a-zA-Z0-9]{3,24}',
  ),
];

const ACCEPTED: readonly Row[] = [
  accepted('white space around every parameter', {
    parameters: { keyvaultName: `  ${VAULT}\n`, tenantID: ` ${TENANT} `, usePodIdentity: ' false ', [POD]: ' web-0 ' },
  }),
  accepted('tenantId in place of tenantID', withParameters({ tenantID: undefined, tenantId: TENANT })),
  accepted('no tenant: it is learnt, where the official provider fails', withParameters({ tenantID: undefined })),
  accepted('tenantID wins over tenantId', withParameters({ tenantId: 'nonsense' })),
  accepted('tenantId where tenantID is blank', withParameters({ tenantID: ' ', tenantId: TENANT })),
  accepted('a vault name in capitals', withParameters({ keyvaultName: VAULT.toUpperCase() })),
  accepted(
    'unknown parameters',
    withParameters({ keyvaultname: 'x', foo: 'bar', resourceGroup: 'g', subscriptionId: 's' }),
  ),
  accepted('the cloud of the provider where the manifest has none', withParameters({ cloudName: '' })),
  accepted('the cloud’s name in any case', withParameters({ cloudName: 'azurestackCLOUD' })),
  accepted('parameters of identities that are not used', withParameters({ userAssignedIdentityID: 'x' })),
];

const at = (index: number, words: string) => `unmarshal failed for keyVaultObjects at index ${index}, error: ${words}`;

const OBJECTS: readonly Row[] = [
  accepted('a list of texts under array', { objects: 'array:\n  - |\n    objectName: a\n    objectType: secret\n' }),
  accepted('a list of maps under array', { objects: 'array:\n  - objectName: a\n    objectType: secret\n' }),
  accepted('a plain list of texts', { objects: '- |\n  objectName: a\n  objectType: secret\n' }),
  accepted('a plain list of maps', { objects: '- objectName: a\n  objectType: secret\n' }),
  accepted('JSON', { objects: '{"array":["{\\"objectName\\":\\"a\\",\\"objectType\\":\\"secret\\"}"]}' }),
  accepted('a null item', { objects: 'array:\n  -\n  - objectName: a\n    objectType: secret\n' }),
  accepted('unknown fields of an item', {
    objects: [{ objectName: 'a', objectType: 'secret', objectname: 'x', colour: 1 }],
  }),
  accepted('later documents', { objects: 'array:\n  - {objectName: a, objectType: secret}\n---\narray: nonsense\n' }),
  accepted('white space around the texts of an item', {
    objects: 'array:\n  - |\n    objectName: "  a  "\n    objectType: " secret "\n    objectVersion: "  "\n',
  }),
  accepted('nulls in place of texts', {
    objects:
      'array:\n  - |\n    objectName: a\n    objectType: secret\n    objectAlias: ~\n    objectVersion: null\n    objectFormat:\n',
  }),
  {
    fact: 'the order is that of the manifest',
    objects: ['c', 'a', 'b'].map((objectName) => ({ objectName, objectType: 'secret' })),
    files: { c: 'vc', a: 'va', b: 'vb' },
  },
  ...(
    [
      ['0755', '0755'],
      ['123', '123'],
      ['1e3', '1e3'],
      ['0x1F', '0x1F'],
      ['true', 'true'],
      ['1.0', '1.0'],
      ['2001-01-01', '2001-01-01'],
    ] as const
  ).map(([raw, path]) => ({
    fact: `the scalar ${raw} keeps its text`,
    objects: `array:\n  - |\n    objectName: a\n    objectType: secret\n    objectAlias: ${raw}\n`,
    files: { [path]: 'va' },
  })),
  ...['array:', '{}', 'foo: bar', 'array: []', 'array: [~]', '# nothing'].map((objects) => ({
    fact: `${JSON.stringify(objects)} holds no object, which is an error`,
    objects,
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: [/object/] },
  })),
  refused('objects that are no YAML', { objects: 'array: [' }, 'failed to yaml unmarshal objects, error: ', /line 1/),
  refused('objects that are a text', { objects: 'hello' }, 'failed to yaml unmarshal objects, error: '),
  refused('an array that is a text', { objects: 'array: a' }, 'failed to yaml unmarshal objects, error: '),
  refused('an array twice', { objects: 'array: []\narray: []' }, 'failed to yaml unmarshal objects, error: ', /line 2/),
  refused('an item that is a word', { objects: 'array:\n  - secret1\n' }, at(0, ''), /line/),
  refused('an item that is no YAML', { objects: 'array:\n  - |\n    a: b: c\n' }, at(0, ''), /line/),
  refused(
    'the second item is no YAML',
    { objects: 'array:\n  - "objectName: a\\nobjectType: secret"\n  - "a: b: c"\n' },
    at(1, ''),
  ),
  refused(
    'a field twice',
    { objects: 'array:\n  - |\n    objectName: a\n    objectName: b\n    objectType: secret\n' },
    at(0, ''),
    /objectName/,
    /line/,
  ),
  refused(
    'a history number in quotes',
    { objects: 'array:\n  - |\n    objectName: a\n    objectType: secret\n    objectVersionHistory: "5"\n' },
    at(0, ''),
    /int32/,
    /line/,
  ),
  refused(
    'a history number out of bounds',
    { objects: 'array:\n  - |\n    objectName: a\n    objectType: secret\n    objectVersionHistory: 3000000000\n' },
    at(0, ''),
    /int32/,
  ),
  refused(
    'an unknown type',
    { objects: [{ objectName: 'a', objectType: 'secrets', objectVersion: 'v' }] },
    'failed to get objectType:secrets, objectName:a, objectVersion:v: Invalid vaultObjectTypes. Should be secret, key, or cert',
  ),
  refused(
    'a type in capitals',
    { objects: [{ objectName: 'a', objectType: 'Secret' }] },
    'failed to get objectType:Secret, objectName:a, objectVersion:: Invalid vaultObjectTypes. Should be secret, key, or cert',
  ),
  refused(
    'no type',
    { objects: [{ objectName: 'a' }] },
    'failed to get objectType:, objectName:a, objectVersion:: Invalid vaultObjectTypes. Should be secret, key, or cert',
  ),
  refused(
    'an empty item',
    { objects: 'array: [""]' },
    'failed to get objectType:, objectName:, objectVersion:: file name must not be empty',
  ),
  refused(
    'no name, but an alias',
    { objects: [{ objectAlias: 'x', objectType: 'secret' }] },
    'failed to get objectType:secret, objectName:, objectVersion:: ',
    /objectName/,
  ),
  refused(
    'an encoding that there is none of',
    { objects: [{ objectName: 'a', objectType: 'secret', objectEncoding: 'rot13' }] },
    'failed to get objectType:secret, objectName:a, objectVersion:: invalid objectEncoding: rot13, should be hex, base64 or utf-8',
  ),
  refused(
    'an error names the item’s index, from 0',
    { objects: [...one, { objectName: 'b', objectType: 'secret', objectFormat: 'x' }] },
    'failed to get objectType:secret, objectName:b, objectVersion:: invalid objectFormat: x, should be PEM or PFX',
    /objects\[1\]/,
  ),
];

/** Requests with two mistakes. The official provider stops at the first. */
const bad = {
  pod: [withParameters({ [POD]: '' }), 'pod name is not provided'],
  namespace: [withParameters({ [NAMESPACE]: '' }), 'pod namespace is not provided'],
  podIdentity: [withParameters({ usePodIdentity: 'x' }), 'failed to parse usePodIdentity flag'],
  managed: [withParameters({ useVMManagedIdentity: 'x' }), 'failed to parse useVMManagedIdentity flag'],
  proxy: [withParameters({ useAzureTokenProxy: 'x' }), 'failed to parse useAzureTokenProxy flag'],
  vault: [withParameters({ keyvaultName: '' }), 'keyvaultName is not provided'],
  tenant: [withParameters({ tenantID: '', tenantid: 'x' }), 'tenantId is not provided'],
  cloud: [withParameters({ cloudName: 'x' }), 'cloudName x is not valid'],
  credentials: [{ secrets: null }, 'failed to build auth config for mode None: '],
  objects: [{ objects: undefined }, 'objects is not set'],
} as const satisfies Record<string, readonly [Partial<Row>, string]>;

const ORDER: readonly Row[] = Object.entries(bad).flatMap(([name, [asked, words]], index, all) =>
  all.slice(index + 1).map(([otherName, [other, otherWords]]) => {
    const parameters = {
      ...('parameters' in other ? other.parameters : {}),
      ...('parameters' in asked ? asked.parameters : {}),
    };
    return refused(`${name} before ${otherName}`, { ...other, ...asked, parameters }, words, otherWords);
  }),
);

const MORE_ORDER: readonly Row[] = [
  refused(
    'within an object: format, encoding, file name',
    { objects: [{ objectName: '../x', objectType: 'secret', objectFormat: 'f', objectEncoding: 'e' }] },
    'failed to get objectType:secret, objectName:../x, objectVersion:: invalid objectFormat: f',
    'invalid objectEncoding: e',
    "file name must not contain '..'",
  ),
  refused(
    'objects one after the other',
    {
      objects: [
        { objectName: 'a', objectType: 'secret', objectAlias: '/x' },
        { objectName: 'b', objectType: 'secret', objectFormat: 'f' },
      ],
    },
    'failed to get objectType:secret, objectName:a, objectVersion:: file name must be a relative path',
    'objectName:b',
  ),
  refused(
    'objects before the form of the vault’s name',
    {
      objects: [{ objectName: 'a', objectType: 'secret', objectFormat: 'f' }],
      ...withParameters({ keyvaultName: 'kv' }),
    },
    'failed to get objectType:secret, objectName:a, objectVersion:: invalid objectFormat: f',
    'failed to get vault: Invalid vault name: "kv"',
  ),
  refused(
    'the form of an object before the type of an earlier one, which the vault was asked about',
    {
      objects: [
        { objectName: 'a', objectType: 'nonsense' },
        { objectName: 'b', objectType: 'secret', objectFormat: 'f' },
      ],
    },
    'failed to get objectType:secret, objectName:b, objectVersion:: invalid objectFormat: f',
    'Invalid vaultObjectTypes',
  ),
  refused(
    'the form of the vault’s name before the type of an object',
    { objects: [{ objectName: 'a', objectType: 'nonsense' }], ...withParameters({ keyvaultName: 'kv' }) },
    'failed to get vault: Invalid vault name: "kv"',
    'Invalid vaultObjectTypes',
  ),
  refused(
    'everything else before the form of the tenant',
    { objects: undefined, ...withParameters({ tenantID: 'a b' }) },
    'objects is not set',
    'tenant',
  ),
  refused(
    'the official provider’s mistakes before those it does not know',
    {
      objects: [
        { objectName: 'a', objectType: 'secret', filePermission: 'rw' },
        { objectName: 'b', objectType: 'secret', objectFormat: 'f' },
      ],
    },
    'failed to get objectType:secret, objectName:b, objectVersion:: invalid objectFormat: f',
    'file permission must be a valid octal number',
  ),
  refused(
    'all mistakes in one answer',
    {
      objects: ['w', 'x', 'y', 'z'].map((objectFormat) => ({
        objectName: `n${objectFormat}`,
        objectType: 'secret',
        objectFormat,
      })),
      secrets: null,
      parameters: { usePodIdentity: '?', keyvaultName: '', tenantID: '', tenantid: 'x', cloudName: '?' },
    },
    'failed to parse usePodIdentity flag',
    'keyvaultName is not provided',
    'tenantId is not provided',
    'cloudName ? is not valid',
    'objectName:nw,',
    'objectName:nx,',
    'objectName:ny,',
    'objectName:nz,',
  ),
];

describe('the request', () => {
  it.each(REQUEST)('$fact', (row) => checkRow(world, row));

  it.each(['', '[]', '{"a":{}}', 'null', '{'])('attributes %j are refused', async (attributes) => {
    const client = await world.provider();
    const call = client.mount({ ...requestOf({ objects: one }), attributes });
    await expect(call).rejects.toMatchObject({
      code: INVALID_ARGUMENT,
      details: expect.stringMatching(
        attributes === 'null' ? /pod name is not provided/ : /^failed to unmarshal attributes, error: /,
      ),
    });
  });

  it('needs no current versions, and takes them', async () => {
    const client = await world.provider();
    const currentObjectVersion = [{ id: 'secret/a', version: 'x' }];
    const { files: written } = await client.mount({ ...requestOf({ objects: one }), currentObjectVersion });
    expect(written.map(({ path }) => path)).toEqual(['a']);
  });
});

describe('parameters that are refused, before any vault call', () => {
  it.each(SINGLE)('$fact', (row) => checkRow(world, row));
});

describe('parameters that are accepted', () => {
  it.each(ACCEPTED)('$fact', (row) => checkRow(world, row));

  it('two mounts with two cloud files at the same time never meet', async () => {
    const path = join(world.directory, 'other.json');
    writeFileSync(path, world.emulator.cloudFile.replaceAll('vault.localhost', 'other.localhost'));
    const parameters = { cloudName: 'AzureStackCloud', cloudEnvFileName: path };
    const outcomes = await Promise.all(
      [0, 1, 2, 3].map((i) => world.mount({ objects: one, ...(i % 2 === 0 ? {} : { parameters }) })),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(['mounted', 'failed', 'mounted', 'failed']);
  });
});

describe('objects', () => {
  it.each(OBJECTS)('$fact', (row) => checkRow(world, row));
});

describe('of several mistakes the first is the official provider’s', () => {
  it.each(ORDER)('$fact', (row) => checkRow(world, row));
  it.each(MORE_ORDER)('$fact', (row) => checkRow(world, row));
});
