/**
 * An emulator with clients of every kind, for tests of its Entra ID.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { SecretClient } from '@azure/keyvault-secrets';
import { issueCertificate, NO_NAMES } from '../../src/emulator/world/issue.ts';
import { CLIENT, CLIENT_SECRET, OTHER_TENANT, openLab, sdkOptions, seedWith, VAULT } from './emulator.ts';
import { sharedKey } from './pki.ts';

export const WORKLOAD = '33333333-3333-3333-3333-333333333333';
export const CERTIFICATE_APP = '44444444-4444-4444-4444-444444444444';
export const EXPIRED_APP = '55555555-5555-5555-5555-555555555555';
export const ADFS_APP = '66666666-6666-6666-6666-666666666666';
export const SUBJECT = 'system:serviceaccount:shop:web';
export const AUDIENCE = 'api://AzureADTokenExchange';
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
export const START = Date.UTC(2030, 0, 1);

export const cluster = pairOf('the cluster');
export const app = pairOf('the app');

function pairOf(name: string) {
  const privateKey = sharedKey('rsa-2048', name);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** Returns a JWT in compact form, signed with RS256. */
export function jwt(claims: object, key: KeyObject, header: object = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT', ...header })}.${part(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

/**
 * Starts an emulator with clients of every kind, and returns it with the forms that they send. Its time is `clock.ms`.
 */
export async function openEntraLab() {
  const clock = { ms: START };
  const certificate = await issueCertificate({
    subject: 'CN=app',
    key: app.privateKey,
    notBefore: START,
    notAfter: START + 1e9,
    authority: false,
    names: NO_NAMES,
    ekus: [],
  });
  const certificatePem = String(certificate);
  const jwk = { ...cluster.publicKey.export({ format: 'jwk' }), kid: 'cluster-key' };
  const identities = `
      - name: workload
        clientId: "${WORKLOAD}"
        federated:
          - {subject: "${SUBJECT}"}
          - {subject: "system:serviceaccount:shop:bound", audience: api://AKSIdentityBinding}
          - {subject: "${SUBJECT}", issuer: "https://cluster.example/", jwks: {keys: [${JSON.stringify(jwk)}]}}
          - {subject: "${SUBJECT}", issuer: "https://anything.example", signature: any}
      - name: with-certificate
        clientId: "${CERTIFICATE_APP}"
        certificates: [${JSON.stringify(certificatePem)}]
      - name: expired
        clientId: "${EXPIRED_APP}"
        secrets: [{value: old-secret, expires: -1d}, {value: good-secret, expires: +1d}]
  - id: "${OTHER_TENANT}"
  - id: adfs
    identities: [{name: adfs-app, clientId: "${ADFS_APP}", secrets: [{value: adfs-secret}]}]`;
  const vaults = `
      - {identity: workload, secrets: [get]}
      - {identity: with-certificate, secrets: [get]}
    secrets: [{name: s, value: v}]
  - name: adfs-vault
    tenant: adfs
    grants: [{identity: adfs-app, secrets: [get]}]
    secrets: [{name: s, value: from-adfs}]`;
  const lab = await openLab(seedWith(vaults, identities), { clock: { wall: () => clock.ms } });
  const scope = () => `https://vault.localhost:${lab.emulator.port}/.default`;
  const secretForm = () => ({
    grant_type: 'client_credentials',
    client_id: CLIENT,
    client_secret: CLIENT_SECRET,
    scope: scope(),
  });
  const assertionForm = (assertion: string, client = WORKLOAD) => ({
    grant_type: 'client_credentials',
    client_id: client,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
    scope: scope(),
  });
  const ownToken = (change: object = {}) =>
    lab.emulator.issueServiceAccountToken({ subject: SUBJECT, audience: AUDIENCE, ...change });
  const clusterClaims = (change: object = {}) => {
    const seconds = clock.ms / 1000;
    return {
      iss: 'https://cluster.example',
      sub: SUBJECT,
      aud: [AUDIENCE],
      iat: seconds,
      exp: seconds + 600,
      ...change,
    };
  };
  const read = (credential: ConstructorParameters<typeof SecretClient>[1], vault = VAULT) =>
    new SecretClient(lab.emulator.vaultUrl(vault), credential, sdkOptions(lab.agent)).getSecret('s');
  return { lab, clock, certificatePem, scope, secretForm, assertionForm, ownToken, clusterClaims, read };
}
