import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createMount } from '../../src/mount/mount.ts';
import type { MountRequest, MountResponse } from '../../src/wire/contract.ts';
import { LISTS_NOTHING } from '../support/mount.ts';
import { call, failure, grpcClient, testServer } from '../support/server.ts';
import { block, POD, SECRET, TENANT, tokensOf } from '../support/spc.ts';

const PARAMETERS = { keyvaultName: 'kv-name', tenantID: TENANT, objects: block(SECRET) };
const KEY_VAULT = `vault: {name: kv-name, directoryId: ${TENANT}, credentials: {managedIdentity: null}}\nvaultSecret: {name: a}\n`;
const CREDENTIALS = { clientid: 'c', clientsecret: 's' };

/** Returns a handler that counts reads from vaults. */
function countingMount() {
  let reads = 0;
  const mount = createMount({
    vaults: {
      tenantOf: async () => TENANT,
      open: () => ({
        ...LISTS_NOTHING,
        get: async () => {
          reads++;
          const value = new Secret('hunter2');
          const facts = { version: 'v1', expiresAt: undefined, contentType: '', certificateBacked: false };
          return { type: 'secret', value, ...facts };
        },
      }),
    },
    defaults: { cloudName: 'AzurePublicCloud', orderChain: true, split: false },
    readCloudFile: async () => ({ problem: 'no file here' }),
    certificatePolicy: 'warn',
    telemetry: silentTelemetry,
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
    log: silentLogger,
  });
  return { mount, reads: () => reads };
}

function requestOf(attributes: Readonly<Record<string, unknown>>, more: Partial<MountRequest> = {}): MountRequest {
  return {
    attributes: JSON.stringify({ ...POD, ...PARAMETERS, ...attributes }),
    secrets: JSON.stringify(CREDENTIALS),
    targetPath: '/mnt',
    permission: '420',
    currentObjectVersion: [],
    ...more,
  };
}

const many = (count: number, entry: (index: number) => readonly [string, unknown]) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => entry(index)));
const long = (length: number) => 'x'.repeat(length);
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const secretsOf = (more: Readonly<Record<string, string>>) => ({
  secrets: JSON.stringify({ ...CREDENTIALS, ...more }),
});
const objects = (text: string) => requestOf({ objects: text });

