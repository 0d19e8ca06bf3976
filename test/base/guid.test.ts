import { describe, expect, it } from 'vitest';
import { isGuid } from '../../src/base/guid.ts';

describe('a GUID', () => {
  it.each(['01234567-89ab-cdef-0123-456789abcdef', '01234567-89AB-CDEF-0123-456789ABCDEF'])('%s is one', (text) => {
    expect(isGuid(text)).toBe(true);
  });

  it.each([
    '',
    '0123456789abcdef0123456789abcdef',
    '{01234567-89ab-cdef-0123-456789abcdef}',
    '01234567-89ab-cdef-0123-456789abcdeg',
    '01234567-89ab-cdef-0123-456789abcdef\n',
    ' 01234567-89ab-cdef-0123-456789abcdef',
  ])('%j is none', (text) => {
    expect(isGuid(text)).toBe(false);
  });
});
