/**
 * Finds the objects that the selections of a volume take, in the listings of its vault. `mount.ts` calls it before the
 * objects are read. A selection that takes nothing fails the Mount, unless it is optional.
 */

import { ProviderError } from '../base/errors.ts';
import { nextTurn } from '../base/turns.ts';
import { filePathProblem } from '../spc/file-path.ts';
import type { ObjectSpec, SelectionSpec, VolumeSpec } from '../spc/model.ts';
import { objectNamed, pathsOf } from '../spc/name-pattern.ts';
import { choiceInWords, selects } from '../spc/selection.ts';
import { asProviderError, type FailedObject, failuresError } from './failures.ts';
import type { FetchedSpec, WantedObject } from './fetch.ts';
import type { FetchContext, ListedObject, ObjectListing } from './ports.ts';
import type { ReaderOf } from './vaults.ts';

/** Objects of a volume, those that its manifest names included. */
const MAX_OBJECTS = 500;
/** Names that are compared with the globs of a selection before the event loop gets a turn. */
const NAMES_AT_ONCE = 200;

/** The objects of a volume. */
export interface ExpandedVolume {
  /** Those that the manifest names, then those of each selection by name. */
  readonly objects: readonly WantedObject[];
  /** What stands in the place of optional selections that take nothing. */
  readonly unmatched: readonly FetchedSpec[];
}

/**
 * Lists the objects of each vault, once for each type that a selection asks for, and returns those to read. An object that
 * the manifest also names with the same path is that of the manifest.
 * Throws: ERR_TOO_LARGE if there are too many; one error that names every selection that failed.
 */
export async function expandSelections(
  { objects, selections = [] }: Pick<VolumeSpec, 'objects' | 'selections'>,
  readerOf: ReaderOf,
  context: FetchContext,
): Promise<ExpandedVolume> {
  if (selections.length === 0) return { objects, unmatched: [] };
  const listings = new Map<string, Promise<ObjectListing>>();
  const named = byName(objects);
  const list = (pattern: ObjectSpec) => {
    const key = JSON.stringify([pattern.type, pattern.vault]);
    const listing = listings.get(key) ?? readerOf(pattern).list(pattern.type, context);
    listings.set(key, listing);
    return listing;
  };
  const expand = async (selection: SelectionSpec) => {
    const listing = await list(selection.pattern);
    const chosen = await choose(selection, listing, context.signal);
    if (chosen.length === 0 && selection.pattern.ifMissing === undefined) throw nothingTaken(selection, listing);
    const wanted = chosen.map((listed) => wantedOf(selection, listed, listing));
    for (const path of wanted.flatMap(pathsOf)) {
      const problem = filePathProblem(path);
      if (problem !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', problem.text);
    }
    return { isEmpty: chosen.length === 0, wanted: wanted.filter((object) => !isNamed(object, named)) };
  };
  const results = await Promise.allSettled(selections.map(expand));
  const failed: FailedObject[] = [];
  const found: WantedObject[] = [];
  const unmatched: FetchedSpec[] = [];
  for (const [index, selection] of selections.entries()) {
    const result = results[index];
    if (result?.status !== 'fulfilled') failed.push({ label: selection.label, error: asProviderError(result?.reason) });
    else if (result.value.isEmpty) unmatched.push(nothingOf(selection));
    else found.push(...result.value.wanted);
  }
  context.signal.throwIfAborted();
  if (failed.length > 0) throw failuresError(failed, objects.length + selections.length);
  if (objects.length + found.length > MAX_OBJECTS) throw tooMany(objects.length + found.length, selections);
  return { objects: [...objects, ...found], unmatched };
}

/** Returns the objects that a selection takes, each once, by name. */
async function choose(
  selection: SelectionSpec,
  { objects }: ObjectListing,
  signal: AbortSignal,
): Promise<readonly ListedObject[]> {
  const chosen = new Map<string, ListedObject>();
  for (let begin = 0; begin < objects.length; begin += NAMES_AT_ONCE) {
    if (begin > 0) await nextTurn(signal);
    for (const one of objects.slice(begin, begin + NAMES_AT_ONCE)) {
      // Pages may repeat an object if others come and go between them.
      if (one.enabled && selects(selection, one)) chosen.set(one.name.toLowerCase(), one);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the object to read. It may go after the listing, and is left out then. */
function wantedOf({ label, pattern }: SelectionSpec, listed: ListedObject, { listedAt }: ObjectListing): WantedObject {
  const { name, updatedAt } = listed;
  const { type } = pattern;
  return {
    ...objectNamed(pattern, name),
    label: `objectType:${type}, objectName:${name}, selected by ${label}`,
    ifMissing: { kind: 'skip' },
    stamp: listedAt === undefined || updatedAt === undefined ? undefined : { updatedAt, listedAt },
  };
}

/** The paths of the objects that the manifest names, by object. */
type NamedPaths = ReadonlyMap<string, readonly string[]>;

function byName(objects: readonly ObjectSpec[]): NamedPaths {
  const named = new Map<string, readonly string[]>();
  for (const one of objects) {
    const key = keyOf(one);
    named.set(key, [...(named.get(key) ?? []), ...pathsOf(one)]);
  }
  return named;
}

function isNamed(object: ObjectSpec, named: NamedPaths): boolean {
  const paths = named.get(keyOf(object));
  return paths !== undefined && pathsOf(object).some((path) => paths.includes(path));
}

function keyOf({ type, name, vault }: ObjectSpec): string {
  return JSON.stringify([type, name, vault]).toLowerCase();
}

/** The result of an optional selection that takes nothing. Its globs stand for a name in log and versions. */
function nothingOf({ names, pattern }: SelectionSpec): FetchedSpec {
  const name = names.length === 0 ? '*' : names.join(',');
  return { object: { ...pattern, name }, fetched: [], missing: 'not_found' };
}

function nothingTaken(selection: SelectionSpec, { objects }: ObjectListing): ProviderError {
  const disabled = objects.filter((one) => !one.enabled && selects(selection, one)).length;
  const off = disabled === 0 ? '' : `, besides ${disabled} that are disabled`;
  const count = objects.length === 1 ? '1 object' : `${objects.length} objects`;
  const reason =
    `none of the ${count} of this type in the vault matches ${choiceInWords(selection)}${off}; check globs and tags, ` +
    'or add optional: "true"';
  return new ProviderError('ERR_NOT_FOUND', reason);
}

function tooMany(count: number, selections: readonly SelectionSpec[]): ProviderError {
  const labels = selections.map(({ label }) => label).join(' and ');
  return new ProviderError(
    'ERR_TOO_LARGE',
    `failed to mount objects, error: the volume has ${count} objects with those of ${labels}, and ${MAX_OBJECTS} is the ` +
      'most; use narrower globs or more tags, or spread the objects over several SecretProviderClasses',
  );
}
