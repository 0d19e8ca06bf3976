import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFirstDocument, parseYaml, plainOf } from '../../src/spc/tree.ts';

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

  it.each(['~', 'null', 'Null', 'NULL', ''])('reads %j as null', (text) => {
    expect(plain(`a: ${text}`)).toEqual([{ a: null }]);
  });

  it('keeps a quoted null as text', () => expect(plain('a: "null"\nb: ""')).toEqual([{ a: 'null', b: '' }]));

  it('reads JSON, tabs included', () => {
    expect(plain('{\n\t"a": {"b": [1, "x"]}\n}')).toEqual([{ a: { b: ['1', 'x'] } }]);
  });

  it.each([
    ['Windows line endings', 'a: |\r\n  x\r\n  y\r\nb: 1\r\n', { a: 'x\ny\n', b: '1' }],
    ['a byte order mark', '\uFEFFa: 1\n', { a: '1' }],
    ['folded text', 'a: >-\n  x\n  y\n', { a: 'x y' }],
    ['keys as of an object without prototype', '__proto__: 1\nconstructor: 2', { constructor: '2' }],
  ])('reads %s', (_, text, expected) => {
    expect(plain(text)).toEqual([expect.objectContaining(expected)]);
  });

  it('reads a text with nothing in it as no document', () => {
    expect(plain('')).toEqual([]);
    expect(plain('# nothing\n')).toEqual([]);
  });

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
});

describe('mistakes', () => {
  it.each([
    ['duplicate keys, with the line of both', 'a: 1\nb: 1\na: 2', 3, 'mapping key "a" already defined at line 1'],
    ['duplicate keys deep down', 'a:\n  b: 1\n  b: 2', 3, 'mapping key "b" already defined at line 2'],
    ['a second colon', 'a: 1\nb: c: d', 2, 'mapping values are not allowed in this context'],
    ['tabs as indentation', 'a:\n\tb: 1', 2, 'found character that cannot start any token'],
    ['a reserved character', 'a: @b', 1, 'found character that cannot start any token'],
    ['a key without colon', 'a: 1\nb\nc: 2', 2, "could not find expected ':'"],
    ['a text that does not end', 'a: "b', 1, 'found unexpected end of stream'],
    ['a map as key, as in a template', 'a: {{ .Values.x }}', 1, 'a key must be text'],
    ['entries out of line', 'a: 1\n b: 2\n  c: 3', 1, 'mapping values are not allowed'],
    ['an alias of nothing', 'a: 1\nb: *x', 2, 'unknown anchor "x" referenced'],
    ['a merge of no map', 'a: &x 1\n<<: *x', 2, 'map merge requires map or sequence of maps'],
  ])('%s', (_, text, line, message) => {
    expect(plain(text)).toEqual([{ line, message: expect.stringContaining(message) }]);
  });

  it('do not quote the text', () => {
    const parsed = parseYaml('a: [hunter2\nhunter2: "hunter2\nx: ] hunter2 }');
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  it('are a handful at most', () => {
    expect(plain(']\n'.repeat(1000))).toHaveLength(1);
    expect(plain('a: 1\n'.repeat(1000))).toHaveLength(5);
  });
});

describe('aliases', () => {
  it('are written out', () => expect(plain('a: &x {n: 1}\nb: *x')).toEqual([{ a: { n: '1' }, b: { n: '1' } }]));

  it('mean the last anchor of that name', () => {
    expect(plain('a: &x [&y 1]\nb: &y 2\nc: *x\nd: *y')).toEqual([{ a: ['1'], b: '2', c: ['1'], d: '2' }]);
  });

  it('merge maps: own keys win, then earlier sources', () => {
    const text = 'a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]';
    expect(plain(text)).toEqual([expect.objectContaining({ c: { x: '1', y: '1', z: '3' } })]);
  });

  it('that unfold without measure are refused', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++) {
      bomb.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(',')}]`);
    }
    expect(parseYaml(bomb.join('\n')).ok).toBe(false);
  });

  it('that hold themselves are refused', () => expect(parseYaml('a: &x [*x, *x]').ok).toBe(false));
});

describe('hostile texts', () => {
  it.each([
    ['open lists', '['.repeat(50_000)],
    ['open maps', '{a: '.repeat(20_000)],
    ['nested dashes', '- '.repeat(20_000)],
    ['depth', `${'['.repeat(200)}${']'.repeat(200)}`],
  ])('are refused: %s', (_, text) => {
    const parsed = parseYaml(text);
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('call stack');
  });

  it('may be long without being deep', () => {
    expect(plain(`[${'1,'.repeat(30_000)}]`)).toEqual([Array.from({ length: 30_000 }, () => '1')]);
  });
});

describe('the first document of several', () => {
  it('is read whatever follows', () => {
    const parsed = parseFirstDocument('a: 1\n---\nb: [', 5);
    expect(parsed).toMatchObject({ ok: true, laterLine: 6 });
    expect(parsed.ok && parsed.document && plainOf(parsed.document)).toEqual({ a: '1' });
  });

  it('may be all there is', () => expect(parseFirstDocument('a: 1\n')).toMatchObject({ laterLine: undefined }));

  it('may be missing', () => expect(parseFirstDocument('')).toMatchObject({ ok: true, document: undefined }));

  it('is refused for its own mistakes', () => expect(parseFirstDocument('a: [\n---\nb: 1').ok).toBe(false));

  it('is the same for plain objects, which are read without the parser', () => {
    const word = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9][\w./-]{0,20}$/),
      fc.constantFrom(
        'null',
        'true',
        '0755',
        '1e3',
        '~',
        '-',
        '"a"',
        "'",
        '|',
        '&a',
        '*a',
        '# x',
        'a #b',
        'a: b',
        '',
        ' a',
        'a ',
      ),
    );
    const key = fc.oneof(
      fc.constantFrom('objectName', 'objectType', 'null', 'Null', '<<', 'a b', '- a'),
      fc.stringMatching(/^[A-Za-z]{1,3}$/),
    );
    const text = fc
      .tuple(fc.array(fc.tuple(key, word), { minLength: 1, maxLength: 5 }), fc.constantFrom('\n', '', '\n\n', '\r\n'))
      .map(([pairs, end]) => `${pairs.map(([name, value]) => `${name}: ${value}`).join('\n')}${end}`);
    fc.assert(
      fc.property(text, fc.nat(50), (given, line) => {
        const first = parseFirstDocument(given, line + 1);
        const all = parseYaml(given, line + 1);
        if (!first.ok || !all.ok) expect(first).toEqual(all);
        else expect(first.document).toEqual(all.documents[0]);
      }),
      { numRuns: 2000 },
    );
  });
});
