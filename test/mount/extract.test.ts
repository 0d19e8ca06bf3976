import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { convertParts, ExtractBudget } from '../../src/mount/convert/parts.ts';
import { assembleAnswer } from '../../src/mount/response.ts';
import { readExpression } from '../../src/spc/expression.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import type { ContentSpec, ExtractSpec } from '../../src/spc/model.ts';
import { convertContext, failureOf, fetchedSecret, objectSpec, read } from '../support/mount.ts';
import { rounds } from '../support/rounds.ts';

type Entry = string | { readonly jmesPath: string; readonly optional?: boolean };
type Parts = Extract<ContentSpec, { kind: 'parts' }>;

const partOf = ([path, entry]: [string, Entry]): ExtractSpec => {
  const { jmesPath, optional = false } = typeof entry === 'string' ? { jmesPath: entry } : entry;
  const expression = readExpression(jmesPath);
  if (!expression.ok) throw new Error(expression.problem);
  return { path, each: path.includes('{key}'), expression: expression.expression, mode: 0o600, optional };
};
const object = (extract: Readonly<Record<string, Entry>>, more: Partial<Parts> = {}, name = 'app') => {
  const parts = Object.entries(extract).map(partOf);
  return objectSpec(name, { content: { kind: 'parts', encoding: 'utf-8', whole: undefined, ...more, parts } });
};
const convert = async (value: string, extract: Readonly<Record<string, Entry>>, more: Partial<Parts> = {}) => {
  const { made } = await convertObjects([read(object(extract, more), fetchedSecret(value))], convertContext());
  return Object.fromEntries(made.map(({ file }) => [file.path, file.contents.toString()]));
};
const refusal = async (value: string, extract: Readonly<Record<string, Entry>>, more: Partial<Parts> = {}) =>
  (await failureOf(convert(value, extract, more))).message;

beforeAll(loadLanguages);

describe('a part', () => {
  const JSON_TEXT = `{"database": {"password": "hunter2\\n", "port": 5432, "ratio": 1.10, "big": 12345678901234567890,
    "on": true, "none": null, "empty": "", "tags": ["a", {"b": 1.10, "c": null}], "n\\u00e4me": "\\ud83d\\ude00"}}`;

  it.each([
    ['database.password', 'hunter2\n'],
    ['database.port', '5432'],
    ['database.ratio', '1.10'],
    ['database.big', '12345678901234567890'],
    ['database.on', 'true'],
    ['database.empty', ''],
    ['database."näme"', '😀'],
    ['database.tags', '["a",{"b":1.10,"c":null}]'],
    ['database.{p: port, o: on}', '{"p":5432,"o":true}'],
    ["join(',', database.tags[:1])", 'a'],
    ['sum([database.port, database.ratio])', '5433.1'],
    ["database.none || 'x'", 'x'],
    ['database && database.on', 'true'],
    ['!database', 'false'],
    ['length(database)', '9'],
  ])('%s of JSON is %j', async (expression, expected) => {
    expect(await convert(JSON_TEXT, { f: expression })).toEqual({ f: expected });
  });

  it.each([
    ['a', 'x'],
    ['b', 'no'],
    ['c', '0123'],
    ['d', '2026-01-01'],
    ['e', 'two\nlines\n'],
    ['f', '0x1F'],
    ['g', 'x'],
    ['h', '12'],
    ['h == `12`', 'false'],
  ])('%s of YAML is %j', async (expression, expected) => {
    const yaml = 'a: &x x\nb: no\nc: 0123\nd: 2026-01-01\ne: |\n  two\n  lines\nf: 0x1F\ng: *x\nh: |-\n  12\n';
    expect(await convert(yaml, { f: expression })).toEqual({ f: expected });
  });

  it('reads JSON as JSON.parse does', async () => {
    const numRuns = rounds(150, 2000);
    const samples = fc.sample(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 })), {
      numRuns,
      seed: 15,
    });
    for (const sample of samples) {
      const text = JSON.stringify([sample], null, '\t');
      const { all = '' } = await convert(`\n${text}`, { all: '@' });
      expect(JSON.parse(all)).toEqual(JSON.parse(text));
    }
  });

  it('is nothing that JavaScript has and the value has not', async () => {
    for (const word of [
      'constructor',
      'toString',
      '__proto__',
      'hasOwnProperty',
      'length',
      'a.length',
      'a.constructor',
    ])
      expect(await convert('{"a": "x"}', { f: { jmesPath: word, optional: true } })).toEqual({});
    expect(await convert('{"__proto__": {"x": "1"}}', { f: '"__proto__".x', g: '@' })).toEqual({
      f: '1',
      g: '{"__proto__":{"x":"1"}}',
    });
  });

  it('is read of decoded bytes', async () => {
    const encoded = Buffer.from('{"a": "x"}').toString('base64');
    expect(await convert(encoded, { f: 'a' }, { encoding: 'base64' })).toEqual({ f: 'x' });
    const whole = { path: 'all', mode: 0o644 };
    expect(await convert(encoded, { f: 'a' }, { encoding: 'base64', whole })).toEqual({ all: '{"a": "x"}', f: 'x' });
    expect(await refusal('/w==', { f: 'a' }, { encoding: 'base64' })).toContain('no text in UTF-8');
  });

  it('is reported with the version of its secret', async () => {
    const { made } = await convertObjects(
      [read(object({ a: 'a', b: 'b' }), fetchedSecret('{a: 1, b: 2}'))],
      convertContext(),
    );
    expect(made.map(({ source }) => source)).toEqual(Array(2).fill({ id: 'secret/app', version: 'v1' }));
  });

  it('may be absent if it is optional', async () => {
    const content = fetchedSecret('{"a": "x", "b": null}');
    const absent = object({ b: { jmesPath: 'b', optional: true }, c: { jmesPath: 'c.d', optional: true } });
    const { made, unwritten } = await convertObjects([read(absent, content)], convertContext());
    expect(made).toEqual([]);
    expect(unwritten).toEqual([{ id: 'secret/app', version: 'v1' }]);
  });
});

