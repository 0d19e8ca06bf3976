/**
 * Bounds the work of a JMESPath expression before it runs, from its syntax tree. `expression.ts` calls it. JMESPath sees
 * nothing but the value at hand and what is below it, so that work and result grow with the value by factors that the
 * tree tells. Refuses functions that JMESPath does not have, and arguments that would make the factors unknown.
 */

import { nearest, quote } from '../base/words.ts';

/** A node of the syntax tree, as the library makes it. A slice has numbers and nulls for children. */
export interface SyntaxNode {
  readonly type: string;
  readonly name?: unknown;
  readonly value?: unknown;
  readonly children?: readonly unknown[];
}

/**
 * What an expression may cost at most. For a value of size n it takes `steps + work * n` steps, and its result has the
 * size `extra + growth * n`. The size of a value is about the length of its JSON.
 */
export interface Cost {
  readonly steps: number;
  readonly work: number;
  readonly extra: number;
  readonly growth: number;
}

/** A mistake in an expression. Its message follows the expression. */
export class ExpressionProblem extends Error {}

interface FunctionRow {
  /** Number of arguments; a variadic function takes more. */
  readonly takes: number;
  readonly variadic?: true;
  /** Index of the argument that is an expression. */
  readonly reference?: number;
  /** Steps for each unit of the arguments. */
  readonly work: number;
  /** True if the result may be as large as the arguments; it is a scalar of fixed size otherwise. */
  readonly grows: boolean;
}

const scalar = (takes: number, work = 1): FunctionRow => ({ takes, work, grows: false });
const whole = (takes: number, work = 1): FunctionRow => ({ takes, work, grows: true });

/** Factor for comparing strings by the rules of a language. */
const COLLATION = 8;
/** Factor for sorting: the binary logarithm of the largest list. */
const SORTING = 16;
/** Factor for looking for one string at each place of another, both of which are of the value. */
const EACH_PLACE = 16;

const FUNCTIONS: ReadonlyMap<string, FunctionRow> = new Map(
  Object.entries({
    abs: scalar(1),
    avg: scalar(1),
    ceil: scalar(1),
    contains: scalar(2, 2),
    ends_with: scalar(2),
    floor: scalar(1),
    join: whole(2),
    keys: whole(1),
    length: scalar(1),
    map: { ...whole(2), reference: 0 },
    max: whole(1, COLLATION),
    max_by: { ...whole(2), reference: 1 },
    merge: { ...whole(1), variadic: true as const },
    min: whole(1, COLLATION),
    min_by: { ...whole(2), reference: 1 },
    not_null: { ...whole(1), variadic: true as const },
    reverse: whole(1),
    sort: whole(1, SORTING),
    sort_by: { ...whole(2, SORTING), reference: 1 },
    starts_with: scalar(2, EACH_PLACE),
    sum: scalar(1),
    to_array: whole(1),
    to_number: scalar(1),
    to_string: whole(1),
    type: scalar(1),
    values: whole(1),
  } satisfies Record<string, FunctionRow>),
);

/** The cost of a look at the value. */
const LOOK: Cost = { steps: 1, work: 0, extra: 0, growth: 1 };
/** The size of a number or boolean, about. */
const SCALAR = { extra: 8, growth: 0 };

/** Returns what an expression may cost. Throws: {@link ExpressionProblem}. */
export function costOf(node: unknown): Cost {
  if (!isNode(node)) throw new ExpressionProblem(SYNTAX);
  const children = node.children ?? [];
  switch (node.type) {
    case 'Field':
    case 'Index':
    case 'Identity':
    case 'Current':
      return LOOK;
    case 'Slice':
      return { ...LOOK, work: 1 };
    case 'Literal':
      return { ...LOOK, extra: lengthOf(node.value), growth: 0 };
    case 'Subexpression':
    case 'IndexExpression':
    case 'Pipe':
      return inTurn(costOf(children[0]), costOf(children[1]));
    case 'Projection':
    case 'ValueProjection':
      return forEach(costOf(children[0]), costOf(children[1]));
    case 'FilterProjection': {
      const [from, to, condition] = [costOf(children[0]), costOf(children[1]), costOf(children[2])];
      const both = { ...to, steps: to.steps + condition.steps, work: to.work + condition.work };
      return forEach(from, both);
    }
    case 'Flatten':
      return inTurn(costOf(children[0]), { ...LOOK, work: 1 });
    case 'MultiSelectList':
      return together(children.map(costOf));
    case 'MultiSelectHash':
      return together(children.map(costOfPair));
    case 'OrExpression':
    case 'AndExpression':
      return together(children.map(costOf));
    case 'NotExpression':
      return { ...costOf(children[0]), ...SCALAR };
    case 'Comparator': {
      const both = together(children.map(costOf));
      return { ...both, steps: both.steps + both.extra, work: both.work + both.growth, ...SCALAR };
    }
    case 'Function':
      return costOfCall(node, children);
    case 'ExpressionReference':
      throw new ExpressionProblem('has "&" where no function takes an expression');
    default:
      throw new ExpressionProblem(SYNTAX);
  }
}

