/**
 * The conventions of KRM functions, by which kustomize and kpt call programs: a ResourceList in and out, its
 * configuration, its results, and the files of new resources. Called by the filter `render --into` and its command.
 */

import { dirname } from 'node:path/posix';
import { isJsonObject } from '../../base/json.ts';
import { nearest, oneOf, quote } from '../../base/words.ts';
import type { Remark } from '../remark.ts';
import type { Change } from './changes.ts';
import { type Data, isSame, textAt, valueAt } from './data.ts';
import type { InputDocument, InputSource } from './manifests.ts';

/** Options of the command in a function's configuration: texts, or lists of texts. */
export type FunctionOptions = Readonly<Record<string, string | readonly string[]>>;

/** Names of options that are one text, and of those that are a list, or lines of a text. */
const TEXTS: readonly string[] = ['directoryId', 'provider', 'mountPath', 'syncSecrets', 'watchImage'];
const LISTS: readonly string[] = ['fileNames', 'pods', 'watches'];

/** Returns the ResourceLists of the input; a function gets exactly one. */
export function resourceListsOf(inputs: readonly InputSource[]): readonly InputDocument[] {
  return inputs.flatMap(({ documents }) => documents.filter(({ list }) => list === 'ResourceList'));
}

/** Returns the options of a function: `data` of a ConfigMap, or `spec` of any other kind. Unknown names are mistakes. */
export function functionOptions(functionConfig: unknown): {
  readonly options: FunctionOptions;
  readonly mistakes: readonly string[];
} {
  const place = textAt(functionConfig, ['kind']) === 'ConfigMap' ? 'data' : 'spec';
  const given = valueAt(functionConfig, [place]);
  const options: Record<string, string | readonly string[]> = {};
  const mistakes: string[] = [];
  for (const [name, value] of Object.entries(isJsonObject(given) ? given : {})) {
    const problem = problemOf(name, value);
    if (problem !== undefined) mistakes.push(`functionConfig.${place}.${name} ${problem}`);
    else if (TEXTS.includes(name)) options[name] = String(value);
    else options[name] = linesIn(value).flatMap((one) => (String(one).trim() === '' ? [] : [String(one).trim()]));
  }
  return { options, mistakes };
}

function linesIn(value: unknown): readonly unknown[] {
  if (typeof value === 'string') return value.split(/\r?\n/);
  return Array.isArray(value) ? value : [undefined];
}

/** Returns the problem of an option, in words that follow its name, or undefined. */
function problemOf(name: string, value: unknown): string | undefined {
  if (name === 'syncSecrets' && value !== 'true' && value !== 'false') return 'is neither true nor false';
  if (TEXTS.includes(name)) return typeof value === 'string' ? undefined : 'is not a text';
  if (LISTS.includes(name)) {
    const isTexts = linesIn(value).every((one) => typeof one === 'string');
    return isTexts ? undefined : 'is neither a list of texts nor a text with a line for each';
  }
  const known = [...TEXTS, ...LISTS];
  const guess = nearest(name, known);
  return guess === undefined ? `is unknown; there are: ${oneOf(known)}` : `is unknown; did you mean ${quote(guess)}?`;
}

/** Returns the change that puts the remarks into `results`; none if there are none. */
export function resultsOf(
  document: InputDocument,
  remarks: readonly Remark[],
  mistakes: readonly string[],
): readonly Change[] {
  const results = [
    ...mistakes.map((message) => ({ message, severity: 'error' })),
    ...remarks.map(({ message, severity }) => ({ message, severity: severity === 'note' ? 'info' : severity })),
  ];
  if (results.length === 0 && document.results === undefined) return [];
  return isSame(results, document.results) ? [] : [{ op: 'add', path: ['results'], value: results }];
}

const PATHS: readonly string[] = ['config.kubernetes.io/path', 'internal.config.kubernetes.io/path'];

/** Returns a new resource with the annotations of its file: one of its own next to the file of the resource it is of. */
export function withPathOf(
  resource: { readonly kind: string; readonly metadata: { readonly name: string } },
  owner: unknown,
): Data {
  const annotations = PATHS.flatMap((name): [string, string][] => {
    const path = textAt(owner, ['metadata', 'annotations', name]);
    if (path === '') return [];
    const file = `${resource.kind.toLowerCase()}_${resource.metadata.name}.yaml`;
    return [[name, dirname(path) === '.' ? file : `${dirname(path)}/${file}`]];
  });
  if (annotations.length === 0) return { ...resource };
  const own = valueAt(resource, ['metadata', 'annotations']);
  const all = { ...(isJsonObject(own) ? own : {}), ...Object.fromEntries(annotations) };
  return { ...resource, metadata: { ...resource.metadata, annotations: all } };
}
