import { execFileSync } from 'node:child_process';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse as parseWithYaml } from 'yaml';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import type { FetchedSpec } from '../../src/mount/fetch.ts';
import { renderTemplates } from '../../src/mount/templates.ts';
import { Findings } from '../../src/spc/finding.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import type { ObjectSpec } from '../../src/spc/model.ts';
import { resolveTemplates } from '../../src/spc/resolve-templates.ts';
import { FILTERS } from '../../src/spc/template-filters.ts';
import { parseTemplates } from '../../src/spc/templates.ts';
import { parseYaml } from '../../src/spc/yaml/parse.ts';
import { convertContext, failureOf, fetchedSecret, objectSpec, read, valueContent } from '../support/mount.ts';
import { rounds } from '../support/rounds.ts';

type Secrets = Readonly<Record<string, string | undefined>>;

beforeAll(loadLanguages);

/** Renders templates over secrets; one that is undefined is optional and missing. */
async function render(secrets: Secrets, templates: unknown, more: Readonly<Record<string, Partial<ObjectSpec>>> = {}) {
  const all = Object.entries(secrets).map(([name, value]): FetchedSpec => {
    const spec = objectSpec(name, more[name]);
    return value === undefined
      ? { object: { ...spec, ifMissing: spec.ifMissing ?? { kind: 'skip' } }, fetched: [], missing: 'not_found' }
      : read(spec, fetchedSecret(value));
  });
  const findings = new Findings();
  const named = parseTemplates(JSON.stringify(templates), findings, { mode: 0o644, firstLine: 1 });
  const objects = all.map(({ object }) => object);
  const resolved = resolveTemplates(named, { objects, literals: [] }, findings);
  expect(findings.errors).toEqual([]);
  const converted = await convertObjects(all, convertContext());
  const made = await renderTemplates(resolved, converted.objects, new AbortController().signal);
  return { made, converted };
}
const textOf = async (secrets: Secrets, template: unknown, more = {}) =>
  (await render(secrets, { f: template }, more)).made[0]?.file.contents.toString();

