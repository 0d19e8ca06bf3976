import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type JsonLimits, parseJson } from '../../src/base/json.ts';

const LIMITS: JsonLimits = { bytes: 100, entries: 5, depth: 3 };

/** Returns the number of entries and the depth of a value, counted on the value. */
function sizeOf(value: unknown): { entries: number; depth: number } {
  if (typeof value !== 'object' || value === null) return { entries: 0, depth: 0 };
  const sizes = Object.values(value).map(sizeOf);
  return {
    entries: Math.max(1, sizes.length) + sizes.reduce((sum, { entries }) => sum + entries, 0),
    depth: 1 + Math.max(0, ...sizes.map(({ depth }) => depth)),
  };
}

describe('JSON within limits', () => {
  it.each(['{}', '[1,2,3,4,5]', '[[[]]]', '"[[[[,,,,,,"', '{"a":"\\"[[[[,,,,,"}', 'null', ' 5 '])(
    '%s is read',
    (text) => {
      expect(parseJson(text, LIMITS)).toEqual({ ok: true, value: JSON.parse(text) });
    },
  );

  it.each([
    [`"${'x'.repeat(99)}"`, 'it has 101 bytes, more than 100'],
    [`"${'ä'.repeat(50)}"`, 'it has 102 bytes, more than 100'],
    ['[1,2,3,4,5,6]', 'it holds 6 entries, more than 5'],
    ['{"a":[1,2],"b":[3,4]}', 'it holds 6 entries, more than 5'],
    ['[[[[]]]]', 'it nests 4 levels deep, more than 3'],
    ['[[[[', 'it nests 4 levels deep, more than 3'],
    ['', 'unexpected end of JSON input'],
    [' \n', 'unexpected end of JSON input'],
    ['[1,', 'it is not valid JSON'],
    ['hunter2', 'it is not valid JSON'],
  ])('%s is refused: %s', (text, reason) => expect(parseJson(text, LIMITS)).toEqual({ ok: false, reason }));

  it.each([
    '{"a":1,"a":1}',
    '[{"b":{"a":1,"c":":","a":2}}]',
    '{"__proto__":1,"__proto__":2}',
    '{"a":1,"\\u0061":2}',
    '{"1":1,"1":2}',
  ])('%s has two members of one name, which is refused where that matters', (text) => {
    const limits = { bytes: 100, entries: 50, depth: 5 };
    const reason = 'an object in it has two members of one name';
    expect(parseJson(text, { ...limits, unique: true })).toEqual({ ok: false, reason });
    expect(parseJson(text, limits)).toMatchObject({ ok: true });
  });

  it('of single members passes where two of one name are refused', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const limits = { bytes: 1e6, entries: 1e5, depth: 1e3, unique: true } as const;
        expect(parseJson(text, limits)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it('is counted as it is parsed', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const { entries, depth } = sizeOf(value);
        const [bytes, enough] = [Buffer.byteLength(text), { entries, depth }];
        expect(parseJson(text, { bytes, ...enough })).toEqual({ ok: true, value: JSON.parse(text) });
        if (entries > 0) expect(parseJson(text, { bytes, ...enough, entries: entries - 1 }).ok).toBe(false);
        if (depth > 0) expect(parseJson(text, { bytes, ...enough, depth: depth - 1 }).ok).toBe(false);
      }),
    );
  });

  it('is not parsed where it exceeds one', () => {
    const parse = vi.spyOn(JSON, 'parse');
    parseJson('['.repeat(1_000_000), LIMITS);
    parseJson('[1,2,3,4,5,6]', LIMITS);
    parseJson('[[[[]]]]', LIMITS);
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });
});
