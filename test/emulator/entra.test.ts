import { ClientSecretCredential } from '@azure/identity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLIENT,
  CLIENT_SECRET,
  identityOptions,
  type Lab,
  OTHER_TENANT,
  raw,
  requestToken,
  TENANT,
} from '../support/emulator.ts';
import { ADFS_APP, ASSERTION_TYPE, EXPIRED_APP, openEntraLab, START } from '../support/emulator-entra.ts';

describe('the authority of the emulator', () => {
  let entra: Awaited<ReturnType<typeof openEntraLab>>;
  let lab: Lab;
  beforeAll(async () => {
    entra = await openEntraLab();
    lab = entra.lab;
  });
  afterAll(() => lab.close());

  it('issues a signed token with the claims of Entra ID to a client with a secret', async () => {
    const { status, json } = await requestToken(lab, entra.secretForm());
    expect(status).toBe(200);
    expect(json).toMatchObject({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599 });
    const [header, claims] = json.access_token
      .split('.')
      .slice(0, 2)
      .map((part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    expect(claims).toMatchObject({
      aud: `https://vault.localhost:${lab.emulator.port}`,
      iss: `https://sts.windows.net/${TENANT}/`,
      tid: TENANT,
      appid: CLIENT,
      oid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      exp: START / 1000 + 3599,
    });
    const keys = await raw(lab, `${lab.emulator.authorityHost}${TENANT}/discovery/v2.0/keys`);
    expect(keys.json.keys).toEqual([expect.objectContaining({ kid: header.kid, kty: 'RSA', use: 'sig' })]);
    expect(keys.json.keys[0].d).toBeUndefined();
  });

  it('takes the client from a Basic header, the tenant by its name, and the v1 endpoint', async () => {
    const { grant_type, scope: wanted } = entra.secretForm();
    const basic = Buffer.from(`${CLIENT}:${CLIENT_SECRET}`).toString('base64');
    const byHeader = await raw(lab, `${lab.emulator.authorityHost}contoso.onmicrosoft.com/oauth2/v2.0/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type, scope: wanted }).toString(),
    });
    expect(byHeader.status).toBe(200);
    const v1 = await raw(lab, `${lab.emulator.authorityHost}${TENANT}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({ ...entra.secretForm(), resource: 'https://vault.azure.net' }).toString(),
    });
    expect(v1.json).toMatchObject({
      expires_in: '3599',
      expires_on: String(START / 1000 + 3599),
      resource: 'https://vault.azure.net',
    });
  });

  it.each<[string, Record<string, string | undefined>, number, number, string?]>([
    ['an unknown tenant', {}, 400, 90002, '12345678-0000-0000-0000-000000000000'],
    ['an unknown client', { client_id: OTHER_TENANT }, 400, 700016],
    ["another tenant's client", {}, 400, 700016, OTHER_TENANT],
    ['a wrong secret', { client_secret: 'wrong' }, 401, 7000215],
    ['an expired secret', { client_id: EXPIRED_APP, client_secret: 'old-secret' }, 401, 7000222],
    ['no secret and no assertion', { client_secret: undefined }, 401, 7000218],
    ['no client', { client_id: undefined }, 400, 900144],
    ['no grant type', { grant_type: undefined }, 400, 900144],
    ['no scope', { scope: undefined }, 400, 900144],
    ['another grant type', { grant_type: 'password' }, 400, 70003],
    ['a scope without .default', { scope: 'https://vault.azure.net/read' }, 400, 1002012],
    ['an unknown resource', { scope: 'https://nowhere.example/.default' }, 400, 500011],
    ['an assertion without its type', { client_assertion: 'x.y.z' }, 400, 900144],
    ['an assertion that is no JWT', { client_assertion: 'garbage', client_assertion_type: ASSERTION_TYPE }, 401, 50027],
  ])('refuses %s in the words of the real one', async (_, change, status, code, tenant = TENANT) => {
    const form = Object.entries({ ...entra.secretForm(), ...change }).flatMap(([k, v]) =>
      v === undefined ? [] : [[k, v]],
    );
    const answer = await requestToken(lab, Object.fromEntries(form), tenant);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({
      error: expect.any(String),
      error_codes: [code],
      error_description: expect.stringMatching(
        new RegExp(`^AADSTS${code}: .* Trace ID: .* Correlation ID: .* Timestamp: \\S+ \\S+Z$`),
      ),
      timestamp: '2030-01-01 00:00:00Z',
      trace_id: expect.any(String),
      correlation_id: expect.any(String),
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    });
    expect(answer.text).not.toContain(CLIENT_SECRET);
  });

  it('accepts a second secret that has not expired', async () => {
    expect(
      (await requestToken(lab, { ...entra.secretForm(), client_id: EXPIRED_APP, client_secret: 'good-secret' })).status,
    ).toBe(200);
  });

  it('works with the stock ClientSecretCredential, whose errors carry the code', async () => {
    expect((await entra.read(lab.credential)).value).toBe('v');
    const wrong = new ClientSecretCredential(TENANT, CLIENT, 'wrong', identityOptions(lab));
    await expect(entra.read(wrong)).rejects.toThrow('AADSTS7000215');
    const nobody = new ClientSecretCredential(TENANT, OTHER_TENANT, 'wrong', identityOptions(lab));
    await expect(entra.read(nobody)).rejects.toThrow('AADSTS700016');
  });

  it('works as AD FS', async () => {
    const credential = new ClientSecretCredential('adfs', ADFS_APP, 'adfs-secret', identityOptions(lab));
    expect((await entra.read(credential, 'adfs-vault')).value).toBe('from-adfs');
    const metadata = await raw(lab, `${lab.emulator.authorityHost}adfs/.well-known/openid-configuration`);
    expect(metadata.json.token_endpoint).toBe(`${lab.emulator.authorityHost}adfs/oauth2/token`);
  });

  it('follows a changed secret and token lifetime', async () => {
    lab.emulator.changeClientSecret(TENANT, 'app', 'second-client-secret');
    expect((await requestToken(lab, entra.secretForm())).json.error_codes).toEqual([7000215]);
    lab.emulator.setTokenLifetime(TENANT, 86_400);
    const { json } = await requestToken(lab, { ...entra.secretForm(), client_secret: 'second-client-secret' });
    expect(json).toMatchObject({ expires_in: 86_400, refresh_in: 43_200 });
    lab.emulator.changeClientSecret(TENANT, 'app', CLIENT_SECRET);
    lab.emulator.setTokenLifetime(TENANT, 3599);
  });

  it('answers openid-configuration of both versions and instance discovery', async () => {
    const base = `${lab.emulator.authorityHost}${TENANT}`;
    const v2 = await raw(lab, `${base}/v2.0/.well-known/openid-configuration`);
    expect(v2.json).toMatchObject({
      issuer: `${base}/v2.0`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
    });
    const v1 = await raw(lab, `${base}/.well-known/openid-configuration`);
    expect(v1.json).toMatchObject({ issuer: base, token_endpoint: `${base}/oauth2/token` });
    const discovery = `${lab.emulator.authorityHost}common/discovery/instance?api-version=1.1&authorization_endpoint=`;
    const own = await raw(lab, `${discovery}${encodeURIComponent(`${base}/oauth2/v2.0/authorize`)}`);
    expect(own.json.tenant_discovery_endpoint).toBe(`${base}/v2.0/.well-known/openid-configuration`);
    expect(own.json.metadata[0].aliases).toContain(`login.localhost:${lab.emulator.port}`);
    expect((await raw(lab, `${discovery}https://evil.example/`)).json.error_codes).toEqual([50049]);
    const unknown = await raw(lab, `${lab.emulator.authorityHost}nowhere/v2.0/.well-known/openid-configuration`);
    expect(unknown).toMatchObject({ status: 400, json: { error: 'invalid_tenant', error_codes: [90002] } });
  });

  it('has no other paths, and accepts only POST for tokens', async () => {
    expect((await raw(lab, `${lab.emulator.authorityHost}nothing`)).status).toBe(404);
    expect((await raw(lab, `${lab.emulator.authorityHost}%zz`)).status).toBe(404);
    expect((await raw(lab, `${lab.emulator.authorityHost}${TENANT}/oauth2/v2.0/token`)).status).toBe(405);
  });
});
