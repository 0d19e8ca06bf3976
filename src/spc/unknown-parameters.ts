/**
 * Reports parameters that neither form knows: what each may be meant to be, and whether one was meant to name the
 * identity. Called by the reader of parameters. In the classic form they are ignored, as the official provider ignores
 * them; in the `keyVault` form they are refused.
 */

import { parseGoBoolean } from '../base/go.ts';
import { misspelt, nearest, quote } from '../base/words.ts';
import type { Finding } from './finding.ts';
import { FLAGGED_ROWS, NAMED_ROWS } from './identities/table.ts';
import { identityHint } from './identity-names.ts';
import { ALL_NAMES, CLASSIC_NAMES, KEY_VAULT_NAMES } from './parameter-names.ts';

/** A remark about one parameter. */
export interface UnknownParameter {
  readonly name: string;
  readonly severity: Finding['severity'];
  readonly message: string;
}

type Parameters = ReadonlyMap<string, string>;

/** Unknown parameters that are compared with known ones, and hints that are shown, if there is no identity. */
const MAX_UNKNOWN = 100;
const MAX_HINTS = 3;

const BESIDE_MANAGED = 'it has a meaning only with useVMManagedIdentity: "true"; set that, too';

/** Returns the misspelt parameter that may be meant to be the one of this name, which is missing. */
export function misspeltFor(name: string, parameters: Parameters): string | undefined {
  return misspelt(name, [...parameters.keys()], ALL_NAMES);
}

/**
 * Returns the parameters that the classic form does not know: a warning if one was meant to name the identity and no
 * other parameter names one, else a note. Parameters that the error about a missing one names are left out.
 */
export function unknownInClassic(parameters: Parameters): readonly UnknownParameter[] {
  const hasIdentity = namesIdentity(parameters);
  const taken = takenForMissing(parameters);
  const unknown = unknownNames(parameters, CLASSIC_NAMES)
    .filter((name) => !taken.includes(name))
    .map((name, index) =>
      index < MAX_UNKNOWN
        ? aboutUnknown(name, hasIdentity)
        : ({ name, severity: 'note', message: `parameter ${quote(name)} is unknown and ignored` } as const),
    );
  if (textOf(parameters, 'userAssignedIdentityID') === '' || hasIdentity) return unknown;
  const message = `userAssignedIdentityID is ignored: ${BESIDE_MANAGED}`;
  return [...unknown, { name: 'userAssignedIdentityID', severity: 'warning', message }];
}

/**
 * Returns the parameters that the `keyVault` form does not know, as errors; those that are reported already are left
 * out.
 */
export function unknownBesideKeyVault(
  parameters: Parameters,
  reported: readonly string[],
): readonly UnknownParameter[] {
  return unknownNames(parameters, [...KEY_VAULT_NAMES, ...reported]).map((name, index) => {
    const isCompared = index < MAX_UNKNOWN && !CLASSIC_NAMES.includes(name);
    const near = isCompared ? nearest(name, KEY_VAULT_NAMES) : undefined;
    const rule = `next to keyVault only ${KEY_VAULT_NAMES.slice(1).join(', ')} are allowed`;
    const message = `parameter ${quote(name)} is unknown; ${near === undefined ? rule : `did you mean "${near}"?`}`;
    return { name, severity: 'error', message };
  });
}

/**
 * Returns the parameters that were meant to name the identity and are ignored, such as `parameter "clientId" is
 * ignored: …`.
 */
export function ignoredIdentities(parameters: Parameters): readonly string[] {
  const unknown = unknownNames(parameters, CLASSIC_NAMES).slice(0, MAX_UNKNOWN);
  const hints = unknown.flatMap((name) => {
    const hint = identityHint(name);
    return hint === undefined ? [] : [`parameter ${quote(name)} is ignored: ${hint}`];
  });
  const alone = textOf(parameters, 'userAssignedIdentityID') !== '' && hints.length === 0;
  return alone ? [`userAssignedIdentityID is ignored: ${BESIDE_MANAGED}`] : hints.slice(0, MAX_HINTS);
}

function aboutUnknown(name: string, hasIdentity: boolean): UnknownParameter {
  if (KEY_VAULT_NAMES.includes(name)) {
    return {
      name,
      severity: 'note',
      message: `parameter "${name}" has a meaning only next to keyVault; it is ignored`,
    };
  }
  const identity = identityHint(name);
  const near = identity === undefined ? nearest(name, ALL_NAMES) : undefined;
  const hint = identity ?? (near === undefined ? undefined : `did you mean ${quote(near)}?`);
  const message = `parameter ${quote(name)} is unknown and ignored${hint === undefined ? '' : `; ${hint}`}`;
  return { name, severity: identity !== undefined && !hasIdentity ? 'warning' : 'note', message };
}

/** Returns the unknown parameters that the errors about missing ones name. */
function takenForMissing(parameters: Parameters): readonly (string | undefined)[] {
  const needed = ['keyvaultName', 'objects', ...(textOf(parameters, 'tenantId') === '' ? ['tenantID'] : [])];
  return needed.filter((one) => textOf(parameters, one) === '').map((one) => misspeltFor(one, parameters));
}

/** True if the manifest itself names an identity, so that no service principal is needed. */
function namesIdentity(parameters: Parameters): boolean {
  const flagged = FLAGGED_ROWS.some(({ flag }) => parseGoBoolean(textOf(parameters, flag)) === true);
  return flagged || NAMED_ROWS.some(({ text }) => textOf(parameters, text) !== '');
}

/**
 * Returns the unknown names. Names with a domain, such as `example.com/x`, belong to other programs and are left out.
 */
function unknownNames(parameters: Parameters, known: readonly string[]): readonly string[] {
  return [...parameters.keys()].filter(
    (name) => !known.includes(name) && !name.includes('/') && name !== 'providerName',
  );
}

function textOf(parameters: Parameters, name: string): string {
  return parameters.get(name) ?? '';
}
