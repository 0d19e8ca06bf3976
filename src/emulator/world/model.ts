/**
 * The state of the emulator: tenants, identities, vaults and keys. All its services read and change it.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import type { WallClock } from '../../base/clock.ts';
import type { Secret } from '../../base/secret.ts';
import type { Authority, IssueSpec } from './certificates.ts';
import type { PublicJwk } from './key-material.ts';
import type { ObjectStore, StoredVersion } from './object-store.ts';
import type { StoredMaterial } from './secret-form.ts';

/** A client secret; `expires` in seconds since 1970. */
export interface ClientSecret {
  readonly value: Secret;
  readonly expires: number | undefined;
}

/** A public key that may sign federated assertions, with its key id. */
export interface AssertionKey {
  readonly kid: string | undefined;
  readonly publicKey: KeyObject;
}

/** A federated identity credential: the external tokens that are accepted for the identity. */
export interface FederatedCredential {
  /** Undefined: the issuer of the emulator's own cluster. */
  readonly issuer: string | undefined;
  readonly subject: string;
  readonly audience: string;
  /**
   * Keys that sign for `issuer`. `any` accepts every signature, for tokens made by tests. `cluster` means the keys of the
   * emulator's own cluster.
   */
  readonly keys: readonly AssertionKey[] | 'any' | 'cluster';
}

/** The endpoints that issue tokens of a managed identity: IMDS, and NMI for pods. */
export interface ManagedIdentity {
  readonly systemAssigned: boolean;
  readonly resourceId: string | undefined;
  readonly pods: readonly { readonly namespace: string; readonly name: string }[];
}

/** An app registration or a managed identity. */
export interface EmulatedIdentity {
  readonly name: string;
  readonly clientId: string;
  readonly objectId: string;
  secrets: readonly ClientSecret[];
  readonly certificates: readonly X509Certificate[];
  readonly federated: readonly FederatedCredential[];
  readonly managed: ManagedIdentity | undefined;
}

/** An Entra tenant. The id `adfs` means an AD FS authority. */
export interface Tenant {
  readonly id: string;
  readonly names: readonly string[];
  tokenLifetimeSeconds: number;
  readonly identities: readonly EmulatedIdentity[];
}

/** Collections of the data plane, named by their path segment. */
export type ObjectKind = 'secrets' | 'keys' | 'certificates';

/** The permissions of an identity in a vault. `all` means every permission. */
export interface Grant {
  /** Name, client id or object id of the identity. */
  readonly identity: string;
  readonly permissions: Readonly<Record<ObjectKind, readonly string[] | 'all'>>;
  /** Names of the objects that the grant covers. Absent: all objects of the vault. */
  readonly objects: readonly string[] | undefined;
}

export interface SecretVersion extends StoredVersion {
  readonly value: Secret;
  contentType: string | undefined;
  /** True for the secret of a certificate, whose key has the same name and version. */
  readonly managed: boolean;
}

export interface KeyVersion extends StoredVersion {
  readonly kty: string;
  /** Public members of the key. Empty for `oct`. */
  readonly jwk: PublicJwk;
  keyOps: readonly string[];
  readonly managed: boolean;
}

export interface CertificateVersion extends StoredVersion {
  readonly material: StoredMaterial;
  spec: IssueSpec;
}

export interface Vault {
  readonly name: string;
  readonly tenant: Tenant;
  readonly region: string;
  readonly access: 'rbac' | 'policy';
  firewallClosed: boolean;
  grants: readonly Grant[];
  readonly secrets: ObjectStore<SecretVersion>;
  readonly keys: ObjectStore<KeyVersion>;
  readonly certificates: ObjectStore<CertificateVersion>;
}

/** A key that signs tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The cluster whose service-account tokens the emulator makes. */
export interface Cluster {
  /** `iss` of its tokens. The port of an issuer on `oidc.localhost` is added when the emulator listens. */
  issuer: string;
  /** The keys that it publishes. The first one signs. */
  keys: readonly [SigningKey, ...SigningKey[]];
}

/** The whole state of the emulator. Handlers read and change it. */
export interface World {
  readonly clock: WallClock;
  readonly tenants: readonly Tenant[];
  /** By name in lower case. */
  readonly vaults: ReadonlyMap<string, Vault>;
  readonly authorities: ReadonlyMap<string, Authority>;
  /** The key that signs Entra's tokens. */
  readonly tokenKey: SigningKey;
  readonly cluster: Cluster;
  /** The header value that callers of the App Service form of the managed-identity endpoint must send. */
  readonly identityHeader: string;
  /** Host names in addition to `*.vault.localhost` and `login.localhost`, in lower case. */
  readonly hosts: readonly string[];
}

/** Returns the time of the emulated world in whole seconds since 1970. */
export function nowSeconds(world: { readonly clock: WallClock }): number {
  return Math.floor(world.clock.wall() / 1000);
}
