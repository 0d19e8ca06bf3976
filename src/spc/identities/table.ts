/**
 * Lists the identities that a manifest can ask for, one line for each mode. Lists of parameter names and the types of
 * identities come from it. The order of lines is that of names in messages.
 */

import type { DeveloperIdentity } from './developer.ts';
import { identityBinding } from './identity-binding.ts';
import type { ClassicParameters, IdentityRow, Resolution } from './identity-row.ts';
import { managedIdentity } from './managed-identity.ts';
import { podIdentity } from './pod-identity.ts';
import { servicePrincipal } from './service-principal.ts';
import { workloadIdentity } from './workload-identity.ts';

const ROWS = {
  'service-principal': servicePrincipal,
  'workload-identity': workloadIdentity,
  'pod-identity': podIdentity,
  'managed-identity': managedIdentity,
  'identity-binding': identityBinding,
} as const;

type Row = (typeof ROWS)[keyof typeof ROWS];
type RequestIn<T> = T extends { readonly readClassic: (parameters: ClassicParameters) => infer R } ? R : never;
type IdentityIn<T> = T extends { readonly resolve: (...given: never) => Resolution<infer I> } ? I : never;

/** The identity a manifest asks for; its credentials come with the request. */
export type IdentityRequest = RequestIn<Row>;

/** An identity that a manifest asks for, with its credentials. */
export type ManifestIdentity = IdentityIn<Row>;

/** The identity that asks the vault. Two identities that are equal in every field may share what they read. */
export type Identity = ManifestIdentity | DeveloperIdentity;

/** The kind of an identity that a manifest can ask for. */
export type IdentityKind = ManifestIdentity['kind'];

type RowOf<K extends IdentityRequest['kind']> = IdentityRow<
  Extract<IdentityRequest, { readonly kind: K }>,
  ManifestIdentity
>;

/** The row of each mode. */
export const IDENTITY_ROWS: { readonly [K in IdentityRequest['kind']]: RowOf<K> } = ROWS;

/** Returns the row of a request. */
export function rowOf<K extends IdentityRequest['kind']>({ kind }: { readonly kind: K }): RowOf<K> {
  return IDENTITY_ROWS[kind];
}

/** The rows that the classic form chooses by a flag, with the name of the flag. */
export const FLAGGED_ROWS: readonly { readonly flag: string; readonly row: Row }[] = Object.values(ROWS).flatMap(
  (row: Row) => (row.chosenBy !== undefined && 'flag' in row.chosenBy ? [{ flag: row.chosenBy.flag, row }] : []),
);

/** The rows that the classic form chooses by a parameter that is not empty, with the name of the parameter. */
export const NAMED_ROWS: readonly { readonly text: string; readonly row: Row }[] = Object.values(ROWS).flatMap(
  (row: Row) => (row.chosenBy !== undefined && 'text' in row.chosenBy ? [{ text: row.chosenBy.text, row }] : []),
);

/** The row of manifests of the classic form that choose no other. */
export const DEFAULT_ROW = servicePrincipal;

/** The fields of `keyVault.vault.credentials`. */
export const CREDENTIAL_FIELDS = Object.values(ROWS).flatMap(({ credential }: Row) =>
  credential === undefined ? [] : [credential],
);

/** All kinds of identity, by the names that documents, flags and metrics give the modes. */
export const IDENTITY_KINDS: readonly IdentityKind[] = Object.values(ROWS).flatMap(({ kinds }: Row) => kinds);

/** Names of the classic form's parameters that choose the identity or belong to it. */
export const IDENTITY_PARAMETERS: readonly string[] = [
  ...FLAGGED_ROWS.map(({ flag }) => flag),
  ...Object.values(ROWS).flatMap(({ parameters }: Row) => parameters),
  ...NAMED_ROWS.map(({ text }) => text),
];
