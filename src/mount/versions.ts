/**
 * Chooses the versions of an object's history. `fetch.ts` calls it. An unknown or disabled version to begin with, and a
 * history without an enabled version, are refused.
 */

import { ProviderError } from '../base/errors.ts';
import type { ObjectSpec } from '../spc/model.ts';
import type { ListedVersion } from './ports.ts';
import { type DateWatch, noneValid } from './validity.ts';

/**
 * Returns the newest `history` enabled versions, from the named one (or the current one) back. `dates`: only versions
 * whose dates hold.
 * Differs: the official provider delivers one more than asked for, and nothing if the named version is unknown.
 * Throws: ERR_NOT_FOUND, ERR_DISABLED, ERR_BAD_CONTENT.
 */
export function chooseVersions(
  { version, history, name }: ObjectSpec,
  listed: readonly ListedVersion[],
  dates?: DateWatch,
): readonly string[] {
  // Versions of the same second are ordered by their ids, so that the order is the same each time.
  const sorted = [...listed].sort((a, b) => b.createdAt - a.createdAt || (a.version < b.version ? -1 : 1));
  const named = sorted.find((one) => one.version === version);
  if (version !== '' && named === undefined) {
    throw new ProviderError(
      'ERR_NOT_FOUND',
      `"${name}" has no version ${version} to begin the version history with; ${known(sorted)}`,
    );
  }
  if (named?.enabled === false) {
    throw new ProviderError(
      'ERR_DISABLED',
      `version ${version} of "${name}", with which the version history is to begin, is disabled; ${known(sorted)}`,
    );
  }
  const enabled = sorted.filter((one) => one.enabled);
  const fromNamed = enabled.slice(named === undefined ? 0 : enabled.indexOf(named));
  const valid = dates === undefined ? fromNamed : fromNamed.filter((one) => dates.isValid(one));
  if (fromNamed.length > 0 && valid.length === 0) throw noneValid();
  const chosen = valid.slice(0, history);
  if (chosen.length === 0) {
    const reason = listed.length === 0 ? 'has no version' : 'has no enabled version';
    const code = listed.length === 0 ? 'ERR_NOT_FOUND' : 'ERR_DISABLED';
    const text = `${reason}; add one in the vault`;
    throw new ProviderError(code, `"${name}" ${text}`, { reason: `it ${text}` });
  }
  return chosen.map((one) => one.version);
}

function known(sorted: readonly ListedVersion[]): string {
  const enabled = sorted.filter((one) => one.enabled).map((one) => one.version);
  if (enabled.length === 0) return 'no version of it is enabled';
  return `enabled are ${enabled.slice(0, 3).join(', ')}${enabled.length > 3 ? ` and ${enabled.length - 3} more` : ''}`;
}
