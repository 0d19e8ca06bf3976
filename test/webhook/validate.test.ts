import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readReview } from '../../src/webhook/review.ts';
import { type Action, STAND_IN_CLOUD, validate } from '../../src/webhook/validate.ts';
import { root } from '../support/markdown.ts';
import { admissionReview, type Tree } from '../support/reviews.ts';
import { CLASSIC, DEFAULTS, TENANT } from '../support/spc.ts';

const KEY_VAULT = `vault:
  name: my-key-vault
  directoryId: ${TENANT}
  credentials: { servicePrincipalLocalSecretName: aio-akv-sp }
vaultCert: { name: server }
`;
const classOf = (parameters: unknown, more: Tree = {}, metadata: Tree = { name: 'app', namespace: 'apps' }): Tree => ({
  apiVersion: 'secrets-store.csi.x-k8s.io/v1',
  kind: 'SecretProviderClass',
  metadata,
  spec: { provider: 'azure', parameters, ...more },
});
const example = (name: string): Tree => parse(readFileSync(join(root, 'examples', `${name}.yaml`), 'utf8'));
const filledIn = (name: string): Tree =>
  JSON.parse(JSON.stringify(example(name)).replaceAll('<AKV directory ID>', TENANT));

function ask(object: Tree | null, changes: Tree = {}, action: Action = 'deny') {
  const context = { defaults: DEFAULTS, providerNames: ['azure'], readCloudFile: async () => STAND_IN_CLOUD };
  return validate(readReview(JSON.stringify(admissionReview(object, changes))), { ...context, action });
}

/** Two mistakes and a parameter that is ignored. */
const BROKEN = classOf({ ...CLASSIC, keyvaultName: 'my_vault', tenantID: '<tenant>', clientId: 'x' });

describe('a SecretProviderClass', () => {
  test.each<[string, Tree]>([
    ['of the classic form', classOf(CLASSIC)],
    ['of the keyVault form', classOf({ keyVault: KEY_VAULT })],
    ['of another provider', classOf({ roleName: 'x' }, { provider: 'vault' })],
    ['of a custom cloud, whose file is on the nodes', classOf({ ...CLASSIC, cloudName: 'AzureStackCloud' })],
    ['without a name yet', classOf(CLASSIC, {}, { generateName: 'app-' })],
  ])('%s is allowed without a warning', async (_name, object) => {
    expect(await ask(object)).toEqual({ warnings: [] });
  });

  test('with mistakes is denied, with all of them and their fields', async () => {
    const { refusal, warnings } = await ask(BROKEN);
    expect(refusal).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(refusal?.message.split('\n')).toEqual([
      'SecretProviderClass apps/app has 2 mistakes:',
      expect.stringMatching(/^- spec\.parameters\.keyvaultName: .*Invalid vault name: "my_vault"/),
      expect.stringMatching(/^- spec\.parameters\.tenantID: .*"<tenant>" is a placeholder/),
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(/^SecretProviderClass apps\/app: spec\.parameters\.clientId: .*"clientID"/),
    ]);
  });

  test('with mistakes is allowed with warnings, if warn is set', async () => {
    const { refusal, warnings } = await ask(BROKEN, {}, 'warn');
    expect(refusal).toBeUndefined();
    expect(warnings).toHaveLength(3);
  });

  test('is checked as the driver and the API server see it', async () => {
    const object = classOf({ ...CLASSIC, objects: 7 }, { secretObjects: [{ secretName: 'No' }] });
    const { refusal } = await ask(object);
    expect(refusal?.message).toMatch(/\n- spec\.parameters\.objects: /);
    expect(refusal?.message).toMatch(/\n- spec\.secretObjects\[0\]\.secretName /);
  });

  test('that is too large to be read in time is allowed with a warning', async () => {
    const { refusal, warnings } = await ask(classOf({ ...CLASSIC, objects: 'x'.repeat(400_000) }));
    expect(refusal).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/^SecretProviderClass apps\/app: is not checked, because it has/)]);
  });
});

describe('operations that are let through', () => {
  test.each<[string, Tree | null, Tree]>([
    [
      'a change of metadata only',
      BROKEN,
      { operation: 'UPDATE', oldObject: { ...BROKEN, metadata: { name: 'app', labels: {} } } },
    ],
    ['a change of the status', BROKEN, { operation: 'UPDATE', subResource: 'status', oldObject: classOf(CLASSIC) }],
    ['a removal', null, { operation: 'DELETE', oldObject: BROKEN }],
    ['a connection', BROKEN, { operation: 'CONNECT' }],
  ])('%s', async (_name, object, changes) => {
    expect(await ask(object, changes)).toEqual({});
  });

  test('do not include a change of the specification, nor a dry run', async () => {
    expect(await ask(BROKEN, { operation: 'UPDATE', oldObject: classOf(CLASSIC) })).toHaveProperty('refusal.code', 422);
    expect(await ask(BROKEN, { dryRun: true })).toHaveProperty('refusal.code', 422);
  });

  test('do not include a creation without an object', async () => {
    await expect(ask(null)).rejects.toThrow(/^request.object is required for CREATE$/);
  });
});

describe('a broker resource', () => {
  const RESOURCES = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'];

  test.each(RESOURCES)('%s of the examples is allowed', async (name) => {
    expect(await ask(filledIn(name))).toEqual({ warnings: [] });
  });

  test.each(RESOURCES)('%s with a placeholder is allowed with a warning that names the field', async (name) => {
    const { refusal, warnings } = await ask(example(name));
    expect(refusal).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/: spec\..*keyVault\.vault\.directoryId is the placeholder/)]);
  });

  test('with mistakes is denied with the whole path of each', async () => {
    const object = JSON.parse(
      JSON.stringify(filledIn('broker-listener'))
        .replace('"my-key-vault"', '"my_vault"')
        .replace('vaultCert', 'vaultCrt'),
    );
    const { refusal } = await ask(object);
    expect(refusal?.message).toMatch(/\n- spec\.tls\.keyVault\.vault\.name is wrong: /);
    expect(refusal?.message).toMatch(/\n- spec\.tls\.keyVault\.vaultCrt is unknown; did you mean "vaultCert"/);
  });

  test('without keyVault fields is allowed', async () => {
    const object = { apiVersion: 'mq.iotoperations.azure.com/v1beta1', kind: 'BrokerListener', metadata: {}, spec: {} };
    expect(await ask(object)).toEqual({ warnings: [] });
  });
});
