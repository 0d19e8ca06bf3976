/**
 * Reads JMESPath expressions. The reader of `extract` calls it. Refuses expressions that are too long, that are no
 * JMESPath, and whose work or result could grow far beyond the value that they read.
 */

import { quote } from '../base/words.ts';
import { type Cost, costOf, ExpressionProblem, SYNTAX } from './expression-cost.ts';
import { languages } from './languages.ts';

/** Length limit of an expression. */
const MAX_BYTES = 1024;
/** The largest value that Key Vault stores. */
const USUAL_SIZE = 25_600;
/** Limit of the steps of one expression. A step takes a tenth of a microsecond, at most. */
export const MAX_STEPS = 64 * USUAL_SIZE;
/** Limit of the size of a result. */
const MAX_RESULT = 64 * USUAL_SIZE;

/** True if an expression may be run on a value of a size; see {@link Cost}. */
export function isAffordable({ steps, work, extra, growth }: Cost, size: number): boolean {
  return steps + work * size <= MAX_STEPS && extra + growth * size <= MAX_RESULT;
}

/** An expression that can be run. */
export interface Expression {
  readonly text: string;
  readonly cost: Cost;
  /** Returns what the expression finds in a value; null: nothing. Throws: errors of the library. */
  search(value: unknown): unknown;
}

/** An expression, or what is wrong with it; the problem follows the expression in a message. */
export type ReadExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: string };

/** Reads an expression. Throws: LanguagesNeeded. */
export function readExpression(text: string): ReadExpression {
  if (Buffer.byteLength(text) > MAX_BYTES) return { ok: false, problem: `is longer than ${MAX_BYTES} bytes` };
  const { compile, search } = languages();
  try {
    const cost = costOf(parsed(text, compile));
    if (!isAffordable(cost, USUAL_SIZE)) return { ok: false, problem: TOO_MUCH };
    return { ok: true, expression: { text, cost, search: (value) => search(value, text) } };
  } catch (error) {
    if (!(error instanceof ExpressionProblem)) throw error;
    return { ok: false, problem: error.message === SYNTAX ? `${SYNTAX}${hintFor(text)}` : error.message };
  }
}

const TOO_MUCH =
  'does more work than is allowed: it repeats the value, or goes through lists in lists; spread it over several entries';

/** Returns the syntax tree. The library's own messages are left out: some name its internal tokens only. */
function parsed(text: string, compile: (text: string) => unknown): unknown {
  try {
    return compile(text);
  } catch {
    throw new ExpressionProblem(SYNTAX);
  }
}

/** Returns the remedy for the most frequent mistakes. */
function hintFor(text: string): string {
  if (text.startsWith('$')) return '; leave the "$" out: the expression begins with a key';
  const [name] = /[A-Za-z_][\w]*(?:[-/:][\w]+)+/.exec(text) ?? [];
  if (name !== undefined)
    return `; put a key with other characters than letters, digits and "_" in quotes: ${quote(name)}`;
  if (/(^|\.)\d/.test(text))
    return '; write an index in brackets, such as list[0], and put a key that begins with a digit in quotes';
  return '; a key of a map is written as database.password, an entry of a list as list[0]';
}
