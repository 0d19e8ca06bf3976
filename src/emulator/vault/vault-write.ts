/**
 * Adds and updates versions in a vault. The API of vaults, seeds and controls call it.
 */

import { randomBytes } from 'node:crypto';
import type { Secret } from '../../base/secret.ts';
import { publicKeyOf } from '../../pki/public-key.ts';
import { type IssueSpec, issueMaterial } from '../world/certificates.ts';
import { defaultKeyOps, generateKey, type KeySpec, type PublicJwk, publicJwk } from '../world/key-material.ts';
import { nowSeconds, type Vault, type World } from '../world/model.ts';
import type { StoredVersion } from '../world/object-store.ts';
import { type StoredMaterial, secretValue } from '../world/secret-form.ts';

/** Attributes that a caller may set on a version. The other attributes have defaults. Times are seconds since 1970. */
export interface VersionOptions {
  readonly version?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly notBefore?: number | undefined;
  readonly expires?: number | undefined;
  readonly created?: number | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** Adds a version of a plain secret. Returns its version id. */
export function addSecret(
  world: World,
  at: { vault: Vault; name: string },
  options: VersionOptions & { value: Secret; contentType?: string | undefined },
): string {
  const base = newVersion(world, options);
  at.vault.secrets.add(at.name, {
    ...base,
    value: options.value,
    contentType: options.contentType,
    managed: false,
  });
  return base.version;
}

/** Makes a key and adds it as a version. Returns its version id. */
export async function addKey(
  world: World,
  at: { vault: Vault; name: string },
  options: VersionOptions & { spec: KeySpec; keyOps?: readonly string[] | undefined },
): Promise<string> {
  const { spec, keyOps = defaultKeyOps(spec.kty), ...rest } = options;
  const key = await generateKey(spec);
  return addPublicKey(world, at, { ...rest, kty: spec.kty, keyOps, jwk: publicJwk(key) });
}

/** Adds a version of a key by its public part. Returns its version id. */
export function addPublicKey(
  world: World,
  at: { vault: Vault; name: string },
  options: VersionOptions & { kty: string; keyOps: readonly string[]; jwk: PublicJwk },
): string {
  const { kty, keyOps, jwk } = options;
  const base = newVersion(world, options);
  at.vault.keys.add(at.name, { ...base, kty, keyOps, jwk, managed: false });
  return base.version;
}

/** Issues a certificate by its specification and adds it with its key and secret. Returns the version id. */
export async function addIssuedCertificate(
  world: World,
  at: { vault: Vault; name: string },
  options: VersionOptions & { spec: IssueSpec },
): Promise<string> {
  const material = await issueMaterial(options.spec, world.authorities.get(options.spec.issuer));
  return addCertificate(world, at, { ...options, material });
}

/** Adds a version of a certificate, with a key and a secret of the same name and version. Returns the version id. */
export async function addCertificate(
  world: World,
  at: { vault: Vault; name: string },
  options: VersionOptions & { spec: IssueSpec; material: StoredMaterial },
): Promise<string> {
  const { material, spec } = options;
  const { vault, name } = at;
  const value = await secretValue(material, {
    contentType: spec.contentType,
    form: { ...spec.form, withKey: spec.form.withKey && spec.exportable },
    imported: spec.issuer === 'Unknown',
  });
  const base = newVersion(world, {
    ...options,
    notBefore: options.notBefore ?? Date.parse(material.leaf.validFrom) / 1000,
    expires: options.expires ?? Date.parse(material.leaf.validTo) / 1000,
  });
  const kty = spec.key.kty;
  const jwk = publicJwk(publicKeyOf(material.leaf));
  vault.certificates.add(name, { ...base, material, spec });
  vault.keys.add(name, { ...base, kty, jwk, keyOps: defaultKeyOps(kty), managed: true });
  vault.secrets.add(name, { ...base, value, contentType: spec.contentType, managed: true });
  return base.version;
}

/** Changes the attributes of one version. For a certificate, the versions of its key and secret change too. */
export function updateVersion(
  world: World,
  versions: readonly (StoredVersion | undefined)[],
  change: Omit<VersionOptions, 'version' | 'created'>,
): void {
  for (const version of versions) {
    if (version === undefined) continue;
    version.enabled = change.enabled ?? version.enabled;
    version.notBefore = change.notBefore ?? version.notBefore;
    version.expires = change.expires ?? version.expires;
    version.tags = change.tags ?? version.tags;
    version.updated = nowSeconds(world);
  }
}

function newVersion(world: World, options: VersionOptions): StoredVersion {
  const created = options.created ?? nowSeconds(world);
  return {
    version: options.version?.toLowerCase() ?? randomBytes(16).toString('hex'),
    enabled: options.enabled ?? true,
    notBefore: options.notBefore,
    expires: options.expires,
    created,
    updated: created,
    tags: options.tags ?? {},
  };
}