describe('a template', () => {
  it.each<[string, string]>([
    ['{{a}}-{{{a}}}-{{&a}}', '<A>-<A>-<A>'],
    ['{{ a | json }}', '"<A>"'],
    ['{{ a | base64 | uri }}', 'PEE%2B'],
    ['{{#a}}there{{/a}}{{^a}}not there{{/a}}', 'there'],
    ['{{#none}}there{{/none}}{{^none}}not there{{/none}}', 'not there'],
    ['[{{none}}]', '[]'],
    ['{{! a comment }}x', 'x'],
    ['{{#objects}}{{name}}={{value}};{{/objects}}', 'a=<A>;b={{a}};'],
    ['{{#objects}}{{key}}{{#a}}+{{a}}{{/a}},{{/objects}}', 'A+<A>,B+<A>,'],
    ['x\n{{#a}}\ny\n{{/a}}\nz\n', 'x\ny\nz\n'],
  ])('%j is %j', async (template, expected) => {
    expect(await textOf({ a: '<A>', b: '{{a}}', none: undefined }, template)).toBe(expected);
  });

  it('has a version that follows its text and the versions in it', async () => {
    const versionOf = async (template: unknown, secrets: Secrets = { a: '1', b: '2' }) =>
      (await render(secrets, { f: template })).made[0]?.source;
    const source = await versionOf('{{a}}');
    expect(source).toEqual({ id: 'template/f', version: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(await versionOf('{{a}}', { a: 'same version', b: '2' })).toEqual(source);
    for (const other of ['{{b}}', '{{a}} ', '{{a}}{{b}}', { template: '{{a}}', delimiters: '<% %>' }])
      expect(await versionOf(other)).not.toEqual(source);
    expect(await versionOf('{{a}}', { a: undefined, b: '2' })).not.toEqual(source);
  });

  it('reads objects that are not written, defaults, the newest of a history, and decoded bytes', async () => {
    const { made, converted } = await render(
      { a: 'A', b: undefined, c: Buffer.from('C').toString('base64'), d: 'D' },
      { f: '{{a}}{{b}}{{c}}{{d}}' },
      {
        a: { templateOnly: true },
        b: { templateOnly: true, ifMissing: { kind: 'default', text: 'B' } },
        c: { content: valueContent('c', { encoding: 'base64' }) },
        d: { history: 3 },
      },
    );
    expect(made[0]?.file.contents.toString()).toBe('ABCD');
    expect(converted.made.map(({ file }) => file.path)).toEqual(['c', 'd/0']);
    expect(converted.unwritten.map(({ id }) => id)).toEqual(['secret/a', 'secret/b']);
  });

  it('is not read again in what it writes', async () => {
    expect(await textOf({ a: '{{b}}', b: 'B' }, '{{a}}')).toBe('{{b}}');
  });
});

describe('a format', () => {
  const secrets = { 'db-user': 'app', 'db-password': "it's $5", none: undefined };

  it('is one of .env', async () => {
    const text = await textOf(secrets, { format: 'dotenv', objects: ['db-*', 'none'] });
    expect(text).toBe(`DB_USER='app'\nDB_PASSWORD="it's \\$5"\n`);
  });

  it('is one of properties', async () => {
    const text = await textOf(secrets, { format: 'properties', objects: { 'a:b': 'db-user', c: 'none' } });
    expect(text).toBe('a\\:b=app\n');
  });

  it('is one of JSON', async () => {
    const text = await textOf(secrets, {
      format: 'json',
      objects: { user: 'db-user', none: 'none', pass: 'db-password' },
    });
    expect(text).toBe('{\n  "user": "app",\n  "pass": "it\'s $5"\n}\n');
    expect(await textOf(secrets, { format: 'json', objects: ['none'] })).toBe('{\n}\n');
  });
});

/** Reads the value of a line as `java.util.Properties.load` does. */
function valueOfProperties(line: string): string {
  const [, value = ''] = /^k=[ \t\f]*(.*)$/s.exec(line) ?? [];
  if (/[\r\n]/.test(value)) throw new Error('more than one line');
  return value.replace(/\\(?:u([0-9a-f]{4})|(.))/gs, (_, unit: string | undefined, char: string) =>
    unit === undefined
      ? ({ n: '\n', r: '\r', t: '\t', f: '\f' }[char] ?? char)
      : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}

const inShell = (script: string) => execFileSync('sh', ['-c', script]).toString();

describe('a filter gives a text that its reader reads back', () => {
  const samples = [
    '',
    ' ',
    'plain',
    ' leading',
    'trailing ',
    "it's",
    '"quoted"',
    'back\\slash',
    `$HOME $${'{HOME}'} $(id) \`id\``,
    'a=b:c#d!e',
    'two\nlines\n',
    '\r\n\t\f',
    'ä€😀',
    '\u0085\u2028\u2029\ufeff',
    '- a: b # c',
    '~',
    'null',
    '{{a}}',
    '%41',
    "'",
    '\\',
    '\u0007\u007f\u009b',
    ...fc.sample(fc.string({ unit: 'binary', maxLength: 20 }), { numRuns: rounds(30, 500), seed: 4 }),
  ].map((text) => Buffer.from(text).toString());

  it.each<[keyof typeof FILTERS, (written: string, text: string) => unknown]>([
    ['json', (written) => JSON.parse(written)],
    ['yaml', (written) => parseWithYaml(`k: ${written}\n`).k],
    [
      'yaml',
      (written) => {
        const parsed = parseYaml(`k: ${written}\n`);
        const [tree] = parsed.ok ? parsed.documents : [];
        const value = tree?.kind === 'map' ? tree.entries.get('k')?.value : undefined;
        return value?.kind === 'text' ? value.text : undefined;
      },
    ],
    ['properties', (written) => valueOfProperties(`k=${written}`)],
    ['uri', (written) => decodeURIComponent(written)],
    ['base64', (written) => Buffer.from(written, 'base64').toString()],
    ['trim', (written, text) => (written === text.trim() ? text : undefined)],
  ])('%s', (filter, readBack) => {
    for (const text of samples) {
      const written = FILTERS[filter](text);
      expect([text, readBack(written, text)]).toEqual([text, text]);
    }
  });

  it.each(['shell', 'dotenv'] as const)('%s, in a shell', (filter) => {
    const texts = samples.filter((text) => !text.includes('\0'));
    const script = texts.map((text) => `k=${FILTERS[filter](text)}\nprintf '%s\\0' "$k"`).join('\n');
    expect(inShell(script).split('\0').slice(0, -1)).toEqual(texts);
  });

  it('dotenv, in Node, where the text has no single quote and no backslash', () => {
    for (const text of samples.filter((text) => !/['\\\0\r]/.test(text)))
      expect([text, parseEnv(`A=1\nk=${FILTERS.dotenv(text)}\nB=2\n`)]).toEqual([text, { A: '1', k: text, B: '2' }]);
  });

  it.each(['shell', 'dotenv'] as const)('%s refuses a NUL byte, without showing the text', async (filter) => {
    const { message, code } = await failureOf(render({ a: 'canary\0' }, { f: `{{a | ${filter}}}` }));
    expect([code, message]).toEqual([
      'ERR_BAD_CONTENT',
      expect.stringContaining('template "f": the text holds a NUL byte'),
    ]);
    expect(message).not.toContain('canary');
  });
});

describe('templates made to burn time or memory', () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`s${i}`, ' '.repeat(10_000)]));

  it.each<[string, Secrets, string, string]>([
    ['a large file', { a: 'x'.repeat(25_000) }, '{{a}}'.repeat(50), 'the file would have more than 1048576 characters'],
    [
      'a file that grows by filters',
      { a: '"'.repeat(25_000) },
      '{{a | json | json | json | json}}'.repeat(4),
      'the file would have more than',
    ],
    [
      'texts that vanish',
      many,
      `{{#objects}}${'{{value | trim}}'.repeat(100)}{{/objects}}`,
      'filters of this volume read more than',
    ],
    [
      'loops',
      Object.fromEntries(Object.keys(many).map((name) => [name, ''])),
      '{{#objects}}{{value}}{{value}}{{value}}{{value}}{{/objects}}'.repeat(350),
      'write more than 1000000 tags',
    ],
  ])('%s: refused', async (_, secrets, template, message) => {
    const error = await failureOf(render(secrets, { f: template, g: template, h: template }));
    expect(error.code).toBe('ERR_TOO_LARGE');
    expect(error.message).toContain(message);
  });

  it('many large files: refused', async () => {
    const templates = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, '{{a}}'.repeat(30)]));
    const { message } = await failureOf(render({ a: 'x'.repeat(25_000) }, templates));
    expect(message).toContain('larger together than the driver accepts');
  });

  it('bytes that are no text: refused', async () => {
    const content = valueContent('a', { encoding: 'base64' });
    const { message } = await failureOf(render({ a: '/w==' }, { f: '{{a}}' }, { a: { content } }));
    expect(message).toContain('template "f": "a" is no text in UTF-8');
  });
});
