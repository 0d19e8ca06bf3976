/**
 * Reads the documents of a stream and the manifests in them, also those in lists. Called by the filter `render --into`.
 * Refuses documents that are no manifests, with one line for each that says what it is and what to do.
 */

import { foreignFile } from '../../spc/foreign-text.ts';
import { countDocumentMarks, readStream } from '../../spc/yaml/stream.ts';
import { childOf, kindOf, plainOf, type Tree, textOf } from '../../spc/yaml/tree.ts';
import { type Found, type FoundKeyVault, findKeyVaults, type Source } from '../find.ts';
import { lastUpTo } from '../lines.ts';
import type { Remark } from '../remark.ts';
import type { Path } from './data.ts';

/** One document: its text, byte for byte, and what it holds. */
export interface InputDocument {
  readonly text: string;
  /** The kind of a list that manifests can be added to; undefined for any other document. */
  readonly list?: 'List' | 'ResourceList';
  /** Number of items of the list. */
  readonly length: number;
  /** The configuration of a KRM function, in a ResourceList that has one. */
  readonly functionConfig?: unknown;
  /** The results of a KRM function, in a ResourceList that has some. */
  readonly results?: unknown;
}

/** A manifest in a document. */
export interface InputManifest {
  readonly source: Source;
  /** From 1, in the source. */
  readonly line: number;
  /** Offset of its first character in the source. */
  readonly start: number;
  readonly document: InputDocument;
  /** Leads from the document to the manifest: empty, or that of an item of a list. */
  readonly path: Path;
  /** The manifest as plain data, whose scalars are texts. */
  readonly data: unknown;
  readonly kind: string;
}

/** All that was read of one source. */
export interface InputSource extends Found {
  readonly source: Source;
  readonly documents: readonly InputDocument[];
  readonly manifests: readonly InputManifest[];
  /** The manifest of each object of `found`. */
  readonly owners: readonly InputManifest[];
}

/** Limit of the number of documents of a source, which are counted before they are read. */
const MAX_DOCUMENTS = 100_000;
/** Lists may be in lists, as kubectl takes them. */
const MAX_DEPTH = 5;

/** Reads a source. Its remarks are errors about documents that are no manifests, and those of the `keyVault` fields. */
export function readInputSource(source: Source): InputSource {
  const marks = countDocumentMarks(source.text);
  if (marks > MAX_DOCUMENTS) {
    const message = `there are ${marks} documents; the limit is ${MAX_DOCUMENTS}; give it in parts`;
    const remarks: Remark[] = [{ severity: 'error', source: source.name, line: 1, message }];
    return { source, documents: [], manifests: [], owners: [], found: [], remarks };
  }
  const stream = readStream(source.text);
  const { found, remarks: ofFields } = findKeyVaults(source, stream, 'render --into');
  const remarks: Remark[] = [...ofFields];
  const isForeign = stream.some(({ read }) => !read.ok) && foreignFile(source.text) !== undefined;
  const manifests: InputManifest[] = [];
  const documents = stream.map(({ start, end, read }): InputDocument => {
    const text = source.text.slice(start, end);
    const tree = read.ok ? read.tree : undefined;
    if (tree === undefined || tree.kind === 'null') return { text, length: 0 };
    // A file of another format has one error already.
    const problem = isForeign ? undefined : foreignProblem(tree);
    if (problem !== undefined) {
      remarks.push({ severity: 'error', source: source.name, line: tree.line, message: problem });
      return { text, length: 0 };
    }
    const document = documentOf(tree, text);
    for (const one of manifestsIn(tree, [])) manifests.push({ ...one, source, document });
    return document;
  });
  const owners = ownersOf(found, manifests);
  return { source, documents, manifests, owners, found, remarks: remarks.toSorted((a, b) => a.line - b.line) };
}

/** Returns the manifest that each object is in. Several manifests may be on one line. */
function ownersOf(found: readonly FoundKeyVault[], manifests: readonly InputManifest[]): readonly InputManifest[] {
  const ordered = manifests.toSorted((a, b) => a.start - b.start);
  const starts = ordered.map(({ start }) => start);
  return found.flatMap(({ offset }) => ordered[lastUpTo(starts, offset)] ?? []);
}

function documentOf(tree: Tree, text: string): InputDocument {
  const kind = textOf(tree, 'kind');
  const items = childOf(tree, 'items');
  const length = items?.kind === 'list' ? items.items.length : 0;
  if (kind === 'List') return { text, length, list: kind };
  if (kind !== 'ResourceList') return { text, length };
  const parts = ['functionConfig', 'results'].flatMap((name) => {
    const part = childOf(tree, name);
    return part === undefined ? [] : [[name, plainOf(part)]];
  });
  return { text, length, list: kind, ...Object.fromEntries(parts) };
}

/** Returns the manifest of a tree, or those of a list. Items of a typed list need not have a kind of their own. */
function manifestsIn(tree: Tree, path: Path, kindOfItem = ''): readonly Omit<InputManifest, 'source' | 'document'>[] {
  const own = textOf(tree, 'kind');
  const kind = own === '' ? kindOfItem : own;
  const items = childOf(tree, 'items');
  if (kind.endsWith('List') && items?.kind === 'list' && path.length < MAX_DEPTH * 2) {
    const inner = own === 'List' || own === 'ResourceList' ? '' : kind.slice(0, -'List'.length);
    return items.items.flatMap((item, index) => manifestsIn(item, [...path, 'items', index], inner));
  }
  const data = plainOf(tree);
  const named = typeof data === 'object' && data !== null && own === '' ? { ...data, kind } : data;
  return [{ line: tree.line, start: tree.start, path, data: named, kind }];
}

/** Returns what a document is that Kubernetes does not take, and what to do; undefined for a manifest. */
function foreignProblem(tree: Tree): string | undefined {
  const has = (...names: readonly string[]) => names.some((name) => childOf(tree, name) !== undefined);
  if (tree.kind === 'list') {
    const isPatch = tree.items.some((item) => textOf(item, 'op') !== '' && textOf(item, 'path') !== '');
    return isPatch ? `this is a JSON patch, not a manifest; ${KUSTOMIZE}` : `this is a list, not a manifest; ${REMEDY}`;
  }
  if (tree.kind !== 'map') return `this is ${kindOf(tree)}, not a manifest; ${REMEDY}`;
  const kind = textOf(tree, 'kind');
  const group = textOf(tree, 'apiVersion').split('/')[0] ?? '';
  const isKustomization =
    ['Kustomization', 'Component'].includes(kind) && /^(kustomize\.config\.k8s\.io)?$/.test(group);
  if (isKustomization || (kind === '' && has('resources', 'patches', 'components') && !has('$schema')))
    return `this is a kustomization, not a manifest to apply; ${KUSTOMIZE}`;
  if (kind !== '') return undefined;
  if (has('$schema') && has('resources')) return 'this is an ARM template, not a manifest; render it without --into';
  if (group === 'v2' && has('name', 'version'))
    return `this is the Chart.yaml of a Helm chart, not a manifest; ${HELM}`;
  return `this is no manifest: it has no "kind" (values of a Helm chart have none either; then ${HELM})`;
}

const REMEDY = 'take it out of the stream';
const KUSTOMIZE = 'apply it first: kubectl kustomize DIR | akv-csi render --into -';
const HELM = 'render the chart first: helm template RELEASE CHART | akv-csi render --into -';
