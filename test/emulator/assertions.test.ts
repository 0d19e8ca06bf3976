import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientAssertionCredential, ClientCertificateCredential } from '@azure/identity';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT, identityOptions, type Lab, raw, requestToken, TENANT } from '../support/emulator.ts';
import { app, CERTIFICATE_APP, cluster, jwt, openEntraLab, START, WORKLOAD } from '../support/emulator-entra.ts';

describe('assertions at the authority of the emulator', () => {
  let entra: Awaited<ReturnType<typeof openEntraLab>>;
  let lab: Lab;
  beforeAll(async () => {
    entra = await openEntraLab();
    lab = entra.lab;
  });
  afterAll(() => lab.close());

  it.each<[string, () => string]>([
    ["the emulator's own service account token", () => entra.ownToken()],
    [
      'a token signed by a key of the JWKS',
      () => jwt(entra.clusterClaims(), cluster.privateKey, { kid: 'cluster-key' }),
    ],
    [
      'a token of any signature where the seed says so',
      () => jwt(entra.clusterClaims({ iss: 'https://anything.example' }), app.privateKey),
    ],
    [
      'a token for the AKS identity binding audience',
      () => entra.ownToken({ subject: 'system:serviceaccount:shop:bound', audience: 'api://AKSIdentityBinding' }),
    ],
  ])('takes %s for a federated identity', async (_, assertion) => {
    expect((await requestToken(lab, entra.assertionForm(assertion()))).status).toBe(200);
  });

  it.each<[string, number, () => string]>([
    ['of another subject', 700213, () => entra.ownToken({ subject: 'system:serviceaccount:shop:other' })],
    ['of another issuer', 700211, () => entra.ownToken({ issuer: 'https://elsewhere.example' })],
    ['for another audience', 700212, () => entra.ownToken({ audience: 'api://elsewhere' })],
    ['that has expired', 700024, () => entra.ownToken({ expiresInSeconds: -600 })],
    [
      'of the future',
      700024,
      () => jwt(entra.clusterClaims({ nbf: START / 1000 + 3600 }), cluster.privateKey, { kid: 'cluster-key' }),
    ],
    [
      'without expiry',
      700024,
      () => jwt(entra.clusterClaims({ exp: undefined }), cluster.privateKey, { kid: 'cluster-key' }),
    ],
    ['signed by another key', 50013, () => jwt(entra.clusterClaims(), app.privateKey, { kid: 'cluster-key' })],
    ['with an unknown key id', 50013, () => jwt(entra.clusterClaims(), cluster.privateKey, { kid: 'other' })],
    [
      'that says it is not signed',
      50013,
      () => jwt(entra.clusterClaims(), cluster.privateKey, { kid: 'cluster-key', alg: 'none' }),
    ],
  ])('refuses a federated token %s', async (_, code, assertion) => {
    const answer = await requestToken(lab, entra.assertionForm(assertion()));
    expect(answer).toMatchObject({ status: 401, json: { error: 'invalid_client', error_codes: [code] } });
  });

  it('refuses a federated token for a client without federation', async () => {
    expect((await requestToken(lab, entra.assertionForm(entra.ownToken(), CLIENT))).json.error_codes).toEqual([70021]);
  });

  it.each<[string, number | undefined, object, object]>([
    ['with the SHA-1 thumbprint', undefined, {}, {}],
    ['with the SHA-256 thumbprint', undefined, {}, { 'x5t#S256': 'sha256' }],
    ['meant for somebody else', 700023, { aud: 'https://elsewhere.example/token' }, {}],
    ['that has expired', 700024, { exp: START / 1000 - 600 }, {}],
    ['of an unknown certificate', 700027, {}, { x5t: 'AAAA' }],
  ])('checks the assertion of a registered certificate: one %s', async (_, code, claims, header) => {
    const der = Buffer.from(entra.certificatePem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const thumbprint = (hash: string) => createHash(hash).update(der).digest('base64url');
    const wanted = 'x5t#S256' in header ? { 'x5t#S256': thumbprint('sha256') } : { x5t: thumbprint('sha1'), ...header };
    const aud = `${lab.emulator.authorityHost}${TENANT}/oauth2/v2.0/token`;
    const assertion = jwt(
      { iss: CERTIFICATE_APP, sub: CERTIFICATE_APP, aud, exp: START / 1000 + 600, jti: '1', ...claims },
      app.privateKey,
      wanted,
    );
    const answer = await requestToken(lab, entra.assertionForm(assertion, CERTIFICATE_APP));
    expect(answer.json.error_codes?.[0]).toBe(code);
    expect(answer.status).toBe(code === undefined ? 200 : 401);
  });

  it('works with the stock ClientAssertionCredential', async () => {
    const credential = new ClientAssertionCredential(
      TENANT,
      WORKLOAD,
      async () => entra.ownToken(),
      identityOptions(lab),
    );
    expect((await entra.read(credential)).value).toBe('v');
    const misfit = new ClientAssertionCredential(
      TENANT,
      WORKLOAD,
      async () => entra.ownToken({ subject: 'x' }),
      identityOptions(lab),
    );
    await expect(entra.read(misfit)).rejects.toThrow('AADSTS700213');
  });

  it('works with the stock ClientCertificateCredential', async () => {
    entra.clock.ms = Date.now();
    const folder = mkdtempSync(join(tmpdir(), 'emulator-'));
    try {
      const file = join(folder, 'app.pem');
      writeFileSync(file, `${app.privateKey.export({ type: 'pkcs8', format: 'pem' })}${entra.certificatePem}`);
      const credential = new ClientCertificateCredential(TENANT, CERTIFICATE_APP, file, identityOptions(lab));
      expect((await entra.read(credential)).value).toBe('v');
    } finally {
      rmSync(folder, { recursive: true });
      entra.clock.ms = START;
    }
  });

  it('answers below a path prefix and under any host name, as a token proxy does', async () => {
    const answer = await raw(lab, `https://localhost:${lab.emulator.port}/proxy/${TENANT}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams(entra.assertionForm(entra.ownToken())).toString(),
    });
    expect(answer.status).toBe(200);
  });
});
