/**
 * Changes the state of a running emulator from the program that started it. Tests and the demo call it through the
 * emulator. Refuses names of vaults, objects and identities that do not exist.
 */

import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { oneOf } from '../base/words.ts';
import type { SeedCertificate, SeedKey } from './seed/seed-schema.ts';
import { issueSpec, keySpec } from './seed/seed-specs.ts';
import { renewCertificate } from './vault/vault-certificates.ts';
import { addIssuedCertificate, addKey, addSecret, updateVersion, type VersionOptions } from './vault/vault-write.ts';
import type { EmulatedIdentity, Grant, ObjectKind, Tenant, Vault, World } from './world/model.ts';
import { nowSeconds } from './world/model.ts';
import type { ObjectStore, StoredVersion } from './world/object-store.ts';
import { pemText } from './world/secret-form.ts';
import { newSigningKey } from './world/signing-key.ts';
import { findTenant, isIdentity } from './world/tenants.ts';

/** The argument of {@link Controls.createCertificate}: the fields that a seed has for a certificate. */
export type CertificateFields = Omit<
  SeedCertificate,
  | 'name'
  | 'versions'
  | 'version'
  | 'chain'
  | 'content'
  | 'password'
  | 'enabled'
  | 'notBefore'
  | 'expires'
  | 'created'
  | 'tags'
>;

/**
 * Changes the state of the emulator without checking permissions. Methods that add a version return its id.
 * Throws: ERR_NOT_FOUND for vaults, objects and identities that do not exist.
 */
export interface Controls {
  setSecret(vault: string, name: string, value: string, options?: VersionOptions & { contentType?: string }): string;
  createKey(vault: string, name: string, key?: SeedKey): Promise<string>;
  createCertificate(vault: string, name: string, fields?: CertificateFields): Promise<string>;
  /** Adds a version of a certificate with a new key, issued like the current version. */
  rotateCertificate(vault: string, name: string): Promise<string>;
  /** Enables or disables a version; default: the current one. For a certificate, its key and secret change too. */
  setEnabled(vault: string, object: { kind: ObjectKind; name: string; version?: string }, enabled: boolean): void;
  /** Soft-deletes an object. For a certificate, its key and secret are deleted too. */
  deleteObject(vault: string, kind: ObjectKind, name: string): void;
  recoverObject(vault: string, kind: ObjectKind, name: string): void;
  /** Returns the current value of a secret. */
  currentSecret(vault: string, name: string): { readonly version: string; readonly value: Secret };
  grant(vault: string, grant: GrantOptions): void;
  /** Removes all grants of an identity (name, client id or object id). */
  revoke(vault: string, identity: string): void;
  setFirewall(vault: string, state: 'open' | 'closed'): void;
  /** Replaces all secrets of a client with this one. */
  changeClientSecret(tenant: string, client: string, secret: string): void;
  setTokenLifetime(tenant: string, seconds: number): void;
  /**
   * Signs tokens of service accounts with a new key from now on. Earlier keys stay published, and tokens that they signed
   * are accepted, unless `keepOld` is false. Returns the id of the new key.
   */
  rotateServiceAccountKey(options?: { readonly type?: 'rsa' | 'ec'; readonly keepOld?: boolean }): Promise<string>;
  /** Returns the PEM of a seeded authority: its certificate, then its issuers up to the root. */
  authorityPem(name: string): string;
}

/** A grant. Permissions that are absent are denied. Without `objects`, the grant covers all objects. */
export interface GrantOptions extends Partial<Grant['permissions']> {
  readonly identity: string;
  readonly objects?: readonly string[];
}

