import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/spc/yaml/parse.ts';
import { goValue, int32Of, needsQuotes } from '../../src/spc/yaml/scalar.ts';
import type { Tree } from '../../src/spc/yaml/tree.ts';

/** Returns the value of `a: …`. */
function value(text: string): Tree {
  const parsed = parseYaml(`a: ${text}`);
  const document = parsed.ok ? parsed.documents[0] : undefined;
  const entry = document?.kind === 'map' ? document.entries.get('a') : undefined;
  if (entry === undefined) throw new Error(`not readable: ${text}`);
  return entry.value;
}

describe('an int32 as Go’s YAML parser reads it', () => {
  it.each([
    ['5', 5],
    ['-3', -3],
    ['+5', 5],
    ['5.0', 5],
    ['5.7', 5],
    ['-5.7', -5],
    ['.5', 0],
    ['5.', 5],
    ['1e3', 1000],
    ['010', 8],
    ['08', 8],
    ['0o17', 15],
    ['0x1F', 31],
    ['0b11', 3],
    ['1_000', 1000],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
  ])('%s is %d', (text, expected) => expect(int32Of(value(text))).toBe(expected));

  it.each([
    ['"5"', '!!str `5`'],
    ["''", '!!str ``'],
    ['5 6', '!!str `5 6`'],
    ['_5', '!!str `_5`'],
    ['|\n  5', '!!str `5`'],
    ['true', '!!bool `true`'],
    ['3000000000', '!!int `3000000000`'],
    ['30000000000', '!!int `3000000...`'],
    ['1e400', '!!str `1e400`'],
    ['.inf', '!!float `.inf`'],
    ['secret1', '!!str `secret1`'],
    ['[5]', '!!seq'],
    ['{a: 5}', '!!map'],
  ])('%s is refused as %s', (text, words) => {
    expect(int32Of(value(text))).toBeUndefined();
    expect(goValue(value(text))).toBe(words);
  });
});

describe('unquoted values that the API server does not take for text', () => {
  it.each([
    ...['true', 'False', 'yes', 'NO', 'on', 'off', 'y', 'N'],
    ...['0', '0644', '-1', '1.5', '1e3', '.5', '0x1F', '0b1', '0o7', '1_000', '.inf', '.NaN'],
  ])('%s', (text) => {
    const tree = value(text);
    expect(tree.kind === 'text' && needsQuotes(tree)).toBe(true);
  });

  it.each([
    ...['"true"', "'5'", '|\n  5', '>-\n  true', 'kv1', '1.2.3', '0f8fad5b-d9cb-469f-a165-70867728950e'],
    ...['TrUe', 'yEs', '2024-01-01', '5m', 'x-', '0xZ'],
  ])('but not %j', (text) => {
    const tree = value(text);
    expect(tree.kind === 'text' && needsQuotes(tree)).toBe(false);
  });
});