describe('{key}', () => {
  it('stands for each key of a map', async () => {
    const value = '{"tls": {"crt": "C", "key": "K", "none": null, "more": {"a": 1}}}';
    expect(await convert(value, { 'tls/{key}.pem': 'tls' })).toEqual({
      'tls/crt.pem': 'C',
      'tls/key.pem': 'K',
      'tls/more.pem': '{"a":1}',
    });
    expect(await convert(value, { '{key}': { jmesPath: 'other', optional: true } })).toEqual({});
  });

  it.each(['../x', 'a/b', '', '.', '..', 'x\0', 'k'.repeat(300)])(
    'refuses the key %j without showing it',
    async (key) => {
      const message = await refusal(JSON.stringify({ fine: '1', [key]: '2' }), { '{key}': '@' });
      expect(message).toContain('key number 2 cannot be the name of a file');
      if (key.length > 2) expect(message).not.toContain(key);
    },
  );

  it.each([
    ['["a"]', 'must find a map'],
    ['{}', 'finds nothing'],
    [JSON.stringify(Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`k${i}`, 'x']))), 'finds 501 keys'],
  ])('of %.20s is refused', async (value, text) => {
    expect(await refusal(value, { '{key}': '@' })).toContain(text);
  });

  it('does not show a key that collides', async () => {
    const both = ['one', 'two'].map((name) =>
      read(object({ '{key}': '@' }, {}, name), fetchedSecret('{"canary": "x"}')),
    );
    const { made } = await convertObjects(both, convertContext());
    const { message } = await failureOf(() => assembleAnswer(made, []));
    expect(message).toContain('object one and object two');
    expect(message).not.toContain('canary');
  });
});

