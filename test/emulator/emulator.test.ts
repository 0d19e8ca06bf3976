import https from 'node:https';
import { connect } from 'node:tls';
import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import {
  CLIENT,
  CLIENT_SECRET,
  identityOptions,
  type Lab,
  openLab,
  raw,
  sdkOptions,
  seedWith,
  TENANT,
  VAULT,
  vaultToken,
} from '../support/emulator.ts';
import { rounds } from '../support/rounds.ts';

const SEED = seedWith('    secrets: [{name: s, value: hush-hush}]');

describe('the emulator', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED, { hosts: ['*.vault.azure.net', 'login.microsoftonline.com', 'proxy.example'] });
  });
  afterAll(() => lab.close());

  it('reports its addresses', () => {
    const { emulator } = lab;
    expect(emulator.authorityHost).toBe(`https://login.localhost:${emulator.port}/`);
    expect(emulator.vaultUrl('abc')).toBe(`https://abc.vault.localhost:${emulator.port}`);
    expect(emulator.imdsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(emulator.hostsLines()).toEqual([
      '127.0.0.1 login.localhost',
      '127.0.0.1 test-vault.vault.localhost',
      '127.0.0.1 test-vault.vault.azure.net',
      '127.0.0.1 login.microsoftonline.com',
      '127.0.0.1 proxy.example',
    ]);
    expect(JSON.parse(emulator.cloudFile)).toEqual({
      name: 'AzureStackCloud',
      activeDirectoryEndpoint: `https://login.localhost:${emulator.port}/`,
      keyVaultEndpoint: `https://vault.localhost:${emulator.port}/`,
      keyVaultDNSSuffix: `vault.localhost:${emulator.port}`,
    });
  });

  it.each([
    'login.localhost',
    'test-vault.vault.localhost',
    'any.vault.localhost',
    'any.vault.azure.net',
    'login.microsoftonline.com',
    'proxy.example',
    'localhost',
    '127.0.0.1',
  ])('has a certificate for %s that its root vouches for', async (host) => {
    const socket = connect({
      host: '127.0.0.1',
      port: lab.emulator.port,
      ca: lab.emulator.caPem,
      ...(host === '127.0.0.1' ? {} : { servername: host }),
    });
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });

  it('is not trusted without its root', async () => {
    const agent = new https.Agent();
    await expect(raw({ agent }, `https://localhost:${lab.emulator.port}/`)).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO/),
    });
  });

  it('answers as a public vault if its name is mapped to the emulator', async () => {
    const { port } = lab.emulator;
    const authorityHost = `https://login.microsoftonline.com:${port}`;
    const credential = new ClientSecretCredential(TENANT, CLIENT, CLIENT_SECRET, {
      ...identityOptions(lab),
      authorityHost,
    });
    const client = new SecretClient(`https://${VAULT}.vault.azure.net:${port}`, credential, sdkOptions(lab.agent));
    const secret = await client.getSecret('s');
    expect(secret.properties.id).toContain(`https://${VAULT}.vault.azure.net:${port}/secrets/s/`);
    const challenge = await raw(lab, `https://${VAULT}.vault.azure.net:${port}/secrets/s?api-version=7.4`);
    expect(challenge.headers['www-authenticate']).toBe(
      `Bearer authorization="https://login.microsoftonline.com:${port}/${TENANT}", resource="https://vault.azure.net:${port}"`,
    );
  });

  it('names its vaults when another one is requested', async () => {
    const answer = await raw(lab, `${lab.emulator.vaultUrl('other')}/secrets/s?api-version=7.4`);
    expect(answer).toMatchObject({ status: 404, json: { error: { code: 'VaultNotFound' } } });
    expect(answer.json.error.message).toContain('no vault "other" here (known: test-vault)');
  });

  it('keeps a log of requests, with identity and connection, without secrets or tokens', async () => {
    lab.emulator.requests.clear();
    const token = await vaultToken(lab);
    await raw(lab, `${lab.emulator.vaultUrl(VAULT)}/secrets/s?api-version=7.4`);
    await raw(lab, `${lab.emulator.vaultUrl(VAULT)}/secrets/s?api-version=7.4`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(lab.emulator.requests).toHaveLength(3);
    expect(lab.emulator.requests).toMatchObject([
      {
        kind: 'entra',
        method: 'POST',
        path: `/${TENANT}/oauth2/v2.0/token`,
        status: 200,
        identity: 'app',
        authenticated: true,
      },
      { kind: 'vault', method: 'GET', path: '/secrets/s', query: 'api-version=7.4', status: 401, authenticated: false },
      {
        kind: 'vault',
        host: `${VAULT}.vault.localhost:${lab.emulator.port}`,
        status: 200,
        identity: 'app',
        authenticated: true,
      },
    ]);
    const [, first, second] = lab.emulator.requests;
    expect(second?.tlsSocketId).toBe(first?.tlsSocketId);
    expect(JSON.stringify(lab.emulator.requests)).not.toMatch(new RegExp(`${CLIENT_SECRET}|hush-hush|eyJ`));
  });

  it('prints no secrets with its state', async () => {
    expect(`${JSON.stringify(lab.emulator.currentSecret(VAULT, 's'))}`).toContain('[redacted]');
  });

  it('answers every request, however odd', async () => {
    const token = await vaultToken(lab);
    const part = fc.oneof(
      fc.constantFrom(
        'secrets',
        'keys',
        'certificates',
        'deletedsecrets',
        's',
        'versions',
        'create',
        'import',
        'policy',
        'pending',
        '',
        '%',
        '%00',
      ),
      fc.webSegment(),
    );
    const methods = fc.constantFrom('GET', 'PUT', 'POST', 'PATCH', 'DELETE');
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.constant(''),
      fc.constant('{"value":null,"key":{"kty":"EC"},"policy":[]}'),
    );
    await fc.assert(
      fc.asyncProperty(methods, fc.array(part, { maxLength: 4 }), body, async (method, path, text) => {
        const url = `${lab.emulator.vaultUrl(VAULT)}/${path.join('/')}?api-version=7.4`;
        const answer = await raw(lab, url, {
          method,
          headers: { authorization: `Bearer ${token}` },
          ...(method === 'GET' || method === 'DELETE' ? {} : { body: text }),
        });
        expect(answer.status).toBeLessThan(502);
        expect(answer.status).not.toBe(500);
        if (answer.status >= 400) expect(answer.json.error.code).toEqual(expect.any(String));
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('refuses a body above the size limit', async () => {
    const url = `${lab.emulator.authorityHost}${TENANT}/oauth2/v2.0/token`;
    expect((await raw(lab, url, { method: 'POST', body: 'x'.repeat(5 * 1024 * 1024) })).status).toBe(413);
  });

  it('reports that its port is in use, and leaves no listener open', async () => {
    await expect(startEmulator({ seed: SEED, port: lab.emulator.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const imdsPort = Number(new URL(lab.emulator.imdsUrl).port);
    await expect(startEmulator({ seed: SEED, imdsPort })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('delays responses by the latency', async () => {
    // The odd requests may have deleted any other secret.
    lab.emulator.setSecret(VAULT, 'of-no-hurry', 'hush-hush');
    lab.emulator.setLatency({ vaultMs: 2, entraMs: 1 });
    const client = new SecretClient(lab.emulator.vaultUrl(VAULT), lab.credential, sdkOptions(lab.agent));
    expect((await client.getSecret('of-no-hurry')).value).toBe('hush-hush');
  });
});
