import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CloudFiles } from '../../src/azure/cloud-files.ts';
import { systemClock } from '../../src/base/clock.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createMount } from '../../src/mount/mount.ts';
import { failureOf } from '../support/mount.ts';
import { rounds } from '../support/rounds.ts';
import { OBJECTS, POD, TENANT, tokensOf } from '../support/spc.ts';

const RAW = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** The handler uses a vault whose errors quote the request, as those of Azure do. */
const cloudFiles = new CloudFiles({ directory: '/nowhere', ownFile: '' });
const mount = createMount({
  vaults: {
    tenantOf: () => Promise.reject(new Error('the manifest names its tenant')),
    open: ({ vaultName, tenantId, identity }) => {
      const quoting = async (name: string) => {
        throw new ProviderError('ERR_VAULT', `${vaultName} ${tenantId} ${JSON.stringify(identity)} says: no ${name}`);
      };
      return {
        vaultUrl: '',
        get: ({ name, version }) => quoting(name + version),
        listVersions: ({ name }) => quoting(name),
        list: quoting,
      };
    },
  },
  defaults: { cloudName: 'AzurePublicCloud', orderChain: true, split: false },
  readCloudFile: (name) => cloudFiles.read(name),
  certificatePolicy: 'warn',
  telemetry: silentTelemetry,
  clock: systemClock,
  sweeper: new Sweeper(systemClock),
  log: silentLogger,
});

const VALUES: Readonly<Record<string, string>> = {
  ...POD,
  'csi.storage.k8s.io/pod.uid': 'u',
  secretProviderClass: 'web',
  keyvaultName: 'kv-name',
  tenantID: TENANT,
  objects: OBJECTS,
  cloudName: 'AzurePublicCloud',
};
const NAMES = [
  ...Object.keys(VALUES),
  ...['tenantId', 'cloudEnvFileName', 'usePodIdentity', 'useVMManagedIdentity', 'useAzureTokenProxy', 'clientID'],
  ...['userAssignedIdentityID', 'keyVault', 'fileLayout', 'fileName', 'filePermission'],
];
const FIELDS = ['objectName', 'objectAlias', 'objectType', 'objectVersion', 'objectFormat', 'objectEncoding'];

const nasty = fc.string({
  unit: fc.constantFrom(
    ...'\n\r\t\0\u001b\u007f\u0085\u009b\u2028\u2029\u202e\u2066\ufeff',
    '\ud800',
    '"',
    'a',
    ' ',
    '\\',
  ),
  maxLength: 12,
});
const object = fc
  .dictionary(fc.oneof(fc.constantFrom(...FIELDS, 'files'), nasty), nasty)
  .map((fields) => JSON.stringify({ array: [{ objectName: 'a', objectType: 'secret', ...fields }] }));
const keyVault = fc.tuple(nasty, nasty, nasty).map(([name, directoryId, secret]) =>
  JSON.stringify({
    vault: { name, directoryId, credentials: { managedIdentity: null } },
    vaultSecret: { name: secret },
  }),
);
const attributes = fc
  .tuple(
    fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), nasty), nasty),
    fc.option(
      fc.oneof(
        object.map((objects) => ({ objects })),
        keyVault.map((text) => ({ keyVault: text })),
      ),
    ),
    fc.option(nasty.map((token) => tokensOf({ 'api://AzureADTokenExchange': { token } }))),
  )
  .map(([changes, texts, tokens]) => JSON.stringify({ ...VALUES, ...changes, ...texts, ...tokens }));

describe('whatever a caller sends', () => {
  it('the message of a Mount that fails is printable and stands on one line', async () => {
    const secrets = fc.oneof(
      fc.constant('{"clientid":"c","clientsecret":"s"}'),
      fc
        .dictionary(fc.oneof(fc.constantFrom('clientid', 'clientsecret', 'clientcertificate'), nasty), nasty)
        .map((all) => JSON.stringify(all)),
      nasty,
    );
    const permission = fc.oneof(fc.constant('420'), nasty);
    await fc.assert(
      fc.asyncProperty(fc.oneof(attributes, nasty), secrets, permission, async (text, secret, mode) => {
        const input = { attributes: text, secrets: secret, permission: mode };
        const call = { timeoutMs: 60_000, signal: new AbortController().signal };
        expect((await failureOf(mount(input, call))).message).not.toMatch(RAW);
      }),
      { numRuns: rounds(150, 500) },
    );
  });
});
