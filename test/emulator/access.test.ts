import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT,
  identityOptions,
  type Lab,
  OTHER_TENANT,
  openLab,
  requestToken,
  sdkOptions,
  seedWith,
  TENANT,
  VAULT,
  vaultGet,
  vaultToken,
} from '../support/emulator.ts';

const READER = '33333333-3333-3333-3333-333333333333';
const STRANGER = '44444444-4444-4444-4444-444444444444';
const START = Date.UTC(2030, 0, 1);

const SEED = seedWith(
  `
      - {identity: reader, secrets: [get], objects: [allowed]}
    secrets: [{name: allowed, value: v}, {name: other, value: v}]
    keys: [{name: k}]
    certificates: [{name: c}]
  - name: with-policies
    tenant: "${TENANT}"
    access: policy
    region: northeurope
    secrets: [{name: allowed, value: v}]
  - name: closed
    tenant: "${TENANT}"
    firewall: closed
    grants: [{identity: app, secrets: all}]
    secrets: [{name: allowed, value: v}]`,
  `      - {name: reader, clientId: "${READER}", secrets: [{value: reader-secret}]}
  - id: "${OTHER_TENANT}"
    identities: [{name: stranger, clientId: "${STRANGER}", secrets: [{value: stranger-secret}]}]`,
);

