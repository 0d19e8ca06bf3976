/**
 * The libraries of the languages in manifests. `languages.ts` loads this file when a manifest first needs one of them, so
 * that other volumes cost nothing. It holds nothing else.
 */

import mustache from 'mustache';

export { compile, search } from 'jmespath';

/** Returns the tokens of a template. Throws: errors with the offset of the mistake. */
export function parseTemplate(text: string, tags: readonly [string, string]) {
  // The library's own `parse` keeps every template in memory.
  return new mustache.Writer().parse(text, [...tags]);
}

declare module 'jmespath' {
  /** Returns the syntax tree of an expression. Throws: errors that quote the expression. */
  export function compile(expression: string): unknown;
}
