/**
 * Defines the error for an answer of a vault with status 200 that does not match the request. `vault-client.ts` and
 * `vault-json.ts` throw it, and `vaultError` explains it.
 */

import { AnsweredError } from '../http/answered.ts';

/** The message says what is wrong and quotes nothing of the answer, which may hold a value. */
export class BadAnswer extends AnsweredError {}

/** The message if the answer is a page of a proxy, or JSON that is incomplete. */
export const NO_JSON = 'the vault answered 200 with a text that is no JSON, so it is not the JSON asked for';