describe('access to a vault of the emulator', () => {
  let lab: Lab;
  let now = START;
  beforeAll(async () => {
    lab = await openLab(SEED, { clock: { wall: () => now } });
  });
  afterAll(() => lab.close());

  const reader = (vault = VAULT) => {
    const credential = new ClientSecretCredential(TENANT, READER, 'reader-secret', identityOptions(lab));
    return new SecretClient(lab.emulator.vaultUrl(vault), credential, sdkOptions(lab.agent));
  };
  const inner = (code: string) => ({
    statusCode: 403,
    code: 'Forbidden',
    details: { error: { innerError: { code } } },
  });

  it('begins with the challenge of Key Vault', async () => {
    const answer = await vaultGet(lab, '/secrets/allowed?api-version=7.4', '');
    const { port } = lab.emulator;
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe(
      `Bearer authorization="https://login.localhost:${port}/${TENANT}", resource="https://vault.localhost:${port}"`,
    );
    expect(answer.json).toEqual({
      error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' },
    });
  });

  it.each<[string, string, () => Promise<string>]>([
    ['that is no JWT', 'BearerReadAccessTokenFailed', async () => 'garbage'],
    ['whose payload was changed', 'AKV10046', async () => tampered(await vaultToken(lab))],
    [
      'that was signed by somebody else',
      'AKV10046',
      async () => lab.emulator.issueServiceAccountToken({ subject: 'x', audience: 'y' }),
    ],
    [
      'for another audience',
      'AKV10022: Invalid audience',
      () => vaultToken(lab, 'https://management.azure.com/.default'),
    ],
    ["for another cloud's vaults", 'AKV10022', () => vaultToken(lab, 'https://vault.azure.net/.default')],
    ['of another tenant', 'AKV10032: Invalid issuer', () => strangerToken()],
  ])('refuses a token %s', async (_, message, token) => {
    const answer = await vaultGet(lab, '/secrets/allowed?api-version=7.4', await token());
    expect(answer).toMatchObject({ status: 401, json: { error: { code: 'Unauthorized' } } });
    expect(answer.json.error.message).toContain(message);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer authorization=/);
  });

  it('refuses an expired token', async () => {
    const token = await vaultToken(lab);
    expect((await vaultGet(lab, '/secrets/allowed?api-version=7.4', token)).status).toBe(200);
    now = START + 3_600_000;
    const answer = await vaultGet(lab, '/secrets/allowed?api-version=7.4', token);
    now = START;
    expect(answer).toMatchObject({
      status: 401,
      json: { error: { message: expect.stringContaining('TokenExpired') } },
    });
  });

  it('takes a token for the vault resource without port, and for the application id of Key Vault', async () => {
    for (const scope of ['https://vault.localhost/.default', 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default']) {
      expect((await vaultGet(lab, '/secrets/allowed?api-version=7.4', await vaultToken(lab, scope))).status).toBe(200);
    }
  });

  it('is limited to the objects of a grant', async () => {
    expect((await reader().getSecret('allowed')).value).toBe('v');
    await expect(reader().getSecret('other')).rejects.toMatchObject(inner('ForbiddenByRbac'));
    await expect(reader().setSecret('allowed', 'x')).rejects.toMatchObject(inner('ForbiddenByRbac'));
    await expect(reader().listPropertiesOfSecrets().next()).rejects.toMatchObject({ statusCode: 403 });
  });

  it('is refused by RBAC with the text of Key Vault, for missing objects too', async () => {
    await expect(reader().getSecret('missing')).rejects.toMatchObject({
      ...inner('ForbiddenByRbac'),
      message: expect.stringMatching(
        new RegExp(
          [
            '^Caller is not authorized to perform action on resource\\.',
            'If role assignments, .* observe propagation time\\.',
            `Caller: appid=${READER};oid=[0-9a-f-]{36};iss=https://sts\\.windows\\.net/${TENANT}/`,
            "Action: 'Microsoft\\.KeyVault/vaults/secrets/getSecret/action'",
            "Resource: '/subscriptions/.*/vaults/test-vault/secrets/missing'",
            'Assignment: \\(not found\\)',
            'DenyAssignmentId: null',
            "DecisionReason: 'DeniedWithNoValidRBAC' ",
            'Vault: test-vault;location=westeurope\\r\\n$',
          ].join('\\r\\n'),
        ),
      ),
    });
  });

  it.each([
    ['/keys/k', 'Microsoft.KeyVault/vaults/keys/read'],
    ['/certificates/c', 'Microsoft.KeyVault/vaults/certificates/read'],
    ['/secrets', 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'],
  ])('is refused by RBAC with the action of %s', async (path, action) => {
    const form = { grant_type: 'client_credentials', client_id: READER, client_secret: 'reader-secret' };
    const { json } = await requestToken(lab, { ...form, scope: `https://vault.localhost/.default` });
    const answer = await vaultGet(lab, `${path}?api-version=7.4`, json.access_token);
    expect(answer.status).toBe(403);
    expect(answer.json.error.message).toContain(`Action: '${action}'`);
  });

  it('is refused by access policies with the text of Key Vault', async () => {
    await expect(reader('with-policies').getSecret('allowed')).rejects.toMatchObject({
      ...inner('AccessDenied'),
      message: expect.stringMatching(
        /^The user, group or application 'appid=.*;numgroups=0;iss=.*' does not have secrets get permission on key vault 'with-policies;location=northeurope'/,
      ),
    });
  });

  it('is refused by a closed firewall, and granted when it opens', async () => {
    const client = new SecretClient(lab.emulator.vaultUrl('closed'), lab.credential, sdkOptions(lab.agent));
    await expect(client.getSecret('allowed')).rejects.toMatchObject({
      ...inner('ForbiddenByFirewall'),
      message: expect.stringContaining('Client address: 127.0.0.1'),
    });
    lab.emulator.setFirewall('closed', 'open');
    expect((await client.getSecret('allowed')).value).toBe('v');
    lab.emulator.setFirewall('closed', 'closed');
    await expect(client.getSecret('allowed')).rejects.toMatchObject({ statusCode: 403 });
  });

  it('can be granted and revoked while it runs', async () => {
    lab.emulator.grant(VAULT, { identity: READER, secrets: ['get', 'list'] });
    expect((await reader().getSecret('other')).value).toBe('v');
    lab.emulator.revoke(VAULT, 'reader');
    await expect(reader().getSecret('allowed')).rejects.toMatchObject(inner('ForbiddenByRbac'));
    expect(() => lab.emulator.grant(VAULT, { identity: 'nobody' })).toThrow(
      'The emulator has no identity "nobody"; known:',
    );
  });

  async function strangerToken(): Promise<string> {
    const form = { grant_type: 'client_credentials', client_id: STRANGER, client_secret: 'stranger-secret' };
    const { json } = await requestToken(lab, { ...form, scope: 'https://vault.localhost/.default' }, OTHER_TENANT);
    return json.access_token;
  }

  function tampered(token: string): string {
    const [header, claims = '', signature] = token.split('.');
    const changed = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), appid: CLIENT, oid: 'x' };
    return `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`;
  }
});
