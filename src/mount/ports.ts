/**
 * Defines the interfaces through which the pipeline reads vaults and SecretProviderClasses; `azure/` implements them.
 * They hold objects as Key Vault returned them, and the circumstances of the Mount that asks.
 */

import type { SteadyTime } from '../base/clock.ts';
import type { ObjectType } from '../base/objects.ts';
import type { Secret } from '../base/secret.ts';
import type { Span } from '../base/trace.ts';
import type { VolumeSpec } from '../spc/model.ts';
import type { ClassParameters, ClassRef } from '../spc/overrides.ts';
import type { ReadMemory } from './memory.ts';
import type { Progress } from './pending-waits.ts';
import type { Snapshot } from './snapshot.ts';

/** A JSON Web Key as Key Vault sends it: numbers in base64url. */
export interface VaultKey {
  readonly kty: string | undefined;
  readonly crv: string | undefined;
  readonly n: string | undefined;
  readonly e: string | undefined;
  readonly x: string | undefined;
  readonly y: string | undefined;
}

/** What a vault says about an object besides its content. Members that the vault did not send are absent. */
export interface ObjectFacts {
  readonly enabled?: boolean;
  /** Times are in milliseconds since 1970. */
  readonly createdAt?: number;
  readonly updatedAt?: number;
  readonly notBefore?: number;
  /** Not empty. That of a certificate is the one of its secret. */
  readonly contentType?: string;
  /** Not empty. */
  readonly tags?: Readonly<Record<string, string>>;
}

interface Fetched {
  /** Last segment of the object's id. */
  readonly version: string;
  /** Milliseconds since 1970; undefined if the object has none. */
  readonly expiresAt: number | undefined;
  /** Absent if an earlier version of this program kept the object. */
  readonly facts?: ObjectFacts | undefined;
}

/** An object as Key Vault answered it. The fields that conversion needs are checked. */
export type FetchedObject =
  | (Fetched & {
      readonly type: 'secret';
      readonly value: Secret;
      /** Empty where Key Vault sent none. */
      readonly contentType: string;
      /** The secret belongs to a Key Vault certificate: its `kid` is set. */
      readonly certificateBacked: boolean;
    })
  | (Fetched & { readonly type: 'key'; readonly key: VaultKey })
  | (Fetched & { readonly type: 'cert'; readonly der: Buffer });

/** One entry of a version listing. */
export interface ListedVersion {
  readonly version: string;
  readonly enabled: boolean;
  /** Milliseconds since 1970; 0 if Key Vault sent none. */
  readonly createdAt: number;
  /** As in `ObjectFacts`. Undefined if the vault sent none, or if an earlier version of this program kept the listing. */
  readonly notBefore?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** One entry of the listing of a vault's objects. It is about the current version. */
export interface ListedObject extends Pick<ObjectFacts, 'updatedAt' | 'tags'> {
  /** Letters, digits and hyphens. */
  readonly name: string;
  readonly enabled: boolean;
}

/** The objects of one type in a vault. */
export interface ObjectListing {
  /** In the order of the vault's pages. */
  readonly objects: readonly ListedObject[];
  /** When the vault gave it; undefined for a last known listing and that of a fallback vault, which confirm nothing. */
  readonly listedAt: SteadyTime | undefined;
}

/** What a listing says about the current version of an object. */
export interface Stamp {
  /** Milliseconds since 1970, in whole seconds. */
  readonly updatedAt: number;
  readonly listedAt: SteadyTime;
}

/** The circumstances of every call to a vault. */
export interface FetchContext {
  readonly signal: AbortSignal;
  /** The time by which the Mount has to answer. */
  readonly deadlineAt: SteadyTime;
  /**
   * True if a read fails instead of waiting for a long pause or a silent host, because other pods wait for this Mount.
   */
  readonly hasty: boolean;
  readonly progress: Progress;
  /** Records the values that the Mount gets. */
  readonly snapshot: Snapshot;
  /** Calls of one Mount share a turn when a vault is busy. */
  readonly mountId: number;
  /** The memory of the Mount. Each value that is read is charged to it. */
  readonly memory: ReadMemory;
  /** The span that calls belong to. Undefined: the Mount is not traced. */
  readonly span?: Span | undefined;
}

/** An object of a vault; `version` is empty for the current one. */
export interface ObjectRef {
  readonly type: ObjectType;
  readonly name: string;
  readonly version: string;
}

/**
 * A vault as one identity reads it. Throws: `ProviderError`s that name the vault, the identity, the text of the server,
 * and the next step.
 */
export interface VaultReader {
  /** The origin of the vault, that of its values in the snapshot of a Mount. */
  readonly vaultUrl: string;
  /** `stamp`: an object that has not changed since it was kept is not read again. */
  get(ref: ObjectRef, context: FetchContext, stamp?: Stamp | undefined): Promise<FetchedObject>;
  /** Returns all versions, in the order of the vault's pages. */
  listVersions(ref: Omit<ObjectRef, 'version'>, context: FetchContext): Promise<readonly ListedVersion[]>;
  list(type: ObjectType, context: FetchContext): Promise<ObjectListing>;
}

/** A copy of the guarded parameters of a SecretProviderClass. */
export interface ClassCopy {
  readonly parameters: ClassParameters;
  /** The reason why the copy may be outdated: the API server did not answer. Undefined if it did. */
  readonly unconfirmed: string | undefined;
}

/** Reads SecretProviderClasses from the cluster; `azure/cluster/` implements it. */
export interface ClassReader {
  /**
   * Returns a copy that `fits`, or the newest one. A kept copy that does not fit is read again.
   * Throws: `ProviderError` if there is no copy. Its message is the reason and the remedy.
   */
  read(
    ref: ClassRef,
    context: Pick<FetchContext, 'signal' | 'progress' | 'span'>,
    fits: (parameters: ClassParameters) => boolean,
  ): Promise<ClassCopy>;
}

/** A ServiceAccount. */
export interface AccountRef {
  readonly namespace: string;
  readonly name: string;
}

/** Reads ServiceAccounts from the cluster; `azure/cluster/` implements it. */
export interface AccountReader {
  /**
   * Returns the client ID that a ServiceAccount names for workload identity.
   * Throws: `ProviderError` if there is none. Its message is the reason and the remedy.
   */
  clientIdOf(ref: AccountRef, context: Pick<FetchContext, 'signal' | 'progress' | 'span'>): Promise<string>;
}

/** The volume of a Mount, as far as its vault is concerned. */
export type VaultVolume = Pick<
  VolumeSpec,
  'pod' | 'cloud' | 'tenantId' | 'identity' | 'vaultName' | 'vaultUrl' | 'maxAgeMs' | 'fallbackVaults'
>;

/** Opens the vault of a volume. */
export interface VaultAccess {
  open(volume: VaultVolume): VaultReader;
  /** Returns the ID of the tenant that the vault says it trusts. Throws: `ProviderError` with the next step. */
  tenantOf(volume: VaultVolume, context: FetchContext): Promise<string>;
}
