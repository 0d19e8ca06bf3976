import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clip, misspelt, nearest, oneOf, quote } from '../../src/base/words.ts';

const KNOWN = ['vaultSecret', 'vaultCert', 'vaultCaChainCert', 'name'];

describe('the nearest known name', () => {
  it.each([
    ['vaultCret', 'vaultCert'],
    ['vaultcert', 'vaultCert'],
    ['vaultCerts', 'vaultCert'],
    ['vaultSecert', 'vaultSecret'],
    ['VAULTSECRET', 'vaultSecret'],
    ['vaultCaChain', 'vaultCaChainCert'],
    ['nmae', 'name'],
    ['nam', 'name'],
    ['vaultCert', 'vaultCert'],
  ])('%s means %s', (word, name) => expect(nearest(word, KNOWN)).toBe(name));

  it.each(['x', 'password', 'vault', '', 'n'])('%j means none', (word) => expect(nearest(word, KNOWN)).toBeUndefined());

  it('is the earlier of two that are as near', () => expect(nearest('ac', ['ab', 'ad'])).toBe('ab'));

  it('is none of nothing', () => expect(nearest('a', [])).toBeUndefined());

  it('counts a swap of neighbours as one mistake', () => {
    const word = fc.stringMatching(/^[a-z]{4,12}$/);
    fc.assert(
      fc.property(word, fc.nat(2), (name, at) => {
        const swapped = name.slice(0, at) + name.charAt(at + 1) + name.charAt(at) + name.slice(at + 2);
        return nearest(swapped, [name]) === name;
      }),
    );
  });

  it('is none of a word that is much longer', () => {
    expect(nearest('x'.repeat(1_000_000), KNOWN)).toBeUndefined();
  });
});

describe('a name that may be meant by a misspelt one', () => {
  it('is looked for among unknown words only', () => {
    expect(misspelt('vaultCert', ['name', 'vaultCret'], KNOWN)).toBe('vaultCret');
    expect(misspelt('vaultCert', ['vaultSecret', 'vaultCert'], KNOWN)).toBeUndefined();
  });

  it('is not one that another name is nearer to', () => {
    expect(misspelt('vaultCert', ['vaultSecert'], KNOWN)).toBeUndefined();
  });
});

describe('words in messages', () => {
  it.each([
    [[], ''],
    [['a'], '"a"'],
    [['a', 'b'], '"a" or "b"'],
    [['a', 'b', 'c'], '"a", "b" or "c"'],
  ])('one of %j', (words, text) => expect(oneOf(words)).toBe(text));

  it('stay on one line and short', () => {
    expect(quote('a\n"b"')).toBe('"a\\n\\"b\\""');
    expect(quote('x'.repeat(1000))).toBe(`"${'x'.repeat(200)}…"`);
    expect(clip('short')).toBe('short');
  });
});

describe('work for a comparison', () => {
  /** Returns names that count how often they are read. */
  function counted(names: readonly string[]): { names: readonly string[]; looks: () => number } {
    let looks = 0;
    const watch: ProxyHandler<string[]> = {
      get(target, key, receiver) {
        if (typeof key === 'string' && /^\d+$/.test(key)) looks++;
        return Reflect.get(target, key, receiver);
      },
    };
    return { names: new Proxy([...names], watch), looks: () => looks };
  }

  it('is none for a word of more than 100 characters', () => {
    const near = 'x'.repeat(101);
    const { names, looks } = counted([near]);
    expect(nearest(near, names)).toBeUndefined();
    expect(looks()).toBe(0);
    expect(nearest('x'.repeat(100), ['x'.repeat(99)])).toBe('x'.repeat(99));
  });

  it('is bounded, however many words there are', () => {
    const { names, looks } = counted(KNOWN);
    const given = Array.from({ length: 100_000 }, (_, i) => `vaultCer${i}`);
    expect(misspelt('name', given, names)).toBeUndefined();
    expect(looks()).toBeLessThanOrEqual(100 * 2 * KNOWN.length);
  });
});

describe('the nearest name', () => {
  /** Returns the distance by optimal string alignment, without any shortcut. */
  function distance(a: string, b: string): number {
    if (a === '' || b === '') return a.length + b.length;
    const [shortA, shortB] = [a.slice(0, -1), b.slice(0, -1)];
    const same = a.at(-1) === b.at(-1) ? 0 : 1;
    const found = Math.min(distance(shortA, b) + 1, distance(a, shortB) + 1, distance(shortA, shortB) + same);
    const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
    return swapped ? Math.min(found, distance(a.slice(0, -2), b.slice(0, -2)) + 1) : found;
  }

  it('is within a third of the length, by a count that ends early where there is none', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(word, word, (given, known) => {
        const near = distance(given, known) <= Math.max(1, Math.floor(given.length / 3));
        expect(nearest(given, [known])).toBe(near ? known : undefined);
      }),
    );
  });
});
