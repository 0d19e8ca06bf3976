/**
 * Puts documents and added documents together as one stream. Called by the filter `render --into`. Adds `---` only where
 * a document was added, or a file begins.
 */

/** A document as it is printed, and the documents that are added behind it. */
export interface OutputDocument {
  readonly text: string;
  readonly added: readonly string[];
}

/** Comments and empty lines, and then `---`. */
const HAS_MARK = /^(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*---/;

/** A part of the output. `isNew`: it did not follow the part before it in its source. */
interface Part {
  readonly text: string;
  readonly isNew: boolean;
}

/** Joins the documents of all sources, in their order. Documents that follow each other in a source stay as they are. */
export function joinDocuments(sources: readonly (readonly OutputDocument[])[]): string {
  const parts = sources.flatMap((documents) => partsOf(documents)).filter(({ text }) => text !== '');
  const texts = parts.map(({ text, isNew }, index) => {
    const before = parts[index - 1];
    if (before === undefined || !isNew) return text;
    const newLine = before.text.includes('\r\n') ? '\r\n' : '\n';
    return `${before.text.endsWith('\n') ? '' : newLine}${marked(text.replace(/^\uFEFF/, ''), newLine)}`;
  });
  // kubectl reads a stream that begins with "{" as JSON only.
  const isJson = parts.some(({ isNew }, index) => isNew && index > 0) && /^\uFEFF?\s*\{/.test(texts[0] ?? '');
  return `${isJson ? '---\n' : ''}${texts.join('')}`;
}

function partsOf(documents: readonly OutputDocument[]): readonly Part[] {
  return documents.flatMap(({ text, added }, index) => [
    { text, isNew: index === 0 || documents[index - 1]?.added.length !== 0 },
    ...added.map((one) => ({ text: text.includes('\r\n') ? one.replaceAll('\n', '\r\n') : one, isNew: true })),
  ]);
}

/** Returns a document that begins with a mark. In front of a directive the mark is the end of the document before. */
function marked(text: string, newLine: string): string {
  if (HAS_MARK.test(text)) return text;
  return `${text.startsWith('%') ? '...' : '---'}${newLine}${text}`;
}
