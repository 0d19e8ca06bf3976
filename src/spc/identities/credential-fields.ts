/**
 * Reads client IDs below `keyVault.vault.credentials`. Called by the rows of modes that have one there. Refuses an ID
 * that is missing or was not filled in.
 */

import type { Fields } from '../fields.ts';
import { clientIdDoubt, placeholderIn } from '../placeholder.ts';

/** Returns the `clientId` of a credential, with a warning if it does not look like one; empty if it is missing. */
export function clientIdOf(credential: Fields | undefined, meaning: string): string {
  const text = credential?.filledIn('clientId', meaning) ?? '';
  if (credential === undefined || text === '' || placeholderIn(text) !== undefined) return text;
  const doubt = clientIdDoubt(text);
  if (doubt !== undefined) credential.warning('clientId', doubt);
  return text;
}
