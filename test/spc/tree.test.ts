import { describe, expect, it } from 'vitest';
import { parseYaml, plainOf } from '../../src/spc/tree.ts';

function plain(text: string): unknown {
  const parsed = parseYaml(text);
  return parsed.ok ? parsed.documents.map(plainOf) : parsed.errors;
}

describe('YAML as the manifests need it', () => {
  it('keeps the text of scalars as written', () => {
    expect(plain('a: 0755\nb: 1e3\nc: true\nd: 0x1F\ne: "5"\nf: 2024-01-01')).toEqual([
      { a: '0755', b: '1e3', c: 'true', d: '0x1F', e: '5', f: '2024-01-01' },
    ]);
  });

  it.each(['~', 'null', 'NULL', ''])('reads %j as null', (text) => {
    expect(plain(`a: ${text}`)).toEqual([{ a: null }]);
  });

  it('keeps a quoted null as text', () => expect(plain('a: "null"\nb: ""')).toEqual([{ a: 'null', b: '' }]));

  it('refuses duplicate keys and says on which line', () => {
    expect(plain('a: 1\na: 2')).toEqual([{ line: 2, message: expect.stringContaining('already defined at line 1') }]);
  });

  it('reads JSON, tabs included', () => {
    expect(plain('{\n\t"a": {"b": [1, "x"]}\n}')).toEqual([{ a: { b: ['1', 'x'] } }]);
  });

  it('resolves aliases', () => expect(plain('a: &x {n: 1}\nb: *x')).toEqual([{ a: { n: '1' }, b: { n: '1' } }]));

  it('refuses an alias that is not defined', () => expect(parseYaml('a: *x').ok).toBe(false));

  it('bounds the growth of nested aliases', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++) {
      bomb.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(',')}]`);
    }
    expect(parseYaml(bomb.join('\n')).ok).toBe(false);
  });

  it('bounds the depth', () => expect(parseYaml('['.repeat(5000)).ok).toBe(false));

  it('counts lines from the line that it is told', () => {
    const parsed = parseYaml('a:\n  - x\n  - |\n    y\n', 10);
    expect(parsed).toMatchObject({
      documents: [
        {
          line: 10,
          entries: new Map([['a', { line: 10, value: { items: [{ line: 11 }, { line: 12, textLine: 13 }] } }]]),
        },
      ],
    });
  });

  it('reads a text with nothing in it as no document', () => {
    expect(plain('')).toEqual([]);
    expect(plain('# nothing\n')).toEqual([]);
  });
});
