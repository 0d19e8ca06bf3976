/**
 * Checks the names and references of a seed. `seed-world.ts` calls it before it makes anything.
 */

import { X509Certificate } from 'node:crypto';
import { nearest } from '../../base/words.ts';
import { publicKeyFromPem, publicKeyOf } from '../../pki/public-key.ts';
import { isSubject } from '../world/issue.ts';
import { publicKeyOfJwk } from '../world/key-material.ts';
import type { Seed, SeedCertificate, SeedSecret, SeedVault } from './seed-schema.ts';

interface Names {
  readonly authorities: readonly string[];
  readonly chains: readonly string[];
}

/**
 * Returns the mistakes of a seed that its schema cannot find: unknown names, duplicate names, and fields that exclude
 * each other.
 */
export function checkSeed(seed: Seed): readonly string[] {
  const authorities = (seed.authorities ?? []).map(({ name }) => name);
  const chains = (seed.chains ?? []).map(({ name }) => name);
  const names = { authorities, chains };
  return [
    ...duplicates('authorities', authorities),
    ...duplicates('chains', chains),
    ...duplicates(
      'tenants',
      seed.tenants.map(({ id }) => id),
    ),
    ...duplicates(
      'vaults',
      seed.vaults.map(({ name }) => name),
    ),
    ...checkAuthorities(seed),
    ...(seed.chains ?? []).flatMap((chain, i) => [
      ...reference(`chains[${i}].issuer`, chain.issuer, ['Self', ...authorities]),
      ...subject(`chains[${i}].subject`, chain.subject),
    ]),
    ...seed.tenants.flatMap((tenant, i) => checkTenant(tenant, `tenants[${i}]`, seed.serviceAccountIssuer)),
    ...seed.vaults.flatMap((vault, i) => checkVault(vault, `vaults[${i}]`, { ...names, seed })),
  ];
}

function checkAuthorities(seed: Seed): string[] {
  const seen: string[] = [];
  return (seed.authorities ?? []).flatMap((authority, i) => {
    const problems = [
      ...reference(`authorities[${i}].issuer (the issuer must precede the authority)`, authority.issuer, seen),
      ...subject(`authorities[${i}].subject`, authority.subject),
      ...certifiable(`authorities[${i}].key`, authority.key),
    ];
    seen.push(authority.name);
    return problems;
  });
}

function checkTenant(tenant: Seed['tenants'][number], path: string, ownIssuer: string | undefined): string[] {
  return (tenant.identities ?? []).flatMap((identity, i) => [
    ...unreadable(`${path}.identities[${i}].certificates`, identity.certificates, certificateKey),
    ...(identity.federated ?? []).flatMap((federated, j) => [
      ...unreadable(`${path}.identities[${i}].federated[${j}].publicKeys`, federated.publicKeys, publicKeyFromPem),
      ...unreadable(`${path}.identities[${i}].federated[${j}].jwks.keys`, federated.jwks?.keys, publicKeyOfJwk),
    ]),
    ...(identity.federated ?? []).flatMap((federated, j) => {
      const foreign = federated.issuer !== undefined && federated.issuer !== ownIssuer;
      const keyed = federated.publicKeys !== undefined || federated.jwks !== undefined || federated.signature === 'any';
      return foreign && !keyed
        ? [
            `${path}.identities[${i}].federated[${j}]: an issuer other than serviceAccountIssuer needs publicKeys, jwks or "signature: any"`,
          ]
        : [];
    }),
  ]);
}

