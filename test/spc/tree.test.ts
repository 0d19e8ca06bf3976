import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFirstDocument, parseYaml } from '../../src/spc/yaml/parse.ts';
import { plainOf, type YamlError } from '../../src/spc/yaml/tree.ts';
import { parseManifests } from '../support/manifests.ts';
import { rounds } from '../support/rounds.ts';

function lineAndMessage({ line, message }: YamlError) {
  return { line, message };
}

function plain(text: string): unknown {
  const parsed = parseYaml(text);
  return parsed.ok ? parsed.documents.map(plainOf) : parsed.errors.map(lineAndMessage);
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

describe('the YAML of Go, beside that of version 1.2', () => {
  it.each([
    ['a comment behind a quote', 'a: "s1"#c\nb: \'s2\'#c\n"c"#c\n: x', undefined],
    ['a comment behind quotes', 'a: "s1"#c\nb: \'s2\'#c', { a: 's1', b: 's2' }],
    ['a comment behind a bracket', 'a: [x]#c\nb: {c: y}#c', { a: ['x'], b: { c: 'y' } }],
    ['a comment behind a block header', 'a: |#c\n  x\nb: >-#c\n  y\n', { a: 'x\n', b: 'y' }],
    ['a quote that goes on at the margin', 'a: "my\nfile"\nb: \'x\ny\'', { a: 'my file', b: 'x y' }],
    ['an escaped line break', 'a: "x\\\ny"', { a: 'xy' }],
    ['brackets that close at the margin', 'a: [\nx,\n]\nb: {\nc: y\n}', { a: ['x'], b: { c: 'y' } }],
    ['line breaks of old', 'a: x\rb: |\r  y\rc: z', { a: 'x', b: 'y\n', c: 'z' }],
    ['NEL', 'a: x\u0085b: y', { a: 'x', b: 'y' }],
    ['LS and PS', 'a: x\u2028b: y\u2029c: z', { a: 'x', b: 'y', c: 'z' }],
    ['a date with a tag', 'a: !!timestamp 2020-01-01', { a: '2020-01-01' }],
    ['numbers with tags', 'a: !!int "5"\nb: !!float 5\nc: !!str 0755', { a: '5', b: '5', c: '0755' }],
    ['text in base64', 'a: !!binary aGk=', { a: 'hi' }],
    ['a tag with the name of what every object has', 'a: !<constructor> x\nb: !<__proto__> y', { a: 'x', b: 'y' }],
    ['tags of somebody', 'a: !local x\nb: !<tag:example.com,2000:y> z', { a: 'x', b: 'z' }],
    ['a null that is text', 'a: !!str null\nb: !!null ~\nc: !!str', { a: 'null', b: null, c: '' }],
    ['a tab behind a colon', 'a:\tx', { a: 'x' }],
    ['a value that begins with a colon', 'a: :x\nb: ?y', { a: ':x', b: '?y' }],
  ])('%s', (_, text, expected) => {
    const parsed = parseFirstDocument(text);
    const value = parsed.ok && parsed.document !== undefined ? plainOf(parsed.document) : undefined;
    expect(value).toEqual(expected === undefined ? undefined : expect.objectContaining(expected));
  });

  it.each([
    ['a tag that its value does not fit', 'a: !!int x', 'cannot decode !!str as a !!int'],
    ['no base64', 'a: !!binary "%"', '!!binary value contains invalid base64 data'],
    ['an escape of JSON', 'a: "\\/"', 'found unknown escape character'],
    ['half a surrogate pair', 'a: "\\ud800"', 'found invalid Unicode character escape code'],
    ['a newer version', '%YAML 1.2\n---\na: 1', 'found incompatible YAML document'],
    ['a control character', 'a: 1\nb: \u0001', 'control characters are not allowed'],
    ['a tab in a block', 'a: |\n\tx', 'found a tab character where an indentation space is expected'],
    ['an anchor without a name', 'a: &é x', 'did not find expected alphabetic or numeric character'],
  ])('not %s', (_, text, message) => {
    expect(plain(text)).toEqual([{ line: expect.any(Number), message: expect.stringContaining(message) }]);
  });

  it.each([
    ['a quote', 'a: 1\nb: "x\nc: 2\nd: 3\n', 2],
    ['a quote that a later one closes', 'a: 1\nb: "x\nc: "y"\n', 2],
    ['a single quote that a later one closes', "a: 1\nb: 'x\nc: 1\nd: 'y'\n", 2],
    ['a quote at the end', 'a: 1\nb: "\n', 2],
    ['a bracket', 'a: 1\nb: [x,\n  y\n', 2],
    ['a brace at the end', 'a: 1\nb: {x: y\n\n\n', 2],
  ])('%s that is not closed is found where it opens', (_, text, line) => {
    expect(plain(text)).toEqual([{ line, message: expect.stringMatching(/not closed|closed on a later line/) }]);
  });
});

describe('a file of manifests', () => {
  function manifests(text: string): unknown {
    const parsed = parseManifests(text);
    return parsed.ok ? parsed.documents.map(plainOf) : parsed.errors.map(lineAndMessage);
  }

  it('is cut at lines that begin with three dashes, and lines are those of the file', () => {
    const parsed = parseManifests('# c\n---\na: 1\n--- # c\nb:\n  c: 2\n---\n');
    expect(parsed.ok && parsed.documents.map((tree) => [tree.line, plainOf(tree)])).toEqual([
      [3, { a: '1' }],
      [5, { b: { c: '2' } }],
    ]);
    expect(parseManifests('a: 1\n---\nb: [\n')).toMatchObject({ errors: [{ line: 3 }] });
  });

  it('may be JSON, with what JSON has beyond YAML', () => {
    expect(manifests('\t{"a": "x\\/y", "b": "\\ud83d\\ude00"}\n')).toEqual([{ a: 'x/y', b: '😀' }]);
  });

  it.each([
    ['%YAML 1.1\n---\na: 1\n', 'did not find expected <document start>'],
    ['%YAML 1.2\n---\na: 1\n', 'found incompatible YAML document'],
    ['a: 1\n--- b\n', 'invalid Yaml document separator'],
    ['a: "\\/"\n', 'found unknown escape character'],
  ])('is refused where kubectl refuses it: %j', (text, message) => {
    expect(manifests(text)).toEqual([{ line: expect.any(Number), message: expect.stringContaining(message) }]);
  });

  it('holds text behind the tag "!"', () => expect(manifests('a: ! null\nb: ! 1')).toEqual([{ a: 'null', b: '1' }]));
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
    ['entries out of line', 'a: 1\n b: 2\n  c: 3', 2, 'mapping values are not allowed'],
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

  it('do not end the process, whatever nests in what', () => {
    for (let i = 0; i < 40; i++) {
      for (const open of ['[', '[[],', '{"a": ', '{[', '- ', '? ', 'a:\n'])
        expect(parseYaml(open.repeat(3000 + i)).ok, open).toBe(false);
    }
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
      { numRuns: rounds(400, 2000) },
    );
  });
});
