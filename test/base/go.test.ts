import { describe, expect, it } from 'vitest';
import { parseGoBoolean } from '../../src/base/go.ts';

describe('a boolean of Go', () => {
  it.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (text) => {
    expect(parseGoBoolean(text)).toBe(true);
  });

  it.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('%s is false', (text) => {
    expect(parseGoBoolean(text)).toBe(false);
  });

  it.each(['', 'tRUE', 'yes', 'no', ' true', 'true\n', '01', 'fALSE'])('%j is none', (text) => {
    expect(parseGoBoolean(text)).toBeUndefined();
  });
});
