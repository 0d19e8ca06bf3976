import { beforeAll, describe, expect, it, vi } from 'vitest';
import { readExpression } from '../../src/spc/expression.ts';
import { loadLanguages } from '../../src/spc/languages.ts';
import { fillPattern, fitsPattern, patternProblem } from '../../src/spc/path-pattern.ts';
import { classicWith, keyVaultWith, read } from '../support/spc.ts';

it('needs the languages, and no other manifest does', async () => {
  vi.resetModules();
  const [fresh, { read: readAnew }] = await Promise.all([
    import('../../src/spc/languages.ts'),
    import('../support/spc.ts'),
  ]);
  expect(readAnew(classicWith({})).errors).toEqual([]);
  expect(() => readAnew(classicWith({ extract: { a: 'a' } }))).toThrow(fresh.LanguagesNeeded);
  const volume = await fresh.withLanguages(() => readAnew(classicWith({ extract: { a: 'a' } })).volume);
  expect(volume?.objects[0]?.content.kind).toBe('parts');
});

describe.each([
  ['classic', classicWith, 'objects[0]'],
  ['keyVault', keyVaultWith, 'keyVault.vaultSecret'],
])('extract of the %s form', (form, parametersOf, place) => {
  beforeAll(loadLanguages);

  it('gives the files of its entries, and no other', () => {
    const extract = {
      'db/password': 'database.password',
      'db/port': { jmesPath: ' database.port ', optional: 'true', filePermission: '0400' },
      '{key}': '@',
    };
    const { volume, errors, notes } = read(parametersOf({ extract, filePermission: '0600' }));
    expect([errors, notes]).toEqual([[], []]);
    const { content } = volume?.objects[0] ?? {};
    if (content?.kind !== 'parts') throw new Error('no parts');
    expect(content.whole).toBeUndefined();
    expect(content.parts.map(({ expression, ...part }) => ({ ...part, text: expression.text }))).toEqual([
      { path: 'db/password', each: false, mode: 0o600, optional: false, text: 'database.password' },
      { path: 'db/port', each: false, mode: 0o400, optional: true, text: 'database.port' },
      { path: '{key}', each: true, mode: 0o600, optional: false, text: '@' },
    ]);
  });

  it('gives the value itself if it is asked for', () => {
    const parameters =
      form === 'classic'
        ? classicWith({ extract: { a: 'a' }, objectAlias: 'all.json' })
        : { ...keyVaultWith({ extract: { a: 'a' } }), fileName: 'all.json' };
    const { volume, errors } = read(parameters);
    expect(errors).toEqual([]);
    expect(volume?.objects[0]?.content).toMatchObject({ whole: { path: 'all.json', mode: 0o644 } });
  });

  it.each<[unknown, string]>([
    [{}, '.extract names no file; write FILE: EXPRESSION'],
    ['a', '.extract must be a map, not a text'],
    [{ a: '' }, '.extract.a must be a JMESPath expression or a map with "jmesPath", not nothing'],
    [{ a: null }, '.extract.a must be a JMESPath expression or a map with "jmesPath", not nothing'],
    [{ a: ['b'] }, '.extract.a must be a JMESPath expression or a map with "jmesPath", not a list'],
    [{ a: {} }, '.extract.a.jmesPath is required'],
    [{ a: { jmesPath: 'a', mode: '0400' } }, '.extract.a.mode is unknown'],
    [{ a: { jmesPath: 'a', filePermission: '9' } }, '.extract.a.filePermission is wrong'],
    [{ a: { jmesPath: 'a', optional: 'maybe' } }, '.extract.a.optional "maybe" must be "true" or "false"'],
    [{ '../a': 'a' }, ".extract.../a is not a usable path: file name must not contain '..'"],
    [{ '/a': 'a' }, '.extract./a is not a usable path: file name must be a relative path'],
    [{ 'a/{name}': 'a' }, '.extract.a/{name} is not a usable path: only {key} may stand in braces'],
    [{ 'a}': 'a' }, '.extract.a} is not a usable path: only {key} may stand in braces'],
    [{ a: 'my-key' }, `.extract.a "my-key" is not JMESPath; put a key with other characters than letters`],
    [{ a: 'lenght(@)' }, '.extract.a "lenght(@)" calls the unknown function "lenght"; did you mean "length"?'],
    [
      Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, 'a'])),
      '.extract has 101 entries, more than 100',
    ],
  ])('%j is refused', (extract, text) => {
    const { errors } = read(parametersOf({ extract }));
    expect(errors).toEqual([expect.stringContaining(`${place}${text}`)]);
  });

  it.each([
    ['files', {}],
    ['keyFormat', 'pkcs1'],
    ['passwordFrom', 'other'],
    ['default', 'x'],
    ['ifMissing', 'empty'],
  ])('%s is refused next to it', (field, value) => {
    const optional = ['default', 'ifMissing'].includes(field) ? { optional: 'true' } : {};
    const { errors } = read(parametersOf({ extract: { a: 'a' }, [field]: value, ...optional }));
    expect(errors).toEqual([expect.stringContaining(`${place}.${field} `)]);
    expect(errors[0]).toContain('extract');
  });

  it('finds files that collide', () => {
    const { errors } = read(parametersOf({ extract: { a: 'a', 'a/b': 'b' } }));
    expect(errors).toEqual([expect.stringContaining('is a file of')]);
  });
});

