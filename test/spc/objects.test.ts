import { describe, expect, it } from 'vitest';
import { block, CLASSIC, fileOf, objectsError, objectsOf, read, SECRET } from '../support/spc.ts';

it('may be as many as the list may hold, with every field, a comment and quotes', () => {
  const fields = [
    'objectType: "secret" # kept by the team',
    'objectVersion: 0123456789abcdef0123456789abcdef',
    'objectFormat: pem',
    'objectEncoding: utf-8',
    'objectVersionHistory: 1',
    'filePermission: 0644',
  ].join('\n');
  const item = (i: number) =>
    `objectName: my-rather-long-secret-name-${i}\nobjectAlias: some/directory/file-${i}\n${fields}`;
  const items = (count: number) => block(...Array.from({ length: count }, (_, i) => item(i)));
  expect(objectsOf(items(500))).toHaveLength(500);
  expect(objectsError(items(501))).toContain('objects holds 501 objects, more than 500');
});

describe('shapes of objects', () => {
  const one = [expect.objectContaining({ name: 'secret1', type: 'secret', version: '', history: 1 })];

  it.each([
    ['block strings under array', block(SECRET)],
    ['block strings under array, not indented', 'array:\n- |\n  objectName: secret1\n  objectType: secret'],
    ['folded and chomped block strings', `array:\n  - |-\n    objectName: secret1\n    objectType: secret`],
    ['a quoted string', 'array:\n  - "objectName: secret1\\nobjectType: secret"'],
    ['a string in flow style', "array: ['{objectName: secret1, objectType: secret}']"],
    ['maps under array', 'array:\n  - objectName: secret1\n    objectType: secret'],
    ['a plain list of maps', '- objectName: secret1\n  objectType: secret'],
    ['a plain list of block strings', '- |\n  objectName: secret1\n  objectType: secret'],
    ['JSON', '{"array": [{"objectName": "secret1", "objectType": "secret"}]}'],
    ['Windows line endings', block(SECRET).replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${block(SECRET)}`],
    ['a document marker', `---\n${block(SECRET)}`],
    ['comments', `# ours\n${block(`# the password\n${SECRET} # here`)}`],
    ['tabs behind the colon', block('objectName:\tsecret1\nobjectType:\tsecret')],
    ['white space around values', block('objectName: "  secret1 "\nobjectType: "secret\\n"')],
    ['merged maps', 'x: &x {objectType: secret}\narray:\n  - <<: *x\n    objectName: secret1'],
    ['anchors inside an item', block('objectName: &n secret1\nobjectAlias: *n\nobjectType: secret')],
  ])('%s', (_, objects) => expect(objectsOf(objects)).toEqual(one));

  it.each([
    ['0755', '0755'],
    ['123', '123'],
    ['1e3', '1e3'],
    ['true', 'true'],
    ['0x1F', '0x1F'],
    ['2024-01-01', '2024-01-01'],
    ['1_000', '1_000'],
    ['"007"', '007'],
  ])('a name of the raw text %s is kept', (written, name) => {
    expect(objectsOf(block(`objectName: ${written}\nobjectType: secret`))[0]?.name).toBe(name);
  });

  it.each(['~', 'null', '', '""'])('an alias of %j is no alias', (alias) => {
    expect(fileOf(`objectAlias: ${alias}`).path).toBe('secret1');
  });

  it('keeps the order of the list', () => {
    const names = ['b', 'a', 'c'];
    const objects = objectsOf(block(...names.map((name) => `objectName: ${name}\nobjectType: key`)));
    expect(objects.map(({ name }) => name)).toEqual(names);
  });
});

describe('what is ignored, with a note', () => {
  it.each([
    [
      'an unknown field',
      block(`${SECRET}\nfrobnicate: x`),
      'objects[0].frobnicate is unknown and ignored; known here: ',
    ],
    ['an unknown key beside array', `foo: bar\n${block(SECRET)}`, 'objects: the key "foo" is unknown and ignored'],
    ['an item of null', `array:\n  -\n  - ~\n${block(SECRET).slice(7)}`, 'objects[0] is empty and ignored'],
    [
      'a second document',
      `${block(SECRET)}---\nwhat: [ever`,
      'objects holds more than one YAML document; only the first is read',
    ],
    [
      'a second document of an item',
      block(`${SECRET}\n---\nwhat: [ever`),
      'objects[0] holds more than one YAML document',
    ],
  ])('%s', (_, objects, note) => {
    const { volume, notes } = read({ ...CLASSIC, objects });
    expect(volume?.objects).toHaveLength(1);
    expect(notes[0]).toContain(note);
  });
});

describe('objects that cannot be read', () => {
  const unmarshal = 'failed to yaml unmarshal objects, error: yaml:';
  const item = 'unmarshal failed for keyVaultObjects at index 0, error: yaml:';

  it.each([
    ['a list as text', 'array: a', `${unmarshal} unmarshal errors: line 1: cannot unmarshal !!str \`a\` into []string`],
    ['array as map', 'array: {a: b}', `${unmarshal} unmarshal errors: line 1: cannot unmarshal !!map into []string`],
    [
      'a bare text',
      'secret1',
      `${unmarshal} unmarshal errors: line 1: cannot unmarshal !!str \`secret1\` into types.StringArray`,
    ],
    ['an open bracket', 'array: [', `${unmarshal} line 1: `],
    ['array twice', `${block(SECRET)}array: []`, `${unmarshal} line 5: mapping key "array" already defined at line 1`],
    ['tabs', 'array:\n\t- a', `${unmarshal} line 2: found character that cannot start any token`],
    [
      'a bare word as item',
      'array:\n  - secret1',
      `${item} unmarshal errors: line 2: cannot unmarshal !!str \`secret1\` into types.KeyVaultObject`,
    ],
    [
      'a long bare word as item',
      'array:\n  - secret12345',
      `${item} unmarshal errors: line 2: cannot unmarshal !!str \`secret1...\` into types.KeyVaultObject`,
    ],
    [
      'a number as item',
      'array:\n  - 5',
      `${item} unmarshal errors: line 2: cannot unmarshal !!int \`5\` into types.KeyVaultObject`,
    ],
    [
      'a list as item',
      'array:\n  - [a]',
      `${item} unmarshal errors: line 2: cannot unmarshal !!seq into types.KeyVaultObject`,
    ],
    ['a: b: c', block('a: b: c'), `${item} line 3: mapping values are not allowed in this context`],
    [
      'a field twice',
      block(`${SECRET}\nobjectName: b`),
      `${item} line 5: mapping key "objectName" already defined at line 3`,
    ],
    [
      'a map as name',
      block('objectName: {a: b}\nobjectType: secret'),
      `${item} unmarshal errors: line 3: cannot unmarshal !!map into string`,
    ],
    [
      'a list as alias',
      block(`${SECRET}\nobjectAlias:\n- a`),
      `${item} unmarshal errors: line 6: cannot unmarshal !!seq into string`,
    ],
    ['an unknown alias', block('objectName: *x\nobjectType: secret'), `${item} line 3: unknown anchor "x" referenced`],
  ])('%s', (_, objects, text) => expect(objectsError(objects)).toContain(text));

  it('names the item’s index, from 0', () => {
    expect(objectsError(block(SECRET, 'x: [', 'objectName: b\nobjectType: key'))).toContain(
      'keyVaultObjects at index 1',
    );
  });

  it('counts lines in the text of objects', () => {
    const objects = `${block(SECRET)}  - |\n    # one\n    objectName: b\n    objectName: c\n`;
    expect(objectsError(objects)).toContain('line 8: mapping key "objectName" already defined at line 7');
  });

  it.each([
    'array:',
    'array: []',
    'array: ~',
    '{}',
    'foo: bar',
    '# nothing',
    '---',
    '~',
    'array:\n  -\n  - null',
    '[]',
  ])('%j holds no object, which is said', (objects) =>
    expect(objectsError(objects)).toMatch(/^objects holds no object; list the secrets/),
  );

  it('is longer than anybody writes', () => {
    expect(objectsError(`#${'x'.repeat(300_000)}`)).toContain('objects is longer than 262144 bytes');
  });

  it('an item of an empty text is an object without a name', () => {
    const { errors } = read({ ...CLASSIC, objects: 'array:\n  - ""' });
    expect(errors[0]).toContain('failed to get objectType:, objectName:, objectVersion:: file name must not be empty');
  });
});
