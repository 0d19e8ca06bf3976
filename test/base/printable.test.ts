import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/base/printable.ts';

/** Characters that must not appear in messages and logs. */
const RAW = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

describe('a printable text', () => {
  it.each([
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\u001b[31mred', '\\x1b[31mred'],
    ['\u0000\u0007\u007f\u0085\u009b', '\\x00\\x07\\x7f\\x85\\x9b'],
    ['\u2028\u2029', '\\u2028\\u2029'],
    ['evil\u202etxt.exe', 'evil\\u202etxt.exe'],
    ['\u2066a\u2069\u200e\u200f\u061c', '\\u2066a\\u2069\\u200e\\u200f\\u061c'],
    ['\ufeffa\u200b', '\\ufeffa\\u200b'],
    ['\ud800', '\\ud800'],
    ['\u{e0001}', '\\u{e0001}'],
    ['Grüße, 密码, пароль, 👩‍💻 "a" \\ %', 'Grüße, 密码, пароль, 👩‍💻 "a" \\ %'],
  ])('of %j is %j', (text, expected) => expect(printable(text)).toBe(expected));

  it('may keep its lines', () => expect(printableLines('a:\n\tb\r\n\u001b')).toBe('a:\n\tb\r\n\\x1b'));

  it('holds nothing raw, and is its own printable text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(RAW);
        expect(printable(shown)).toBe(shown);
      }),
    );
  });
});

describe('printable JSON', () => {
  it('holds nothing raw beside its line breaks, and is read as the value', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(fc.array(fc.record({ text, list: fc.array(text) })), (value) => {
        const shown = printableJson(value);
        expect(shown.replaceAll('\n', '')).not.toMatch(RAW);
        expect(JSON.parse(shown)).toEqual(value);
      }),
    );
  });
});