describe('a refusal', () => {
  it.each([
    ['{"canary": 1', 'line 1, column'],
    ['{"canary": 1,\n "x": "canary', 'line 2, column 7: found unexpected end of stream'],
    ['canary: [1', 'line 1'],
    ['canary: *canary', 'an alias names an anchor that is not there'],
    ['canary: 1\ncanary: 2', 'line 2, column 1: a key stands twice in one map'],
    ['canary: 1\n---\ncanary: 2', 'holds more than one YAML document'],
    ['canary', 'is a plain text, not a map or a list of JSON or YAML'],
    ['', 'is empty'],
    ['canary: !!int canary', 'line 1'],
    ['-----BEGIN CERTIFICATE-----\ncanary\n', 'is a plain text'],
    ['canary: 1\n\tcanary: 2', 'line 2'],
  ])('of %j says where, and not what', async (value, text) => {
    const message = await refusal(value, { f: 'a' });
    expect(message).toContain(text);
    expect(message).not.toContain('canary');
  });

  it('names the entries that find nothing, and no key', async () => {
    const value = '{"pasword": "canary"}';
    const message = await refusal(value, { 'db/password': 'password', b: 'b.c', c: { jmesPath: 'c', optional: true } });
    expect(message).toContain(
      'extract of "db/password" ("password") and extract of "b" ("b.c") find nothing in the value; a key of the value has ' +
        'nearly the name that begins it; correct it, or give it optional: "true"',
    );
    expect(message).not.toMatch(/canary|pasword/);
  });

  it.each([
    ['sum(canary)', 'argument 1 of sum() must be Array<number>, and is array'],
    ["join(',', canary)", 'argument 2 of join() must be Array<string>, and is array'],
    ['sort_by(canary, &@)', 'gets a value of the wrong type'],
  ])('of %s says what is wrong with the types', async (expression, text) => {
    const message = await refusal('{"canary": ["hidden", 1, {"a": null}]}', { f: expression });
    expect(message).toContain(text);
    expect(message).not.toContain('hidden');
  });

  it('never holds anything of the value', async () => {
    const words = fc.constantFrom(
      'canary',
      '{',
      '}',
      '[',
      ']',
      ':',
      ' ',
      '\n',
      '"',
      "'",
      ',',
      '- ',
      '&',
      '*',
      '!!int ',
      '|',
      '\t',
      '#',
      '1',
    );
    const numRuns = rounds(400, 5000);
    for (const parts of fc.sample(fc.array(words, { maxLength: 12 }), { numRuns, seed: 3 })) {
      const message = await convert(parts.join(''), {
        f: { jmesPath: 'x', optional: true },
        g: { jmesPath: 'y.z', optional: true },
      }).then(
        () => '',
        (error: Error) => error.message,
      );
      expect(message).not.toContain('canary');
    }
  });
});

describe('a value made to burn time or memory', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

  it.each([
    ['nested 10,000 deep', `{"a": ${nested(10_000)}}`],
    ['nested in YAML', Array.from({ length: 150 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
    [
      'of aliases in aliases',
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${'bcdefgh'.replace(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(10)}]\n`)}`,
    ],
    ['of brackets', `[${'[],'.repeat(30_000)}]`],
    ['of many characters', `{"a": "${'x'.repeat(200_000)}"}`],
  ])('%s is refused', async (_, value) => {
    expect(await refusal(value, { f: 'a' })).toMatch(/nests deeper|unfold|is too large to be read/);
  });

  it('is written only as far as a file may be large', async () => {
    const value = JSON.stringify({ a: '"'.repeat(25_000) });
    expect(await refusal(value, { f: '[a,a,a,a,a,a,a,a,a,a,a,a]' })).toContain('more than 262144 characters');
  });

  it('is refused if an expression does too much work on its size', async () => {
    const value = JSON.stringify({ a: 'x'.repeat(120_000) });
    expect(await refusal(value, { f: 'sort([a]) | sort(@)' })).toContain('does more work on a value of this size');
  });

  it('is refused if all expressions together do too much work', async () => {
    const value = JSON.stringify({ a: Array.from({ length: 8000 }, () => 1) });
    const extract = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'sort(a) | [0]']));
    const message = await refusal(value, extract);
    expect(message).toContain('extract is more work in this volume than is allowed');
  });

  it('is refused if all values together take too long to read', async () => {
    const { content } = object({ f: '[0]' });
    if (content.kind !== 'parts') throw new Error('no parts');
    const { signal } = new AbortController();
    const value = fetchedSecret(`[${'1,'.repeat(100)}1]`);
    const budget = new ExtractBudget(5000);
    for (const _ of [1, 2]) expect(await convertParts(value, { content, budget, signal })).toHaveLength(1);
    const { message } = await failureOf(convertParts(value, { content, budget, signal }));
    expect(message).toContain('extract is more work in this volume than is allowed');
  });
});
