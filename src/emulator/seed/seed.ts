/**
 * Reads the YAML of a seed. The emulator calls it when it starts. Refuses invalid seeds and reports all mistakes at
 * once.
 */

import * as v from 'valibot';
import { parseAllDocuments } from 'yaml';
import { ProviderError } from '../../base/errors.ts';
import { isJsonObject } from '../../base/json.ts';
import { nearest, oneOf } from '../../base/words.ts';
import { SEED_SCHEMA, type Seed } from './seed-schema.ts';

type Path = readonly (string | number)[];

const DAY_MS = 24 * 3600 * 1000;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS, y: 365 * DAY_MS };

/**
 * Reads a seed. One error reports all mistakes, each with its path, such as `vaults[0].secrets[2].value`.
 * Throws: ERR_BAD_PARAMETERS.
 */
export function parseSeed(yaml: string): Seed {
  const [document, ...others] = parseAllDocuments(yaml);
  if (document === undefined || document.contents === null) throw badSeed(['the document: it is empty']);
  if (others.length > 0) throw badSeed([`the document: there are ${others.length + 1} of them; keep one`]);
  if (document.errors.length > 0) throw badSeed(document.errors.map((error) => error.message));
  const parsed = v.safeParse(SEED_SCHEMA, document.toJS({ maxAliasCount: 100 }));
  if (!parsed.success) throw badSeed(parsed.issues.flatMap((issue) => explain(issue, [])));
  return parsed.output;
}

/** Returns the error for a seed that cannot be used. */
export function badSeed(problems: readonly string[]): ProviderError {
  const lines = problems.map((problem) => `  ${problem}`).join('\n');
  return new ProviderError('ERR_BAD_PARAMETERS', `The emulator's seed cannot be used:\n${lines}`);
}

/** Converts a date, or an offset from `now` such as `-1d` or `+12h`, to milliseconds since 1970. */
export function resolveTime(time: string, now: number): number {
  const offset = /^([+-]\d+)([smhdy])$/.exec(time);
  return offset === null ? Date.parse(time) : now + Number(offset[1]) * (UNIT_MS[offset[2] ?? ''] ?? 0);
}

function explain(issue: v.BaseIssue<unknown>, above: Path): string[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)))];
  const inside = insideUnion(issue);
  if (inside.length > 0) return inside.flatMap((inner) => explain(inner, path));
  const where = pathText(path);
  if (issue.expected === 'never') return [`${where}: unknown field${suggestion(path)}`];
  if (issue.received === 'undefined') return [`${where}: is missing`];
  if (issue.type !== 'picklist' && issue.type !== 'variant') return [`${where}: ${issue.message}`];
  return [`${where}: must be one of ${issue.expected?.replace(/[()]/g, '').replaceAll(' | ', ', ')}`];
}

/**
 * Returns the issues that the branches of a union found inside the items of a list. Such an issue shows which branch
 * was meant.
 */
function insideUnion(issue: v.BaseIssue<unknown>): readonly v.BaseIssue<unknown>[] {
  if (issue.type !== 'union') return [];
  return (issue.issues ?? []).filter(({ path }) => path !== undefined && path.length > 1);
}

function pathText(path: Path): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
  return text.replace(/^\./, '') || 'the document';
}

function suggestion(path: Path): string {
  const known = path.slice(0, -1).reduce<readonly unknown[]>(descend, [SEED_SCHEMA]).flatMap(fieldNames);
  const near = nearest(String(path.at(-1)), known);
  if (near !== undefined) return `; did you mean "${near}"?`;
  return known.length === 0 ? '' : `; known: ${oneOf(known)}`;
}

/** Returns the schemas of member `key` in the given schemas. */
function descend(schemas: readonly unknown[], key: string | number): readonly unknown[] {
  return schemas.flatMap((schema): unknown[] => {
    if (!isJsonObject(schema)) return [];
    if (typeof key === 'number' && 'item' in schema) return unwrap(schema.item);
    return isJsonObject(schema.entries) ? unwrap(schema.entries[key]) : [];
  });
}

function unwrap(schema: unknown): unknown[] {
  if (!isJsonObject(schema)) return [];
  if ('wrapped' in schema) return unwrap(schema.wrapped);
  return Array.isArray(schema.options) ? schema.options.flatMap(unwrap) : [schema];
}

function fieldNames(schema: unknown): string[] {
  return isJsonObject(schema) && isJsonObject(schema.entries) ? Object.keys(schema.entries) : [];
}