/** Creates the controls of a world. */
export function createControls(world: World): Controls {
  const vault = (name: string) => requireVault(world, name);
  return {
    setSecret: (vaultName, name, value, options = {}) =>
      addSecret(world, { vault: vault(vaultName), name }, { ...options, value: new Secret(value) }),
    createKey: async (vaultName, name, key) => addKey(world, { vault: vault(vaultName), name }, { spec: keySpec(key) }),
    createCertificate: async (vaultName, name, fields = {}) => {
      const spec = issueSpec(name, fields, world.clock.wall());
      if (spec.issuer !== 'Self') requireAuthority(world, spec.issuer);
      return addIssuedCertificate(world, { vault: vault(vaultName), name }, { spec });
    },
    rotateCertificate: async (vaultName, name) => {
      const version = await renewCertificate(world, vault(vaultName), name);
      if (version === undefined) throw missing(`issued certificate "${name}" in vault "${vaultName}"`, []);
      return version;
    },
    setEnabled: (vaultName, object, enabled) => {
      const stores = storesOf(vault(vaultName), object.kind);
      const versions = stores.map((store) => store.version(object.name, object.version));
      if (versions[0] === undefined) throw missing(`${object.kind} "${object.name}" in vault "${vaultName}"`, []);
      updateVersion(world, versions, { enabled });
    },
    deleteObject: (vaultName, kind, name) => {
      const deleted = storesOf(vault(vaultName), kind).map((store) => store.delete(name, nowSeconds(world)));
      if (deleted[0] === false) throw missing(`${kind} "${name}" in vault "${vaultName}"`, []);
    },
    recoverObject: (vaultName, kind, name) => {
      const recovered = storesOf(vault(vaultName), kind).map((store) => store.recover(name));
      if (recovered[0] === false) throw missing(`deleted ${kind} "${name}" in vault "${vaultName}"`, []);
    },
    currentSecret: (vaultName, name) => {
      const current = vault(vaultName).secrets.version(name);
      if (current === undefined) throw missing(`secret "${name}" in vault "${vaultName}"`, []);
      return { version: current.version, value: current.value };
    },
    rotateServiceAccountKey: async ({ type = 'ec', keepOld = true } = {}) => {
      const key = await newSigningKey(type);
      world.cluster.keys = [key, ...(keepOld ? world.cluster.keys : [])];
      return key.kid;
    },
    ...accessControls(world),
    authorityPem: (name) => pemText(undefined, requireAuthority(world, name).chain),
  };
}

type AccessControls = Pick<Controls, 'grant' | 'revoke' | 'setFirewall' | 'changeClientSecret' | 'setTokenLifetime'>;

function accessControls(world: World): AccessControls {
  const vault = (name: string) => requireVault(world, name);
  return {
    grant: (vaultName, { identity, objects, secrets = [], keys = [], certificates = [] }) => {
      const target = vault(vaultName);
      requireIdentity(target.tenant, identity);
      target.grants = [...target.grants, { identity, objects, permissions: { secrets, keys, certificates } }];
    },
    revoke: (vaultName, reference) => {
      const target = vault(vaultName);
      const identity = requireIdentity(target.tenant, reference);
      target.grants = target.grants.filter((grant) => !isIdentity(identity, grant.identity));
    },
    setFirewall: (vaultName, state) => {
      vault(vaultName).firewallClosed = state === 'closed';
    },
    changeClientSecret: (tenant, client, secret) => {
      requireIdentity(requireTenant(world, tenant), client).secrets = [
        { value: new Secret(secret), expires: undefined },
      ];
    },
    setTokenLifetime: (tenant, seconds) => {
      requireTenant(world, tenant).tokenLifetimeSeconds = seconds;
    },
  };
}

/** Returns the store of the kind, then the stores that change with it. */
function storesOf(vault: Vault, kind: ObjectKind): readonly ObjectStore<StoredVersion>[] {
  return kind === 'certificates' ? [vault.certificates, vault.keys, vault.secrets] : [vault[kind]];
}

function requireVault(world: World, name: string): Vault {
  const vault = world.vaults.get(name.toLowerCase());
  if (vault === undefined) throw missing(`vault "${name}"`, [...world.vaults.keys()]);
  return vault;
}

function requireTenant(world: World, name: string): Tenant {
  const tenant = findTenant(world.tenants, name);
  if (tenant === undefined)
    throw missing(
      `tenant "${name}"`,
      world.tenants.map(({ id }) => id),
    );
  return tenant;
}

function requireIdentity(tenant: Tenant, reference: string): EmulatedIdentity {
  const identity = tenant.identities.find((candidate) => isIdentity(candidate, reference));
  if (identity === undefined)
    throw missing(
      `identity "${reference}"`,
      tenant.identities.map(({ name }) => name),
    );
  return identity;
}

function requireAuthority(world: World, name: string) {
  const authority = world.authorities.get(name);
  if (authority === undefined) throw missing(`authority "${name}"`, [...world.authorities.keys()]);
  return authority;
}

function missing(what: string, known: readonly string[]): ProviderError {
  const hint = known.length === 0 ? '' : `; known: ${oneOf(known)}`;
  return new ProviderError('ERR_NOT_FOUND', `The emulator has no ${what}${hint}`);
}
