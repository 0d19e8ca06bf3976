/**
 * The errors of Key Vault, in its JSON and with its messages. The operations on vaults refuse with them.
 */

import { type HttpResponse, json, Refusal } from '../http/http.ts';
import type { ObjectKind } from '../world/model.ts';

/** The singular of a collection, as Key Vault's messages and codes spell it. */
const NOUNS: Readonly<Record<ObjectKind, { readonly word: string; readonly code: string }>> = {
  secrets: { word: 'secret', code: 'Secret' },
  keys: { word: 'key', code: 'Key' },
  certificates: { word: 'certificate', code: 'Certificate' },
};

const STANDARD: Readonly<Record<number, readonly [code: string, message: string]>> = {
  400: ['BadParameter', 'The request has a bad parameter.'],
  401: ['Unauthorized', 'AKV10000: Request is missing a Bearer or PoP token.'],
  403: ['Forbidden', 'Operation is not allowed.'],
  404: ['NotFound', 'Not found.'],
  409: ['Conflict', 'The object is in a state that conflicts with the request.'],
  429: [
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
  ],
  500: ['InternalServerError', 'An error occurred while processing the request.'],
  501: ['NotImplemented', 'This operation is not part of the emulator.'],
  503: ['ServiceUnavailable', 'The service is unavailable. Try again later.'],
};

/** Returns an error in Key Vault's JSON. */
export function vaultRefusal(status: number, code: string, message: string, innerCode?: string): HttpResponse {
  return json(status, {
    error: { code, message, ...(innerCode === undefined ? {} : { innererror: { code: innerCode } }) },
  });
}

/** Returns Key Vault's generic error for a status. 429 has no `Retry-After`, as in Key Vault. */
export function standardError(status: number): HttpResponse {
  const [code, message] = STANDARD[status] ?? (status < 500 ? ['BadRequest', 'Bad request.'] : STANDARD[500]) ?? [];
  return vaultRefusal(status, code ?? 'InternalServerError', message ?? '');
}

/** Returns a 400 with this message. */
export function badParameter(message: string): Refusal {
  return new Refusal(vaultRefusal(400, 'BadParameter', message));
}

/** Returns a 404 for an object, with its version if one was requested. */
export function notFound(kind: ObjectKind, nameOrId: string): Refusal {
  const { word, code } = NOUNS[kind];
  const message =
    `A ${word} with (name/id) ${nameOrId} was not found in this key vault. If you recently deleted this ${word} ` +
    `you may be able to recover it using the correct recovery command. For help resolving this issue, please see ` +
    'https://go.microsoft.com/fwlink/?linkid=2125182';
  return new Refusal(vaultRefusal(404, `${code}NotFound`, message));
}

/** Returns a 403 for a read of a disabled version. */
export function disabled(kind: ObjectKind): Refusal {
  const { word, code } = NOUNS[kind];
  const message = `Operation get is not allowed on a disabled ${word}.`;
  return new Refusal(vaultRefusal(403, 'Forbidden', message, `${code}Disabled`));
}

/** Returns a 409 for a name that a deleted object still has. */
export function deletedButRecoverable(kind: ObjectKind, name: string): Refusal {
  const { word, code } = NOUNS[kind];
  const message =
    `${code} ${name} is currently in a deleted but recoverable state, and its name cannot be reused; ` +
    `in this state, the ${word} can only be recovered or purged.`;
  return new Refusal(vaultRefusal(409, 'Conflict', message, 'ObjectIsDeletedButRecoverable'));
}

/** Returns a 501 for an operation that the emulator does not implement. */
export function notServed(operation: string): Refusal {
  return new Refusal(vaultRefusal(501, 'NotImplemented', `${operation} is not part of the emulator.`));
}
