/**
 * Chooses the identity that a manifest asks for, and finds its credentials in the request, by the rows of the identity
 * table. Called by the readers of parameters. Refuses two modes at once, and a request that lacks what its mode needs.
 */

import { clip } from '../base/words.ts';
import type { Attributes } from './attributes.ts';
import type { Stage } from './finding.ts';
import type { ClassicParameters, Credentials } from './identities/identity-row.ts';
import {
  DEFAULT_ROW,
  FLAGGED_ROWS,
  type IdentityKind,
  type IdentityRequest,
  type ManifestIdentity,
  NAMED_ROWS,
  rowOf,
} from './identities/table.ts';
import { hasToken } from './identities/workload-identity.ts';

/** The reader of the parameters that choose an identity. */
export interface IdentityReader extends ClassicParameters {
  /** Reads a boolean. Any other text is an error. */
  readonly flag: (name: string) => boolean;
  readonly error: (name: string, message: string, stage: Stage) => void;
}

/** The identity with its credentials, or what is missing and how to provide it. */
export type ResolvedIdentity =
  | { readonly ok: true; readonly identity: ManifestIdentity }
  | { readonly ok: false; readonly message: string; readonly stage: Stage };

/**
 * Chooses the mode of a manifest of the classic form, and reports two that are chosen at once. The function it returns
 * reads the parameters of the mode.
 * Differs: the official provider reads the pod's token in every mode as soon as there is a `clientID`.
 */
export function chooseIdentity(reader: IdentityReader): () => IdentityRequest {
  const [chosen, other] = FLAGGED_ROWS.filter(({ flag }) => reader.flag(flag));
  if (other !== undefined) reader.error(other.flag, ONLY_ONE, 'parameters');
  const named = NAMED_ROWS.find(({ text }) => reader.text(text) !== '');
  const row = (chosen ?? named)?.row ?? DEFAULT_ROW;
  return () => row.readClassic(reader);
}

const ONLY_ONE = `only one identity mode can be enabled at a time: ${oneOfFlags()}`;

function oneOfFlags(): string {
  const flags = FLAGGED_ROWS.map(({ flag }) => flag);
  return `${flags.slice(0, -1).join(', ')}, or ${flags.at(-1)}`;
}

/**
 * Returns the required field that a request lacks, whatever its credentials are; undefined if the request is complete.
 */
export function requestProblem(request: IdentityRequest): string | undefined {
  const problem = rowOf(request).problem(request);
  return problem === undefined ? undefined : `${failureOf(request)}${problem}`;
}

/**
 * Returns the request of workload identity in place of a manifest that names no identity at all, if the pod's
 * ServiceAccount may name it: there is no node-publish secret, and the pod has the token. Else returns the request.
 */
export function requestOfAccount(request: IdentityRequest, credentials: Credentials): IdentityRequest {
  const { secret, accountLookup = false, ignored = [] } = credentials;
  const namesNone = request.kind === 'service-principal' && request.secretName === '' && secret === undefined;
  if (!namesNone || !accountLookup || ignored.length > 0) return request;
  return hasToken(credentials) ? { kind: 'workload-identity', clientId: '' } : request;
}

/** Finds the credentials of the identity that the manifest asks for. */
export function resolveIdentity(request: IdentityRequest, credentials: Credentials): ResolvedIdentity {
  const resolved = rowOf(request).resolve(request, credentials);
  if (resolved.ok) return resolved;
  return { ok: false, message: `${failureOf(request)}${resolved.reason}`, stage: resolved.stage ?? 'parameters' };
}

/** The parameter that chose an identity, for messages. */
export interface Choice {
  /** The parameter, or the field of `keyVault`. */
  readonly path: string;
  /** The subject of a sentence. It names the objects that can contain the parameter. */
  readonly words: string;
}

/** Returns the parameter that chose the identity of a request. */
export function choiceOf(request: IdentityRequest, attributes: Attributes): Choice {
  const { chosenBy, credential } = rowOf(request);
  const places = placesOf(attributes);
  if (attributes.parameters.has('keyVault')) {
    const path = `keyVault.vault.credentials.${credential?.field}`;
    return { path, words: `${path} (${places})` };
  }
  if (chosenBy === undefined) return { path: 'clientID', words: `no parameter (${places}) names an identity, which` };
  const name = 'flag' in chosenBy ? chosenBy.flag : chosenBy.text;
  return { path: name, words: `parameter "${name}" (${places})` };
}

/**
 * Returns the places where a parameter can be set. The driver does not send which of the two objects it comes from.
 * Rotation up to v1.5 reads the class only.
 */
function placesOf({ secretProviderClass, pod }: Attributes): string {
  if (secretProviderClass === '') return 'of the SecretProviderClass';
  return `of SecretProviderClass ${clip(`${pod.namespace}/${secretProviderClass}`)}, or of the pod's volumeAttributes`;
}

/**
 * Returns the end of a sentence about modes that the provider does not serve, or undefined if it serves one of them.
 */
export function unservedProblem(kinds: readonly IdentityKind[], served: readonly IdentityKind[]): string | undefined {
  if (kinds.some((kind) => served.includes(kind))) return undefined;
  const modes = `--identity-modes=${served.join(',')}`;
  return (
    `asks for the identity mode ${kinds.join(' or ')}, which this provider does not serve (${modes}); ask for another ` +
    `identity, or start the provider with ${modes},${kinds[0]}`
  );
}

function failureOf(request: IdentityRequest): string {
  return `failed to build auth config for mode ${rowOf(request).officialMode}: `;
}
