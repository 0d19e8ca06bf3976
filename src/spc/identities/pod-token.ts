/**
 * Finds the pod's service-account token of an audience. Called by the rows of modes that log in with one. Refuses a
 * request without such a token, with the setting that brings it.
 */

import type { Secret } from '../../base/secret.ts';
import { findToken } from '../tokens.ts';
import type { Credentials, Resolution } from './identity-row.ts';

/** The token that a mode needs, with the official provider's texts if it is missing or cannot be read. */
export interface NeededToken {
  readonly audience: string;
  readonly missing: string;
  readonly unreadable: string;
  /** Follows the remedy if the token is missing. */
  readonly hint: string;
}

/** The refusal is one of any identity. */
export type PodToken =
  | { readonly ok: true; readonly token: Secret }
  | Extract<Resolution<never>, { readonly ok: false }>;

/** Returns the pod's token. */
export function podToken({ audience, missing, unreadable, hint }: NeededToken, { tokens, now }: Credentials): PodToken {
  const remedy = `${tokenRemedy(audience)}${hint}`;
  if (tokens === undefined) return { ok: false, reason: `${missing}${remedy}` };
  const found = findToken(tokens, audience, now);
  if (found.ok) return found;
  return {
    ok: false,
    reason: `${unreadable}, error: ${found.reason}${found.absent ? remedy : ''}`,
    stage: found.stage,
  };
}

function tokenRemedy(audience: string): string {
  return (
    `; the CSIDriver object must ask for it (spec.tokenRequests with audience ${audience}: ` +
    "the driver chart's value tokenRequests), and pods started before that must be restarted"
  );
}
