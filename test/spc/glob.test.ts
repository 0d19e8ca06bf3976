import { describe, expect, it } from 'vitest';
import { globProblem, matchesGlob, nameGlobProblem } from '../../src/spc/glob.ts';
import { randomOf } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

describe('a glob', () => {
  it.each([
    ['*', '', true],
    ['*', 'any-thing', true],
    ['db-*', 'db-', true],
    ['db-*', 'db-password', true],
    ['db-*', 'xdb-password', false],
    ['db-?', 'db-a', true],
    ['db-?', 'db-', false],
    ['db-?', 'db-ab', false],
    ['*-prod', 'a-prod-prod', true],
    ['*-prod', 'a-prod-', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['**', 'x', true],
    ['db', 'DB', false],
    ['', '', true],
    ['', 'a', false],
    ['a.c', 'abc', false],
  ])('%j matches %j: %j', (glob, text, expected) => {
    expect(matchesGlob(glob, text)).toBe(expected);
  });

  it('matches as the same expression with its words escaped', () => {
    const random = randomOf(7);
    const next = (below: number) => Math.floor(random() * below);
    const word = (letters: string) => Array.from({ length: next(7) }, () => letters[next(letters.length)]).join('');
    for (let round = 0; round < rounds(2000, 200_000); round++) {
      const [glob, text] = [word('ab*?'), word('ab')];
      const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      expect([glob, text, matchesGlob(glob, text)]).toEqual([glob, text, expression.test(text)]);
    }
  });

  it('looks at each pair of characters once, whatever is written', () => {
    let looks = 0;
    const counted = new Proxy(Object('a'.repeat(127)) as object, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) looks++;
        return Reflect.get(target, key) as unknown;
      },
    });
    expect(matchesGlob(`${'*a'.repeat(127)}b`, counted as unknown as string)).toBe(false);
    expect(matchesGlob(`*${'a'.repeat(127)}b`, counted as unknown as string)).toBe(false);
    expect(looks).toBeLessThan(2 * 2 * 254 * 127);
  });

  it.each([
    ['', /must not be empty/],
    ['db-[ab]', /holds "\["; only "\*" .* and "\?"/],
    ['{a,b}', /holds "\{"/],
    ['a\\*', /holds "\\\\"/],
    ['x'.repeat(257), /longer than 256 characters/],
  ])('%j is refused', (glob, problem) => {
    expect(globProblem(glob)).toMatch(problem);
    expect(nameGlobProblem(glob)).toMatch(problem);
  });

  it('of names has the characters of names', () => {
    expect(globProblem('team a')).toBeUndefined();
    for (const glob of ['team a', 'a.b', 'a_b', '^a', 'a/b', 'é'])
      expect(nameGlobProblem(glob)).toContain('matches no name');
    expect(nameGlobProblem('A-z0-9*?')).toBeUndefined();
  });
});
