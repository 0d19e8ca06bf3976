import { createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeJwt, isSignedBy } from '../../src/emulator/world/jwt.ts';
import { type Lab, openLab, raw, requestToken, seedWith } from '../support/emulator.ts';
import { ASSERTION_TYPE, AUDIENCE, SUBJECT, WORKLOAD } from '../support/emulator-entra.ts';

const IDENTITIES = `
      - name: workload
        clientId: "${WORKLOAD}"
        federated: [{subject: "${SUBJECT}"}]`;

describe("the issuer of the emulator's cluster", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(seedWith('', IDENTITIES));
  });
  afterAll(() => lab.close());

  const token = () => lab.emulator.issueServiceAccountToken({ subject: SUBJECT, audience: AUDIENCE });
  const documents = async () => {
    const { serviceAccountIssuer: issuer } = lab.emulator;
    const configuration = (await raw(lab, `${issuer}/.well-known/openid-configuration`)).json;
    return { configuration, keys: JSON.parse((await raw(lab, configuration.jwks_uri)).text).keys };
  };
  const login = async (assertion: string) =>
    (
      await requestToken(lab, {
        grant_type: 'client_credentials',
        client_id: WORKLOAD,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
        scope: `https://vault.localhost:${lab.emulator.port}/.default`,
      })
    ).status;

  it('publishes the key that signs its tokens, under the issuer that they name', async () => {
    const { configuration, keys } = await documents();
    const decoded = decodeJwt(token());
    expect(configuration.issuer).toBe(lab.emulator.serviceAccountIssuer);
    expect(decoded?.claims.iss).toBe(configuration.issuer);
    expect(keys.map(({ kid }: { kid: string }) => kid)).toEqual([decoded?.header.kid]);
    if (decoded === undefined) throw new Error('no token');
    expect(isSignedBy(decoded, createPublicKey({ key: keys[0], format: 'jwk' }))).toBe(true);
    expect(keys[0]).not.toHaveProperty('d');
  });

  it('signs with a new key after a rotation, and accepts what the earlier one signed until it is dropped', async () => {
    const before = token();
    const kid = await lab.emulator.rotateServiceAccountKey({ type: 'rsa' });
    const between = token();
    expect(decodeJwt(between)?.header).toMatchObject({ kid, alg: 'RS256' });
    expect((await documents()).keys).toHaveLength(2);
    expect([await login(before), await login(between)]).toEqual([200, 200]);
    await lab.emulator.rotateServiceAccountKey({ keepOld: false });
    expect((await documents()).keys).toHaveLength(1);
    expect([await login(before), await login(between), await login(token())]).toEqual([401, 401, 200]);
  });

  it('has no other paths, and accepts no POST', async () => {
    const { serviceAccountIssuer: issuer } = lab.emulator;
    expect((await raw(lab, `${issuer}/keys`)).status).toBe(404);
    expect((await raw(lab, `${issuer}/openid/v1/jwks`, { method: 'POST' })).status).toBe(405);
  });

  it('is at the path that the seed names', async () => {
    const other = await openLab(
      seedWith('').replace(/^tenants:/m, 'serviceAccountIssuer: https://oidc.localhost/clusters/a/\n$&'),
    );
    try {
      const issuer = `https://oidc.localhost:${other.emulator.port}/clusters/a/`;
      expect(other.emulator.serviceAccountIssuer).toBe(issuer);
      const { status, json } = await raw(other, `${issuer}.well-known/openid-configuration`);
      expect([status, json.issuer, json.jwks_uri]).toEqual([200, issuer, `${issuer}openid/v1/jwks`]);
    } finally {
      await other.close();
    }
  });
});
