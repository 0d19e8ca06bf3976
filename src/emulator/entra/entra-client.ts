/**
 * Checks the credentials of a token request: secret, certificate or federated token. Entra calls it.
 */

import type { X509Certificate } from 'node:crypto';
import { createHash, timingSafeEqual } from 'node:crypto';
import { publicKeyOf } from '../../pki/public-key.ts';
import { audiences, type DecodedJwt, decodeJwt, isSignedBy, textClaim, timeClaim } from '../world/jwt.ts';
import {
  type AssertionKey,
  type EmulatedIdentity,
  type FederatedCredential,
  nowSeconds,
  type Tenant,
  type World,
} from '../world/model.ts';
import type { EntraRefuse } from './entra-errors.ts';

/** A client whose credentials were accepted. `method` as in {@link issueToken}. */
export interface ProvenClient {
  readonly identity: EmulatedIdentity;
  readonly method: '1' | '2';
}

/** The fields of a token request that identify its client. */
export interface ClientClaim {
  readonly clientId: string | undefined;
  readonly secret: string | undefined;
  readonly assertion: string | undefined;
  readonly assertionType: string | undefined;
  /** Returns true if the assertion of a certificate may have this audience. */
  readonly isOwnEndpoint: (audience: string) => boolean;
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const CLOCK_SKEW_SECONDS = 300;

/** Checks the secret, federated token or certificate of a client. Throws the refusals of Entra. */
export function proveClient(
  world: World,
  tenant: Tenant,
  request: { claim: ClientClaim; refuse: EntraRefuse },
): ProvenClient {
  const { claim, refuse } = request;
  if (!claim.clientId) throw refuse('missingParameter', 'client_id');
  const wanted = claim.clientId.toLowerCase();
  const identity = tenant.identities.find(({ clientId }) => clientId === wanted);
  if (identity === undefined) throw refuse('unknownClient', claim.clientId, tenant.names[0] ?? tenant.id);
  if (claim.assertion) {
    if (claim.assertionType !== ASSERTION_TYPE) throw refuse('missingParameter', 'client_assertion_type');
    checkAssertion(world, identity, { ...request, assertion: claim.assertion });
    return { identity, method: '2' };
  }
  if (!claim.secret) throw refuse('missingCredential');
  checkSecret(world, identity, { refuse, secret: claim.secret });
  return { identity, method: '1' };
}

function checkSecret(world: World, identity: EmulatedIdentity, given: { refuse: EntraRefuse; secret: string }): void {
  const known = identity.secrets.find(({ value }) => sameText(value.reveal(), given.secret));
  if (known === undefined) throw given.refuse('badSecret', identity.clientId);
  if (known.expires !== undefined && known.expires <= nowSeconds(world))
    throw given.refuse('expiredSecret', identity.clientId);
}

function checkAssertion(
  world: World,
  identity: EmulatedIdentity,
  request: { claim: ClientClaim; refuse: EntraRefuse; assertion: string },
): void {
  const { refuse } = request;
  const token = decodeJwt(request.assertion);
  if (token === undefined) throw refuse('malformedAssertion');
  if (textClaim(token, 'iss')?.toLowerCase() === identity.clientId) {
    checkCertificateAssertion(token, identity, request);
  } else {
    checkFederated(token, identity, { refuse, world });
  }
  checkTimes(world, token, refuse);
}

function checkCertificateAssertion(
  token: DecodedJwt,
  identity: EmulatedIdentity,
  { claim, refuse }: { claim: ClientClaim; refuse: EntraRefuse },
): void {
  const certificate = identity.certificates.find((candidate) => isNamedBy(token, candidate));
  if (certificate === undefined || !isSignedBy(token, publicKeyOf(certificate))) {
    throw refuse('certificateSignature', identity.clientId);
  }
  if (!audiences(token).some(claim.isOwnEndpoint)) throw refuse('certificateAudience', audiences(token).join(', '));
}

function checkFederated(
  token: DecodedJwt,
  identity: EmulatedIdentity,
  { refuse, world }: { refuse: EntraRefuse; world: World },
): void {
  const issuer = textClaim(token, 'iss') ?? '';
  const subject = textClaim(token, 'sub') ?? '';
  const presented = audiences(token);
  if (identity.federated.length === 0) throw refuse('noFederation', issuer, subject, presented.join(', '));
  const byIssuer = identity.federated.filter((one) => sameIssuer(one.issuer ?? world.cluster.issuer, issuer));
  if (byIssuer.length === 0) throw refuse('federationIssuer', issuer);
  const bySubject = byIssuer.filter((credential) => credential.subject === subject);
  if (bySubject.length === 0) throw refuse('federationSubject', subject);
  const byAudience = bySubject.filter((credential) => presented.includes(credential.audience));
  if (byAudience.length === 0) throw refuse('federationAudience', presented.join(', '));
  if (!byAudience.some((credential) => isSignedFor(token, credential, world))) throw refuse('assertionSignature');
}

function isSignedFor(token: DecodedJwt, { keys }: FederatedCredential, { cluster }: World): boolean {
  if (keys === 'any') return true;
  const kid = token.header.kid;
  const trusted: readonly AssertionKey[] = keys === 'cluster' ? cluster.keys : keys;
  return trusted.some((key) => (key.kid === undefined || key.kid === kid) && isSignedBy(token, key.publicKey));
}

function checkTimes(world: World, token: DecodedJwt, refuse: EntraRefuse): void {
  const now = nowSeconds(world);
  const expires = timeClaim(token, 'exp');
  const notBefore = timeClaim(token, 'nbf') ?? timeClaim(token, 'iat') ?? now;
  if (expires !== undefined && expires + CLOCK_SKEW_SECONDS > now && notBefore - CLOCK_SKEW_SECONDS <= now) return;
  throw refuse('assertionTime', isoTime(now), isoTime(notBefore), expires === undefined ? '(none)' : isoTime(expires));
}

/**
 * Returns true if the token header names the certificate. `x5t` is the SHA-1 and `x5t#S256` the SHA-256 of the DER.
 * Some libraries write the hash in hexadecimal as the key id instead.
 */
function isNamedBy(token: DecodedJwt, certificate: X509Certificate): boolean {
  const sha1 = createHash('sha1').update(certificate.raw).digest();
  const sha256 = createHash('sha256').update(certificate.raw).digest();
  const { x5t, kid, 'x5t#S256': x5tS256 } = token.header;
  if (typeof x5tS256 === 'string') return sameBytes(x5tS256, sha256);
  if (typeof x5t === 'string') return sameBytes(x5t, sha1);
  return typeof kid === 'string' && (kid.toLowerCase() === sha1.toString('hex') || sameBytes(kid, sha1));
}

function sameBytes(base64url: string, digest: Buffer): boolean {
  return Buffer.from(base64url, 'base64url').equals(digest);
}

/** Compares issuers exactly, as Entra does, except for a trailing slash: cluster tools add or remove it. */
function sameIssuer(a: string, b: string): boolean {
  return a.replace(/\/$/, '') === b.replace(/\/$/, '');
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