/** Requests with one field above its limit, and the message: the number and the limit. */
const OVER: readonly (readonly [string, MountRequest, string])[] = [
  ['parameters', requestOf(many(20_000, (i) => [`keyvaultNam${i}`, 'x'])), 'it holds 20005 entries, more than 200'],
  [
    'parameters without the one',
    requestOf({ ...many(300, (i) => [`keyvaultNam${i}`, 'x']), keyvaultName: '' }),
    'it holds 305 entries, more than 200',
  ],
  ['attributes', requestOf({ other: long(600_000) }), 'more than 524288'],
  ['names', requestOf(many(20, (i) => [long(50_000) + i, 'x'])), 'more than 524288'],
  ['depth of attributes', requestOf({}, { attributes: deep(100_000) }), 'it holds 100000 entries, more than 200'],
  [
    'depth of an attribute',
    requestOf({}, { attributes: `{"a":${deep(100)}}` }),
    'it nests 101 levels deep, more than 16',
  ],
  ['secrets', requestOf({}, secretsOf({ other: long(3_200_000) })), 'more than 3145728'],
  [
    'entries of the secret',
    requestOf({}, secretsOf(many(2000, (i) => [`k${i}`, 'v']) as Record<string, string>)),
    'it holds 2002 entries, more than 1000',
  ],
  ['depth of secrets', requestOf({}, { secrets: deep(1_000_000) }), 'more than 1000'],
  [
    'clientid',
    requestOf({}, secretsOf({ clientid: long(5000) })),
    'the value of "clientid" has 5000 bytes, more than 4096',
  ],
  [
    'clientsecret',
    requestOf({}, secretsOf({ ClientSecret: long(20_000) })),
    'the value of "ClientSecret" has 20000 bytes, more than 16384',
  ],
  [
    'clientcertificate',
    requestOf({}, secretsOf({ clientcertificate: long(300_000) })),
    'has 300000 bytes, more than 262144',
  ],
  [
    'clientcertificatepassword',
    requestOf({}, secretsOf({ clientcertificatepassword: long(20_000) })),
    'has 20000 bytes, more than 16384',
  ],
  ['permission', requestOf({}, { permission: deep(1_000_000) }), 'it has 2000000 bytes, more than 64'],
  ['target_path', requestOf({}, { targetPath: `/${long(5000)}` }), 'target_path has 5001 bytes, more than 4096'],
  [
    'tokens',
    requestOf(tokensOf({ aud: { token: long(200_000) } })),
    'serviceAccount.tokens: it has 200020 bytes, more than 131072',
  ],
  [
    'audiences',
    requestOf(tokensOf(many(1000, (i) => [`a${i}`, { token: 't' }]))),
    'serviceAccount.tokens: it holds 2000 entries, more than 300',
  ],
  [
    'depth of tokens',
    requestOf({ 'csi.storage.k8s.io/serviceAccount.tokens': deep(50) }),
    'it nests 50 levels deep, more than 16',
  ],
  ...['pod.name', 'pod.namespace', 'pod.uid', 'serviceAccount.name'].map(
    (name) =>
      [name, requestOf({ [`csi.storage.k8s.io/${name}`]: long(2000) }), 'has 2000 bytes, more than 1024'] as const,
  ),
  [
    'secretProviderClass',
    requestOf({ secretProviderClass: long(2000) }),
    'secretProviderClass of the pod has 2000 bytes, more than 1024',
  ],
  ...[
    'keyvaultName',
    'tenantID',
    'tenantId',
    'cloudName',
    'cloudEnvFileName',
    'clientID',
    'userAssignedIdentityID',
    'useVMManagedIdentity',
  ].map((name) => [name, requestOf({ [name]: long(5000) }), `${name} has 5000 bytes, more than 4096`] as const),
  ...['fileName', 'fileLayout', 'filePermission'].map(
    (name) =>
      [name, requestOf({ keyVault: KEY_VAULT, [name]: long(5000) }), `${name} has 5000 bytes, more than 4096`] as const,
  ),
  ['objects', objects(long(300_000)), 'objects is longer than 262144 bytes'],
  ['lines of objects', objects('- a\n'.repeat(20_000)), 'objects holds more than 25000 lines'],
  ['number of objects', objects('- a\n'.repeat(600)), 'objects holds 600 objects, more than 500'],
  [
    'an object that stands for many',
    objects(`- &a "${long(200_000)}"\n${'- *a\n'.repeat(400)}`),
    'aliases that unfold to too many values',
  ],
  [
    'objects in objects',
    objects(`array:\n${`- "${'['.repeat(60)}"\n`.repeat(450)}`),
    'objects holds more than 25000 lines',
  ],
  ['brackets in brackets', objects(`array: ${'[[],'.repeat(2400)}`), 'it nests deeper than 100'],
  [
    'names of fields',
    objects(`- {${Array.from({ length: 4000 }, (_, i) => `objectNam${i}: x`).join(', ')}}`),
    'file name must not be empty',
  ],
  [
    'outputs',
    objects(
      `- {objectName: a, objectType: secret, files: {${Array.from({ length: 4000 }, (_, i) => `pf${i}: x`).join(', ')}}}`,
    ),
    '[first of 100 mistakes]',
  ],
  ['keyVault', requestOf({ keyVault: long(300_000) }), 'keyVault is longer than 262144 bytes'],
  [
    'lines of keyVault',
    requestOf({ keyVault: `vault: {${'a: 1, '.repeat(3000)}}` }),
    'keyVault holds more than 2000 lines',
  ],
];

describe('over its limit', () => {
  test.each(OVER)('%s is refused, and another Mount is served', async (_, request, reason) => {
    const { mount, reads } = countingMount();
    const client = grpcClient(`unix:${(await testServer({ mount })).path}`);
    const [refused, served] = await Promise.all([
      failure(call<MountResponse>(client, 'Mount', request)),
      call<MountResponse>(client, 'Mount', requestOf({})),
    ]);
    expect(refused.code).toBe(status.INVALID_ARGUMENT);
    expect(refused.details).toContain(reason);
    expect(served.files.map(({ contents }) => contents.toString())).toEqual(['hunter2']);
    expect(reads()).toBe(1);
  });
});

describe('within its limit', () => {
  test.each([
    [
      '500 objects',
      requestOf({
        objects: `array:\n${Array.from({ length: 500 }, (_, i) => `  - |\n    objectName: ${long(40)}-${i}\n    objectType: secret\n    objectAlias: ${long(40)}/${long(40)}-${i}\n`).join('')}`,
      }),
      500,
    ],
    ['objects of nearly 256 KiB', requestOf({ objects: `# ${long(255_000)}\n${block(SECRET)}` }), 1],
    ['a Secret of 1 MiB', requestOf({}, secretsOf({ other: '\n'.repeat(1_048_000) })), 1],
    ['a hundred parameters of others', requestOf(many(100, (i) => [`example.com/${i}`, long(1000)])), 1],
    [
      'what is mounted now',
      requestOf(
        {},
        { currentObjectVersion: Array.from({ length: 1000 }, (_, i) => ({ id: `secret/${i}`, version: 'v' })) },
      ),
      1,
    ],
  ] as const)('%s: is mounted', async (_, request, files) => {
    const { mount } = countingMount();
    const client = grpcClient(`unix:${(await testServer({ mount })).path}`);
    expect((await call<MountResponse>(client, 'Mount', request)).files).toHaveLength(files);
  });
});
