/**
 * Tells how Go's YAML reader understands scalars without quotes: as text, number or boolean. Called by the readers of
 * objects and by `check`, for errors in Go's words.
 */

import type { TextTree, Tree } from './tree.ts';
import { goNumber, type ScalarType, typeOf } from './yaml-types.ts';

/** Plain scalars that Kubernetes (YAML 1.1) reads as a boolean or a number, and refuses if it expects text. */
const BOOLEAN = /^(y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const NUMBERS: readonly ScalarType[] = ['int', 'float'];

/**
 * True for an unquoted boolean or number: the API server refuses a SecretProviderClass with one among its parameters.
 */
export function needsQuotes(value: TextTree): boolean {
  const plain = !value.quoted && value.textLine === value.line;
  return plain && (BOOLEAN.test(value.text) || NUMBERS.includes(typeOf(value.text)));
}

const INT32_MAX = 0x7fff_ffff;
const SHOWN = 7;

/**
 * Returns the value that Go's YAML parser puts into an int32, or undefined if it refuses the text: `5`, `010` (8),
 * `0x1F`, `1_000`, and fractions, which are cut off. A text in quotes is refused.
 */
export function int32Of(tree: Tree): number | undefined {
  if (tree.kind !== 'text' || tree.quoted || tree.textLine !== tree.line) return undefined;
  const value = Math.trunc(goNumber(tree.text));
  return value >= -INT32_MAX - 1 && value <= INT32_MAX ? value : undefined;
}

/** Returns Go's words for a value that does not fit, such as ``!!str `5` ``; a long text is cut as Go cuts it. */
export function goValue(tree: Tree): string {
  switch (tree.kind) {
    case 'map':
      return '!!map';
    case 'list':
      return '!!seq';
    case 'null':
      return '!!null';
    case 'text': {
      const shown = tree.text.length > SHOWN + 3 ? `${tree.text.slice(0, SHOWN)}...` : tree.text;
      return `${goTag(tree)} \`${shown}\``;
    }
  }
}

function goTag({ text, quoted, line, textLine }: TextTree): string {
  return quoted || textLine !== line ? '!!str' : `!!${typeOf(text)}`;
}
