import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageOfAll, warningsOf } from '../../src/webhook/messages.ts';

const mistakes = fc.array(fc.string({ unit: 'binary', maxLength: 2000 }), { maxLength: 200 });
const lengthOf = (text: string) => [...text].length;

test('warnings are within the limits of the API server, and say how many are left out', () => {
  fc.assert(
    fc.property(mistakes, (all) => {
      const warnings = warningsOf('Pod a/b', all);
      expect(Math.max(0, ...warnings.map(lengthOf))).toBeLessThanOrEqual(256);
      expect(warnings.reduce((sum, text) => sum + lengthOf(text), 0)).toBeLessThanOrEqual(4096);
      const [, left = '0'] = /^and (\d+) more; /.exec(warnings.at(-1) ?? '') ?? [];
      expect(left === '0' ? warnings.length : warnings.length - 1 + Number(left)).toBe(all.length);
      for (const text of warnings) expect(text).not.toMatch(/\p{Cc}/u);
    }),
    { numRuns: 100 },
  );
});

test('a refusal is bounded, with each mistake on its line', () => {
  fc.assert(
    fc.property(mistakes, (all) => {
      expect(lengthOf(messageOfAll('Pod a/b', all))).toBeLessThanOrEqual(10_000);
    }),
    { numRuns: 100 },
  );
  const two = ['first', 'second'];
  expect(messageOfAll('Pod a/b', two)).toBe('Pod a/b has 2 mistakes:\n- first\n- second');
  expect(messageOfAll('Pod a/b', two.slice(0, 1))).toBe('Pod a/b: first');
});