/** The message about a tree that the library makes of a text that is no expression. */
export const SYNTAX = 'is not JMESPath';

/** The cost of two expressions, the second of which sees the result of the first. */
function inTurn(first: Cost, second: Cost): Cost {
  return {
    steps: first.steps + second.steps + first.extra * second.work,
    work: first.work + first.growth * second.work,
    extra: first.extra * second.growth + second.extra,
    growth: first.growth * second.growth,
  };
}

/** The cost of an expression that sees each entry of a result. A result has at most as many entries as its size. */
function forEach(from: Cost, each: Cost): Cost {
  return inTurn(from, { steps: 1, work: 1 + each.steps + each.work, extra: 0, growth: each.extra + each.growth });
}

/** The cost of expressions that see the same value, and whose results come together. */
function together(costs: readonly Cost[]): Cost {
  const sum = (part: keyof Cost) => costs.reduce((total, cost) => total + cost[part], 0);
  return { steps: 1 + sum('steps'), work: sum('work'), extra: costs.length + sum('extra'), growth: sum('growth') };
}

function costOfPair(pair: unknown): Cost {
  if (!isNode(pair)) throw new ExpressionProblem(SYNTAX);
  const cost = costOf(pair.value);
  return { ...cost, extra: cost.extra + lengthOf(pair.name) };
}

/** Returns the function that a node calls. */
function calledBy({ name }: SyntaxNode, args: readonly unknown[]): readonly [word: string, row: FunctionRow] {
  const word = typeof name === 'string' ? name : '';
  const row = FUNCTIONS.get(word);
  if (row === undefined) {
    const known = [...FUNCTIONS.keys()];
    const near = nearest(word, known);
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`;
    throw new ExpressionProblem(`calls the unknown function ${quote(word)}; ${hint}`);
  }
  if (args.length < row.takes || (args.length > row.takes && row.variadic !== true)) {
    const least = row.variadic === true ? 'at least ' : '';
    throw new ExpressionProblem(`gives ${args.length} arguments to ${word}(), which takes ${least}${row.takes}`);
  }
  return [word, row];
}

function costOfCall(node: SyntaxNode, args: readonly unknown[]): Cost {
  const [word, row] = calledBy(node, args);
  if (row.reference !== undefined) return costOfReference(word, row, row.reference, args);
  const given = together(args.map(costOf));
  // A text in a text has each quotation mark and each backslash escaped.
  const factor = word === 'join' ? glueOf(args[0]) : word === 'to_string' ? 2 : 1;
  const work = word === 'starts_with' && isLiteral(args[1]) ? 2 : row.work * factor;
  return {
    steps: given.steps + given.extra * work,
    work: given.work + given.growth * work,
    ...(row.grows ? { extra: given.extra * factor, growth: given.growth * factor } : SCALAR),
  };
}

/** The cost of a function that calls an expression for each entry of a list. */
function costOfReference(word: string, row: FunctionRow, at: number, args: readonly unknown[]): Cost {
  const [reference, list] = [args[at], args[1 - at]];
  if (!isNode(reference) || reference.type !== 'ExpressionReference') {
    const order = at === 0 ? 'first' : 'second';
    throw new ExpressionProblem(`lacks "&" before the ${order} argument of ${word}(), which is an expression`);
  }
  const each = costOf(reference.children?.[0]);
  const calls = { ...each, steps: each.steps * row.work, work: each.work * row.work };
  return forEach(costOf(list), word === 'map' ? calls : { ...calls, extra: 0, growth: 1 });
}

/** Returns how much a text between the entries of a list adds to each; a value of unknown length is refused. */
function glueOf(node: unknown): number {
  if (!isLiteral(node) || typeof node.value !== 'string')
    throw new ExpressionProblem(`needs a text as the first argument of join(), such as ','`);
  return 1 + node.value.length;
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value)?.length ?? 1;
}

function isLiteral(node: unknown): node is SyntaxNode {
  return isNode(node) && node.type === 'Literal';
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