describe('extract of the classic form', () => {
  beforeAll(loadLanguages);

  it.each([
    [{ objectFormat: 'pem' }, 'objects[0].objectFormat has no meaning next to extract'],
    [{ objectVersionHistory: 3 }, 'extract cannot be combined with objectVersionHistory'],
  ])('is refused next to %j', (fields, text) => {
    const { errors } = read(classicWith({ extract: { a: 'a' }, ...fields }));
    expect(errors).toEqual([expect.stringContaining(text)]);
  });

  it('is for secrets', () => {
    const { errors } = read(classicWith({ extract: { a: 'a' } }, 'objectName: k\nobjectType: key'));
    expect(errors).toEqual([expect.stringContaining('extract is only for objectType: secret')]);
  });

  it.each(['jmesPath', 'jmespath', 'extractJSONKey', 'secretKey', 'property'])('is what %s means', (field) => {
    const { warnings } = read(classicWith({ [field]: 'a' }));
    expect(warnings).toEqual([expect.stringMatching(/did you mean "extract"\?.*write extract: \{FILE: EXPRESSION\}/)]);
  });
});

describe('an expression', () => {
  beforeAll(loadLanguages);

  it.each([
    'database.password',
    '"my-key"."a.b"',
    'servers[0].host',
    'servers[-1].host',
    "users[?name=='app'].password | [0]",
    "users[?starts_with(name, 'a') && !disabled].name",
    "join(',', hosts[].name)",
    'sort_by(users, &age)[*].{name: name, age: age}',
    'map(&to_string(@), ports)',
    "password || 'none at all, which is a rather long text for a default value'",
    '{user: db.user, pass: db.password}',
    'merge(a, b)',
    'max_by(keys, &created).value',
    'not_null(a, b, c)',
    '@',
  ])('%s is taken', (text) => {
    expect(readExpression(text)).toMatchObject({ ok: true });
  });

  it.each([
    ['a b', /is not JMESPath/],
    ['a.(b)', /unknown function|is not JMESPath/],
    ['()', /is not JMESPath/],
    ['=', /is not JMESPath/],
    ['a[', /is not JMESPath/],
    ['$.a', /leave the "\$" out/],
    ['list.0', /write an index in brackets/],
    ['my-key', /in quotes: "my-key"/],
    ['constructor(@)', /unknown function "constructor"/],
    ['length(a, b)', /gives 2 arguments to length\(\), which takes 1/],
    ['merge()', /gives 0 arguments to merge\(\), which takes at least 1/],
    ['map(a, b)', /lacks "&" before the first argument of map\(\)/],
    ['sort_by(a, b)', /lacks "&" before the second argument of sort_by\(\)/],
    ['&a', /has "&" where no function takes an expression/],
    ['to_string(&a)', /has "&" where no function takes an expression/],
    ['join(a, b)', /needs a text as the first argument of join\(\)/],
    ['a'.repeat(1025), /is longer than 1024 bytes/],
    ['(((('.repeat(250), /is not JMESPath/],
  ])('%j is refused', (text, problem) => {
    const read = readExpression(text);
    expect(read.ok ? '' : read.problem).toMatch(problem);
  });

  it.each([
    ['doubles the value', Array.from({ length: 16 }, () => '[@,@]').join('|')],
    ['doubles its lists', `a|${Array.from({ length: 16 }, () => '[@,@][]').join('|')}`],
    ['repeats each entry', 'a[*].[@,@,@,@,@,@,@,@,@,@][] | [*].[@,@,@,@,@,@,@,@,@,@][]'],
    ['brings entries of its own', `a[*].[\`[${'0,'.repeat(300)}0]\`][][]`],
    ['brings names of its own', `a[*].{${'n'.repeat(200)}: @}`],
    ['escapes what is escaped', `${'to_string(['.repeat(9)}a${'])'.repeat(9)}`],
    ['joins by a long text', `join('${'-'.repeat(200)}', a)`],
    ['looks for each entry in all', 'sort_by(a, &sort_by(b, &c)[0].d)'],
    ['sorts again and again', Array.from({ length: 30 }, () => 'sort(@)').join('|')],
    ['looks at each place of each text', 'a[?starts_with(b, c)] | [?starts_with(b, c)]'],
    ['goes deep for each entry', `a[*]${'.b'.repeat(300)}`],
  ])('that %s is refused before it runs', (_, text) => {
    const read = readExpression(text);
    expect(read.ok ? '' : read.problem).toContain('does more work than is allowed');
  });
});

describe('a path with {key}', () => {
  it.each([
    ['{key}', 'a', true],
    ['tls/{key}', 'tls/a', true],
    ['tls/{key}.pem', 'tls/a.pem', true],
    ['{key}/{key}.pem', 'ab/ab.pem', true],
    ['{key}/{key}.pem', 'ab/ac.pem', false],
    ['tls/{key}', 'tls/', false],
    ['tls/{key}', 'tls/a/b', false],
    ['tls/{key}', 'other/a', false],
    ['{key}.pem', 'a.crt', false],
  ])('%s stands for %s: %s', (pattern, path, fits) => {
    expect(fitsPattern(path, pattern, 'key')).toBe(fits);
  });

  it('is filled in as it stands', () => {
    expect(fillPattern('a/{key}/{key}', 'key', '$&')).toBe('a/$&/$&');
    expect(patternProblem('{key}', 'key')).toBeUndefined();
    expect(patternProblem('{key}/../x', 'key')).toContain("must not contain '..'");
  });
});
