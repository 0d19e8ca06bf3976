import { constants, createHmac, type KeyObject, sign } from 'node:crypto';
import type { PodTokenIdentity } from '../../src/azure/login/pod-token.ts';
import { Secret } from '../../src/base/secret.ts';
import { publicPartOf } from '../../src/emulator/world/key-material.ts';
import { WORKLOAD_IDENTITY_AUDIENCE } from '../../src/spc/tokens.ts';
import { SUBJECT, TENANT, WORKLOAD } from './azure.ts';

/** How a test signs a token; what is left out is as a cluster makes it. */
export interface TokenParts {
  readonly key: KeyObject;
  readonly header?: object;
  readonly claims?: object;
  /** In place of the JSON of header and claims. */
  readonly headerText?: string;
  readonly claimsText?: string | Buffer;
}

/** Claims of a cluster's token of {@link SUBJECT}, at a time in milliseconds since 1970. */
export function podClaims(issuer: string, now: number): Readonly<Record<string, unknown>> {
  const seconds = Math.floor(now / 1000);
  const kubernetes = { namespace: 'default', pod: { name: 'app-0', uid: 'u-1' }, serviceaccount: { name: 'app' } };
  return {
    aud: [WORKLOAD_IDENTITY_AUDIENCE],
    exp: seconds + 3600,
    iat: seconds,
    nbf: seconds,
    iss: issuer,
    sub: SUBJECT,
    'kubernetes.io': kubernetes,
  };
}

/** A token in compact form, signed by the algorithm that its header names, if that is known. */
export function podToken({ key, header = {}, claims = {}, headerText, claimsText }: TokenParts): string {
  const fields = { alg: 'RS256', kid: 'key-1', ...header };
  const part = (text: string | Buffer) => Buffer.from(text).toString('base64url');
  const signed = `${part(headerText ?? JSON.stringify(fields))}.${part(claimsText ?? JSON.stringify(claims))}`;
  return `${signed}.${signatureOf(signed, String(fields.alg), key).toString('base64url')}`;
}

function signatureOf(text: string, alg: string, key: KeyObject): Buffer {
  const data = Buffer.from(text);
  const hash = `sha${alg.slice(2)}`;
  if (alg === 'none') return Buffer.alloc(0);
  // The attack: the public key, which everybody knows, as the shared secret.
  if (alg.startsWith('HS')) return createHmac(hash, publicPem(key)).update(data).digest();
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return sign(hash, data, { key, dsaEncoding: 'ieee-p1363', ...(alg.startsWith('PS') ? pss : {}) });
}

function publicPem(key: KeyObject): string {
  return String(publicPartOf(key).export({ type: 'spki', format: 'pem' }));
}

/** The public part of a key as a member of a key set. */
export function publicJwkOf(key: KeyObject, kid: string, more: object = {}): Record<string, unknown> {
  return { ...publicPartOf(key).export({ format: 'jwk' }), kid, use: 'sig', ...more };
}

/** A workload identity with a token. */
export function podIdentity(token: string): PodTokenIdentity {
  return { kind: 'workload-identity', tenantId: TENANT, clientId: WORKLOAD, token: new Secret(token) };
}
