/**
 * Defines the contract of a row of the identity table: how a manifest asks for one mode of identity, and what is
 * required with the request. Each other file of this folder holds a row, `table.ts` lists them, and `identity.ts` uses
 * them.
 */

import type { Secret } from '../../base/secret.ts';
import type { NodePublishSecret, Pod } from '../attributes.ts';
import type { Fields } from '../fields.ts';
import type { Stage } from '../finding.ts';

/** The parameters of the classic form, as `ParameterReader` reads them. */
export interface ClassicParameters {
  /** Returns the text of a parameter; empty if it is absent. */
  readonly text: (name: string) => string;
  /** Returns a client ID; a placeholder is an error. */
  readonly clientId: (name: string) => string;
  readonly warning: (name: string, message: string) => void;
}

/** The credentials that came with a request. */
export interface Credentials {
  readonly tenantId: string;
  readonly pod: Pod;
  readonly tokens: Secret | undefined;
  readonly secret: NodePublishSecret | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** True if a client ID that the manifest leaves out is taken from the pod's ServiceAccount. Default: false. */
  readonly accountLookup?: boolean | undefined;
  /** Sentences about parameters that are ignored and were meant to name another identity; default: none. */
  readonly ignored?: readonly string[];
}

/** The identity with its credentials, or what is missing and how to provide it. */
export type Resolution<I> =
  | { readonly ok: true; readonly identity: I }
  /** Default of `stage`: `parameters`. */
  | { readonly ok: false; readonly reason: string; readonly stage?: Stage };

/** One mode of identity. `R` is what a manifest asks for, `I` the identity with its credentials. */
export interface IdentityRow<R extends { readonly kind: string }, I extends { readonly kind: string }> {
  /** The official provider's name of the mode, part of its error texts. */
  readonly officialMode: string;
  /** The kinds of identity that a request of the mode can resolve to. */
  readonly kinds: readonly I['kind'][];
  /** True if the node proves the identity. Else the pod's own token, Secret or labels do. */
  readonly ofNode: boolean;
  /** Parameter of the classic form that chooses the mode; undefined for the mode of manifests that choose none. */
  readonly chosenBy: { readonly flag: string } | { readonly text: string } | undefined;
  /** Further parameters of the classic form that only this mode reads. */
  readonly parameters: readonly string[];
  readonly readClassic: (parameters: ClassicParameters) => R;
  /** Field of `keyVault.vault.credentials` that chooses the mode; undefined if that form does not have it. */
  readonly credential: { readonly field: string; readonly read: (credentials: Fields) => R } | undefined;
  /** True if the identity logs in at the tenant that the manifest names. */
  readonly needsTenant: boolean;
  /** Audience of the pod's token that the identity logs in with; undefined if it needs none. */
  readonly audience: string | undefined;
  /** Returns the problem of a required field that is missing, or undefined if the request is complete. */
  readonly problem: (request: R) => string | undefined;
  /** Finds the credentials. Reads only those that the identity uses. */
  readonly resolve: (request: R, credentials: Credentials) => Resolution<I>;
}
