/**
 * Makes changes in a document of a stream and checks the result: it holds the changes, and nothing else has changed.
 * Called by the filter `render --into`. Inserts into the text where it can; otherwise writes the document again.
 */

import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument, visit, type YAMLMap } from 'yaml';
import { readStream } from '../../spc/yaml/stream.ts';
import { plainOf, type Tree } from '../../spc/yaml/tree.ts';
import { blockText } from './block-text.ts';
import { applyChanges, type Change } from './changes.ts';
import { isSame } from './data.ts';
import { spliceChanges } from './splice.ts';

/** Returns the text of a document with the changes made; undefined if that is not possible. */
export function rewrite(text: string, changes: readonly Change[]): string | undefined {
  const tree = treeOf(text);
  if (tree === undefined) return undefined;
  const newLine = text.includes('\r\n') ? '\r\n' : '\n';
  const wanted = applyChanges(plainOf(tree), changes);
  const holdsWanted = (result: string | undefined) => {
    const changed = result === undefined ? undefined : treeOf(result);
    return changed !== undefined && isSame(plainOf(changed), wanted);
  };
  const inserted = spliceChanges(text, tree, changes, newLine);
  if (holdsWanted(inserted)) return inserted;
  const written = writeAgain(text, changes).replaceAll('\n', newLine);
  return holdsWanted(written) ? written : undefined;
}

/** Returns the tree of a text that is one document; undefined for any other. */
function treeOf(text: string): Tree | undefined {
  const [document, ...others] = readStream(text);
  return others.length === 0 && document?.read.ok === true ? document.read.tree : undefined;
}

/**
 * Writes a document again, with its comments. Aliases and merges are written out: a change must not reach the other
 * places that an anchor is used at.
 */
function writeAgain(text: string, changes: readonly Change[]): string {
  // The tree was read without names that repeat; searching them again takes as long as the square of their number.
  const document = parseDocument(text, { schema: 'failsafe', logLevel: 'silent', uniqueKeys: false });
  // Anchors come before their aliases. `alias.resolve` would search the whole document for each alias.
  const anchors = new Map<string, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) return (anchors.get(node.source)?.clone() as Node | undefined) ?? visit.REMOVE;
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
      return undefined;
    },
  });
  visit(document, { Map: (_, map) => writeMergesOut(map) });
  visit(document, { Node: (_, node) => void ('anchor' in node && delete node.anchor) });
  for (const { path, value } of changes) document.setIn(path, newNode(value));
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Moves the entries of merges into the map that merges them; its own entries come first. */
function writeMergesOut(map: YAMLMap): void {
  const isMerge = ({ key }: Pair) => isScalar(key) && key.value === '<<' && key.type === 'PLAIN';
  const merges = map.items.filter(isMerge).map(({ value }) => value);
  if (merges.length === 0) return;
  map.items = map.items.filter((pair) => !isMerge(pair));
  const names = new Set(map.items.map(nameOf));
  for (const merged of merges.flatMap((value) => (isSeq(value) ? value.items : [value]))) {
    if (!isMap(merged)) continue;
    writeMergesOut(merged);
    for (const pair of merged.items) {
      const name = nameOf(pair);
      if (!names.has(name)) map.items.push(pair);
      names.add(name);
    }
  }
}

function nameOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** Returns the node of a value, with the quotes of {@link blockText}. */
function newNode(value: unknown): unknown {
  return parseDocument(blockText(value), { schema: 'failsafe' }).contents;
}