function checkVault(vault: SeedVault, path: string, names: Names & { seed: Seed }): string[] {
  const { seed } = names;
  const identities = seed.tenants.flatMap((tenant) => tenant.identities ?? []);
  const known = identities.flatMap(({ name, clientId, objectId }) => [name, clientId, ...(objectId ? [objectId] : [])]);
  const certificates = vault.certificates ?? [];
  const certificateNames = certificates.map(({ name }) => name);
  return [
    ...reference(
      `${path}.tenant`,
      vault.tenant,
      seed.tenants.flatMap(({ id, names: others }) => [id, ...(others ?? [])]),
    ),
    ...(vault.grants ?? []).flatMap((grant, i) => reference(`${path}.grants[${i}].identity`, grant.identity, known)),
    ...duplicates(`${path}.secrets and certificates`, [
      ...(vault.secrets ?? []).map(({ name }) => name),
      ...certificateNames,
    ]),
    ...duplicates(`${path}.keys and certificates`, [
      ...(vault.keys ?? []).map(({ name }) => name),
      ...certificateNames,
    ]),
    ...(vault.secrets ?? []).flatMap((secret, i) => checkSecret(secret, `${path}.secrets[${i}]`, names)),
    ...certificates.flatMap((certificate, i) => checkCertificate(certificate, `${path}.certificates[${i}]`, names)),
  ];
}

function checkSecret(secret: SeedSecret, path: string, names: Names): string[] {
  const versions = Array.isArray(secret.versions) ? secret.versions : [{}];
  return versions.flatMap((version) => {
    const { value, valueFrom } = { ...secret, ...version };
    if ((value === undefined) === (valueFrom === undefined)) return [`${path}: needs either value or valueFrom`];
    if (valueFrom === undefined) return [];
    return 'authority' in valueFrom
      ? reference(`${path}.valueFrom.authority`, valueFrom.authority, names.authorities)
      : reference(`${path}.valueFrom.chain`, valueFrom.chain, names.chains);
  });
}

function checkCertificate(certificate: SeedCertificate, path: string, names: Names): string[] {
  const versions = Array.isArray(certificate.versions) ? certificate.versions : [{}];
  return versions.flatMap((version) => {
    const fields = { ...certificate, ...version };
    const sources = [fields.chain, fields.content, fields.subject ?? fields.issuer ?? fields.dns ?? fields.ip];
    const exclusive = sources.filter((source) => source !== undefined).length > 1;
    return [
      ...(exclusive
        ? [`${path}: set only one of chain, content, or the fields that issue it (issuer, subject, dns, ip)`]
        : []),
      ...reference(`${path}.chain`, fields.chain, names.chains),
      ...reference(`${path}.issuer`, fields.issuer, ['Self', ...names.authorities]),
      ...subject(`${path}.subject`, fields.subject),
      ...certifiable(`${path}.key`, fields.key),
    ];
  });
}

function reference(path: string, name: string | undefined, known: readonly string[]): string[] {
  if (name === undefined || known.some((candidate) => candidate.toLowerCase() === name.toLowerCase())) return [];
  const near = nearest(name, known);
  return [`${path}: "${name}" is not in this seed${near === undefined ? '' : `; did you mean "${near}"?`}`];
}

function duplicates(path: string, names: readonly string[]): string[] {
  const lower = names.map((name) => name.toLowerCase());
  const twice = names.filter((_, i) => lower.indexOf(lower[i] ?? '') !== i);
  return twice.map((name) => `${path}: the name "${name}" occurs twice`);
}

function subject(path: string, text: string | undefined): string[] {
  return text === undefined || isSubject(text)
    ? []
    : [`${path}: is not a distinguished name such as "CN=bridge, O=Example"`];
}

function certifiable(path: string, key: { kty?: string | undefined; crv?: string | undefined } | undefined): string[] {
  const refused = key?.kty?.startsWith('oct') || key?.crv === 'P-256K';
  return refused
    ? [`${path}: must be an RSA, P-256, P-384 or P-521 key, because other keys cannot have certificates`]
    : [];
}

/** Returns a problem for each item that `read` cannot read as a public key. */
function unreadable<T>(path: string, list: readonly T[] | undefined, read: (one: T) => unknown): string[] {
  return (list ?? []).flatMap((one, i) => {
    try {
      read(one);
      return [];
    } catch {
      return [`${path}[${i}]: must contain a valid public key`];
    }
  });
}

function certificateKey(pem: string): unknown {
  return publicKeyOf(new X509Certificate(pem));
}
