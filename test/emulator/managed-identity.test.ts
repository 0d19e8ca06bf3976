import { ManagedIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, openLab, sdkOptions, seedWith, TENANT, VAULT, vaultGet } from '../support/emulator.ts';
import { clearImds, setImds } from '../support/imds.ts';

const NODE = '33333333-3333-3333-3333-333333333333';
const USER = '44444444-4444-4444-4444-444444444444';
const USER_OBJECT = '55555555-5555-5555-5555-555555555555';
const USER_RESOURCE =
  '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/user';

const IDENTITIES = `
      - {name: node, clientId: "${NODE}", managed: {systemAssigned: true}}
      - name: user
        clientId: "${USER}"
        objectId: "${USER_OBJECT}"
        managed: {resourceId: ${USER_RESOURCE}, pods: [{namespace: shop, name: web-1}]}`;
const VAULTS = `
      - {identity: node, secrets: [get]}
      - {identity: user, secrets: [get]}
    secrets: [{name: s, value: v}]`;

const IMDS = '/metadata/identity/oauth2/token';
const QUERY = 'api-version=2018-02-01&resource=https%3A%2F%2Fvault.localhost';

describe('the managed-identity endpoint of the emulator', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(seedWith(VAULTS, IDENTITIES));
    setImds(lab.emulator.imdsUrl);
  });
  afterAll(async () => {
    clearImds();
    await lab.close();
  });

  const imds = async (query: string, headers: Record<string, string> = { Metadata: 'true' }, path = IMDS) => {
    const response = await fetch(`${lab.emulator.imdsUrl}${path}${query === '' ? '' : `?${query}`}`, { headers });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
    return { status: response.status, json: (await response.json()) as any };
  };
  const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

  it('works with the stock ManagedIdentityCredential, system-assigned and by client id', async () => {
    for (const credential of [new ManagedIdentityCredential(), new ManagedIdentityCredential({ clientId: USER })]) {
      const client = new SecretClient(lab.emulator.vaultUrl(VAULT), credential, sdkOptions(lab.agent));
      expect((await client.getSecret('s')).value).toBe('v');
    }
    const identities = lab.emulator.requests.filter(({ kind }) => kind === 'imds').map(({ identity }) => identity);
    expect(identities).toEqual(['node', 'user']);
  });

  it('answers as IMDS does, with text for numbers, with and without a trailing slash', async () => {
    for (const path of [IMDS, `${IMDS}/`]) {
      const { status, json } = await imds(QUERY, { Metadata: 'true' }, path);
      expect(status).toBe(200);
      expect(json).toMatchObject({
        token_type: 'Bearer',
        resource: 'https://vault.localhost',
        client_id: NODE,
        expires_in: '3599',
        expires_on: expect.stringMatching(/^\d{10}$/),
        not_before: expect.stringMatching(/^\d{10}$/),
      });
      expect(claims(json.access_token)).toMatchObject({ aud: 'https://vault.localhost', tid: TENANT, appid: NODE });
    }
  });

  it.each([
    ['client id', `client_id=${USER}`],
    ['object id', `object_id=${USER_OBJECT}`],
    ['principal id', `principal_id=${USER_OBJECT}`],
    ['resource id', `msi_res_id=${encodeURIComponent(USER_RESOURCE.toUpperCase())}`],
    ['resource id, the other spelling', `mi_res_id=${encodeURIComponent(USER_RESOURCE)}`],
  ])('finds a user-assigned identity by its %s', async (_, selector) => {
    const { json } = await imds(`${QUERY}&${selector}`);
    expect(json.client_id).toBe(USER);
  });

  it.each<[string, string, Record<string, string>, string]>([
    ['without the Metadata header', QUERY, {}, 'Required metadata header not specified'],
    ['without api-version', 'resource=https://vault.localhost', { Metadata: 'true' }, "'api-version' is missing"],
    ['without a resource', 'api-version=2018-02-01', { Metadata: 'true' }, "'resource' is missing"],
    ['for an unknown identity', `${QUERY}&client_id=${TENANT}`, { Metadata: 'true' }, 'Identity not found'],
    [
      'for an unknown resource',
      'api-version=2018-02-01&resource=https://x.example',
      { Metadata: 'true' },
      'AADSTS500011',
    ],
    ['that was forwarded', QUERY, { Metadata: 'true', 'X-Forwarded-For': '10.0.0.1' }, 'x-forwarded-for'],
  ])('refuses a request %s', async (_, query, headers, description) => {
    const { status, json } = await imds(query, headers);
    expect(status).toBe(400);
    expect(json.error_description).toContain(description);
  });

  it('asks for a client id when there are several identities and none of the system', async () => {
    const two = `
      - {name: one, clientId: "${NODE}", managed: {}}
      - {name: two, clientId: "${USER}", managed: {}}`;
    const other = await openLab(seedWith('', two));
    try {
      const response = await fetch(`${other.emulator.imdsUrl}${IMDS}?${QUERY}`, { headers: { Metadata: 'true' } });
      expect(await response.text()).toContain('Multiple user assigned identities exist');
    } finally {
      await other.close();
    }
  });

  it('answers as pod identity: the token of the identity assigned to a pod', async () => {
    const nmi = (headers: Record<string, string>, query = 'resource=https%3A%2F%2Fvault.localhost') =>
      fetch(`${lab.emulator.imdsUrl}/host/token/?${query}`, { headers });
    const answer = await nmi({ podname: 'web-1', podns: 'shop' });
    const { token, clientid } = (await answer.json()) as {
      token: { access_token: string; expires_on: string };
      clientid: string;
    };
    expect(clientid).toBe(USER);
    expect(Number(token.expires_on)).toBeGreaterThan(Date.now() / 1000);
    expect((await vaultGet(lab, '/secrets/s?api-version=7.4', token.access_token)).json.value).toBe('v');
    const unassigned = await nmi({ podname: 'web-2', podns: 'shop' });
    expect([unassigned.status, await unassigned.text()]).toEqual([
      404,
      'no azure assigned identity found for pod:shop/web-2\n',
    ]);
    expect((await nmi({ podname: 'web-1' })).status).toBe(400);
    expect((await nmi({ podname: 'web-1', podns: 'shop' }, '')).status).toBe(400);
    expect((await nmi({ podname: 'web-1', podns: 'shop' }, 'resource=https://x.example')).status).toBe(403);
    expect(lab.emulator.requests.filter(({ kind }) => kind === 'nmi')).toHaveLength(5);
  });

  it('accepts two slashes between host and path, as an SDK joins them', async () => {
    for (const path of [`/${IMDS}`, '//metadata//identity/oauth2/token/']) {
      const { status, json } = await imds(QUERY, { Metadata: 'true' }, path);
      expect([status, json.client_id]).toEqual([200, NODE]);
    }
  });

  it('answers as App Service does, only to callers that send its header', async () => {
    const { identityEndpoint, identityHeader } = lab.emulator;
    const ask = async (headers: Record<string, string>, query = QUERY) => {
      const response = await fetch(`${identityEndpoint}?${query}`, { headers });
      return [response.status, ((await response.json()) as { client_id?: string }).client_id];
    };
    expect(await ask({ 'X-IDENTITY-HEADER': identityHeader })).toEqual([200, NODE]);
    expect(await ask({ 'X-IDENTITY-HEADER': identityHeader }, `${QUERY}&client_id=${USER}`)).toEqual([200, USER]);
    expect(await ask({ 'X-IDENTITY-HEADER': 'another' })).toEqual([401, undefined]);
    expect(await ask({ Metadata: 'true' })).toEqual([401, undefined]);
  });

  it('has nothing else', async () => {
    expect((await imds('', {}, '/metadata/instance')).status).toBe(404);
    const posted = await fetch(`${lab.emulator.imdsUrl}${IMDS}?${QUERY}`, {
      method: 'POST',
      headers: { Metadata: 'true' },
    });
    expect(posted.status).toBe(405);
  });
});
