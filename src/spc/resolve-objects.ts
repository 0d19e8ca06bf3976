/**
 * Resolves the references between objects (`passwordFrom`), and finds files of different objects that collide. Called
 * after all objects of a manifest are read. Refuses references to objects that are not there, and manifests that give
 * no file.
 */

import { clip } from '../base/words.ts';
import { EXTRACT_FIELD } from './extract.ts';
import { type ClaimedPath, filePathProblem, pathConflicts } from './file-path.ts';
import type { Findings } from './finding.ts';
import { METADATA_FIELD } from './metadata.ts';
import type { ContentSpec, LiteralFile, ObjectSpec, OutputSpec, SelectionSpec } from './model.ts';
import type { NamedObject } from './object.ts';

/** Selections of a manifest; each compares its globs with all names of a vault. */
const MAX_SELECTIONS = 20;
/** Versions of one object whose paths are compared with those of other objects before any of them is read. */
const MAX_CLAIMED_VERSIONS = 100;
/** The same for all objects together; the check of the response covers the rest. */
const MAX_CLAIMS = 2000;
/** Characters of the claimed paths of all objects together. */
const MAX_CLAIMED_CHARS = 256 * 1024;

/** The objects that a manifest names, and its selections. */
export interface ResolvedObjects {
  readonly objects: readonly ObjectSpec[];
  readonly selections: readonly SelectionSpec[];
}

/**
 * Turns names of other objects (`passwordFrom`) into their indexes and reports paths that collide, with those of
 * literals too. Those of selections are compared when their objects are known.
 */
export function resolveObjects(
  items: readonly NamedObject[],
  findings: Findings,
  literals: readonly LiteralFile[] = [],
): ResolvedObjects {
  const named = items.filter(({ choice }) => choice === undefined);
  const resolve = (object: NamedObject): ObjectSpec => {
    const { spec } = object;
    if (spec.content.kind !== 'outputs') return spec;
    const find = (name: string, path: string, line: number) => {
      if (name === '') return undefined;
      const isMeant = (one: NamedObject) => one !== object && one.spec.type === 'secret' && one.spec.name === name;
      const inVault = named.findIndex((one) => isMeant(one) && one.spec.vault?.name === spec.vault?.name);
      const index = inVault === -1 ? named.findIndex(isMeant) : inVault;
      const lender = named[index];
      if (lender?.spec.ifMissing !== undefined)
        findings.error(path, `${path}: ${optionalSecret(name, lender)}`, { line });
      if (lender !== undefined) return index;
      findings.error(path, `${path}: ${noSuchSecret(clip(name))}`, { line });
      return undefined;
    };
    const outputs: readonly OutputSpec[] = object.outputs.map(({ field, line, ...output }) => ({
      ...output,
      passwordFrom: find(output.passwordFrom, `${field}.passwordFrom`, line),
    }));
    const passwordFrom = find(object.passwordFrom, `${object.path}.passwordFrom`, object.line);
    const content: ContentSpec = { ...spec.content, outputs, passwordFrom };
    return { ...spec, content };
  };
  const objects = named.map(resolve);
  const selections = items.flatMap((item) =>
    item.choice === undefined ? [] : [{ ...item.choice, pattern: resolve(item) }],
  );
  if (selections.length > MAX_SELECTIONS) {
    const remedy = 'list more globs in one of them, or spread them over several SecretProviderClasses';
    const line = items.find(({ choice }) => choice !== undefined)?.line;
    findings.error('objects', `objects holds ${selections.length} selections, more than ${MAX_SELECTIONS}; ${remedy}`, {
      line,
    });
  }
  reportConflicts(named, findings, literals);
  if (
    objects.length > 0 &&
    selections.length === 0 &&
    objects.every(({ content, metadata }) => content.kind === 'outputs' && content.outputs.length === 0 && !metadata)
  ) {
    findings.error('objects', 'the objects give no file: each has an empty files map', { line: named[0]?.line });
  }
  return { objects, selections };
}

/** A path, with the field that names it. */
interface PlacedPath extends ClaimedPath {
  readonly field: string;
  readonly line: number;
}

/** Reports paths that cannot both exist, each pair of owners once. */
function reportConflicts(named: readonly NamedObject[], findings: Findings, literals: readonly LiteralFile[]): void {
  const line = named[0]?.line ?? 1;
  const fixed = literals.map(({ label, path }): PlacedPath => ({ path, owner: label, field: label, line }));
  const claims = [...fixed, ...named.flatMap((object) => claimedPaths(object, named.length))].filter(
    ({ path }) => filePathProblem(path) === undefined,
  );
  const reported = new Set<string>();
  for (const { claim, other, message } of pathConflicts(claims)) {
    const pair = `${other.field}\0${claim.field}`;
    if (!reported.has(pair)) findings.error(claim.field, message, { line: claim.line });
    reported.add(pair);
  }
}

function claimedPaths({ path: place, line, spec, outputs }: NamedObject, objects: number): readonly PlacedPath[] {
  const { label, history, content, metadata } = spec;
  // Labels of the keyVault form begin with the place; those of the classic form are the official provider's.
  const ownerAt = (field: string) =>
    label.startsWith(place) ? `${field}${label.slice(place.length)}` : `${field} (${label})`;
  const claims = (path: string, field: string): readonly PlacedPath[] => {
    const claim = (path: string): PlacedPath => ({ path, owner: ownerAt(field), field, line });
    if (history <= 1) return [claim(path)];
    const most = Math.ceil(Math.min(MAX_CLAIMS, MAX_CLAIMED_CHARS / path.length) / objects);
    const count = path === '' ? 0 : Math.min(history, most, MAX_CLAIMED_VERSIONS);
    return Array.from({ length: count }, (_, i) => claim(`${path}/${i}`));
  };
  const about = metadata === undefined ? [] : claims(metadata.path, `${place}.${METADATA_FIELD}`);
  if (spec.templateOnly) return about;
  if (content.kind === 'value') return [...claims(content.path, place), ...about];
  if (content.kind === 'parts') {
    const { parts, whole } = content;
    const fixed = parts.filter(({ each }) => !each);
    return [
      ...(whole === undefined ? [] : claims(whole.path, place)),
      ...fixed.flatMap(({ path }) => claims(path, `${place}.${EXTRACT_FIELD}.${clip(path)}`)),
      ...about,
    ];
  }
  return [...outputs.map(({ path, field, line }) => ({ path, owner: ownerAt(field), field, line })), ...about];
}

function optionalSecret(name: string, { path }: NamedObject): string {
  return `passwordFrom "${clip(name)}" names ${path}, which is optional, and a password cannot be; remove optional there`;
}

function noSuchSecret(name: string): string {
  return (
    `passwordFrom "${name}" names no other secret of this mount; add an object with objectType: secret and ` +
    `objectName: ${name} (with "files: {}" it is read and not written)`
  );
}
