/**
 * The libraries of the languages in manifests. `languages.ts` loads this file when a manifest first needs one of them, so
 * that other volumes cost nothing. It holds no code of its own.
 */

export { compile, search } from 'jmespath';

declare module 'jmespath' {
  /** Returns the syntax tree of an expression. Throws: errors that quote the expression. */
  export function compile(expression: string): unknown;
}
