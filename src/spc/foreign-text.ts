/**
 * Recognises texts that are no manifest: a Helm template, Markdown, a web page, a patch, a resource to be rendered
 * first. Called by `check` and `render`, so that one line says what to do instead of an error about YAML.
 */

import { nearest, quote } from '../base/words.ts';
import type { ManifestPart } from './yaml/manifests.ts';
import { childOf, type Tree, textOf, type YamlError } from './yaml/tree.ts';

/** Limits of the search for a `keyVault` field: levels, and values. */
const MAX_DEPTH = 20;
const MAX_VALUES = 20_000;

/** Returns what to do about a whole file that is another format than YAML, or undefined if it may be YAML. */
export function foreignFile(text: string): string | undefined {
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return 'this is a web page, not YAML; download the raw file';
  if (/^(```|~~~)/m.test(text)) return 'this is Markdown, not YAML; give the blocks of YAML in it, without the fences';
  return undefined;
}

/**
 * Returns what to do about a document of another format that cannot be read as YAML because of line `line` (from 1, in
 * the document), or undefined if it is YAML with a mistake. `command` is the command to pipe into.
 */
export function foreignDocument(text: string, line: number, command: string): string | undefined {
  const lines = text.split('\n');
  if (lines.some((one) => /^(<{7}|>{7}) /.test(one)))
    return 'this holds the marks of a merge conflict; resolve it first';
  const isControl = lines.some((one) => /^\s*(- )?\{\{|:\s+\{\{/.test(one));
  const isNear = lines.slice(Math.max(0, line - 2), line + 1).some((one) => one.includes('{{'));
  if (!isControl && !isNear) return undefined;
  const rest = `helm template RELEASE CHART | akv-csi ${command} -`;
  return `this is a template, not YAML; render it first, with Helm: ${rest}`;
}

/**
 * Returns what is wrong with a document that cannot be read: what to do if it is another format than YAML, else all
 * mistakes that the reader found. Lines are those of the file.
 */
export function unreadable(
  { text, line: first }: Pick<ManifestPart, 'text' | 'line'>,
  errors: readonly Pick<YamlError, 'line' | 'message'>[],
  command: string,
): readonly Pick<YamlError, 'line' | 'message'>[] {
  const [{ line = first } = {}] = errors;
  const foreign = foreignDocument(text, line - first + 1, command);
  return foreign === undefined ? errors : [{ line, message: foreign }];
}

/** Returns what to do with a document given to `command` that is not a SecretProviderClass, or undefined. */
export function foreignKind(document: Tree, command: string): string | undefined {
  if (document.kind === 'list') {
    const isPatch = document.items.every((item) =>
      ['op', 'path'].every((name) => childOf(item, name)?.kind === 'text'),
    );
    return isPatch && document.items.length > 0
      ? `this is a JSON patch; ${KUSTOMIZE} | akv-csi ${command} -`
      : undefined;
  }
  const kind = textOf(document, 'kind');
  const name = textOf(childOf(document, 'metadata'), 'name');
  const what = `${quote(`${kind} ${name}`.trim())}`;
  if (kind === 'Kustomization') return `${what} is not a manifest to apply; ${KUSTOMIZE} | akv-csi ${command} -`;
  if (kind === 'HelmRelease') return `${what} is not a manifest to apply; ${HELM} | akv-csi ${command} -`;
  if (hasKeyVault(document, { depth: 0, left: { count: MAX_VALUES } }))
    return `${what} has a keyVault field; make SecretProviderClasses of it first: akv-csi render FILE | akv-csi ${command} -`;
  const isMisspelt =
    kind !== '' && kind !== CLASS && nearest(kind, [CLASS]) !== undefined && !kind.endsWith('PodStatus');
  return isMisspelt && !/List$/.test(kind) ? `kind is ${quote(kind)}; did you mean "${CLASS}"?` : undefined;
}

const CLASS = 'SecretProviderClass';
const KUSTOMIZE = 'apply it first: kubectl kustomize DIR';
const HELM = 'render it first: helm template RELEASE CHART';

interface Search {
  readonly depth: number;
  readonly left: { count: number };
}

function hasKeyVault(tree: Tree, { depth, left }: Search): boolean {
  if (--left.count < 0 || depth > MAX_DEPTH) return false;
  const below = { depth: depth + 1, left };
  if (tree.kind === 'list') return tree.items.some((item) => hasKeyVault(item, below));
  if (tree.kind !== 'map') return false;
  return [...tree.entries].some(
    ([name, { value }]) =>
      (name === 'keyVault' && childOf(value, 'vault')?.kind === 'map') || hasKeyVault(value, below),
  );
}
