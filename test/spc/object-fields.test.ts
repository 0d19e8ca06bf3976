import { describe, expect, it } from 'vitest';
import { block, CLASSIC, fileOf, objectsError, objectsOf, read, SECRET } from '../support/spc.ts';

describe('objectType', () => {
  it.each(['secret', 'key', 'cert'])('%s', (type) => {
    expect(objectsOf(block(`objectName: a\nobjectType: ${type}`))[0]?.type).toBe(type);
  });

  it.each(['Secret', 'SECRET', 'certificate', 'x', ''])('%j is refused before any call', (type) => {
    expect(objectsError(block(`objectName: a\nobjectType: ${type}`))).toContain(
      `failed to get objectType:${type}, objectName:a, objectVersion:: Invalid vaultObjectTypes. Should be secret, key, or cert`,
    );
  });

  it('is told from a near miss', () => {
    expect(objectsError(block('objectName: a\nobjectType: Secret'))).toContain('did you mean "secret"?');
  });
});

describe('a name or a version that would be something else in a URL', () => {
  it.each([
    ['objectName', '.'],
    ['objectName', '..'],
    ['objectName', '"a\\u0001b"'],
    ['objectVersion', '.'],
    ['objectVersion', '..'],
  ])('%s %s is refused', (field, value) => {
    const others = field === 'objectName' ? 'objectVersion: v' : 'objectName: a';
    const message = objectsError(block(`${field}: ${value}\n${others}\nobjectAlias: file\nobjectType: secret`));
    expect(message).toMatch(/can be neither name nor version of a Key Vault object/);
  });
});

describe('objectVersion and objectVersionHistory', () => {
  it.each([
    ['', ''],
    ['latest', ''],
    ['"latest "', ''],
    ['Latest', ''],
    ['0123', '0123'],
    ['1e3', '1e3'],
    ['abc', 'abc'],
  ])('version %j is asked for as %j', (written, version) => {
    expect(fileOf(`objectVersion: ${written}`).version).toBe(version);
  });

  it.each([
    ['', 1],
    ['~', 1],
    ['-5', 1],
    ['0', 1],
    ['1', 1],
    ['2', 2],
    ['5.0', 5],
    ['5.7', 5],
    ['010', 8],
    ['1e2', 100],
  ])('a history of %j is %d', (written, history) => {
    expect(fileOf(`objectVersionHistory: ${written}`).history).toBe(history);
  });

  it.each([
    ['"5"', '!!str `5`'],
    ['3000000000', '!!int `3000000000`'],
    ['five', '!!str `five`'],
    ['true', '!!bool `true`'],
    ['[1]', '!!seq'],
  ])('a history of %s is refused, with its line', (written, words) => {
    expect(objectsError(block(`${SECRET}\nobjectVersionHistory: ${written}`))).toContain(
      `unmarshal failed for keyVaultObjects at index 0, error: yaml: unmarshal errors: line 5: cannot unmarshal ${words} into int32`,
    );
  });
});

describe('objectFormat and objectEncoding', () => {
  it.each([
    ['', ''],
    ['pem', 'pem'],
    ['PEM', 'pem'],
    ['pfx', 'pfx'],
    ['PfX', 'pfx'],
  ])('format %j is %j', (written, format) => expect(fileOf(`objectFormat: ${written}`).format).toBe(format));

  it.each([
    ['', 'utf-8'],
    ['utf-8', 'utf-8'],
    ['UTF-8', 'utf-8'],
    ['base64', 'base64'],
    ['Base64', 'base64'],
    ['HEX', 'hex'],
  ])('encoding %j is %s', (written, encoding) => {
    expect(fileOf(`objectEncoding: ${written}`).encoding).toBe(encoding);
  });

  it.each([
    ['secret', 'objectFormat: der', 'invalid objectFormat: der, should be PEM or PFX'],
    ['key', 'objectFormat: der', 'invalid objectFormat: der, should be PEM or PFX'],
    ['cert', 'objectFormat: pfx', 'PFX format only supported for objectType: secret'],
    ['key', 'objectFormat: PFX', 'PFX format only supported for objectType: secret'],
    ['secret', 'objectEncoding: utf8', 'invalid objectEncoding: utf8, should be hex, base64 or utf-8'],
    ['secret', 'objectEncoding: ascii', 'invalid objectEncoding: ascii, should be hex, base64 or utf-8'],
    ['cert', 'objectEncoding: base64', 'objectEncoding only supported for objectType: secret'],
    ['key', 'objectEncoding: nonsense', 'objectEncoding only supported for objectType: secret'],
    ['cert', 'objectEncoding: utf-8', 'objectEncoding only supported for objectType: secret'],
  ])('%s with %s', (type, field, reason) => {
    expect(objectsError(block(`objectName: a\nobjectType: ${type}\n${field}`))).toContain(
      `failed to get objectType:${type}, objectName:a, objectVersion:: ${reason}`,
    );
  });

  it('pem is fine for a key', () => {
    expect(objectsOf(block('objectName: a\nobjectType: key\nobjectFormat: pem'))).toHaveLength(1);
  });

  it('mistakes come in the order format, encoding, file name', () => {
    const { errors } = read({
      ...CLASSIC,
      objects: block('objectName: /a\nobjectType: secret\nobjectEncoding: x\nobjectFormat: y'),
    });
    expect(errors.map((text) => text.replace(/.*:: /, '').split(':')[0])).toEqual([
      'invalid objectFormat',
      'invalid objectEncoding',
      'file name must be a relative path',
    ]);
  });
});

describe('filePermission', () => {
  it.each([
    ['"0644"', 0o644],
    ['0644', 0o644],
    ['644', 0o644],
    ['0400', 0o400],
    ['0', 0],
    ['777', 0o777],
    ['"00000640"', 0o640],
    ['""', 0o600],
  ])('%s', (written, mode) => {
    expect(fileOf(`filePermission: ${written}`, { mode: 0o600 }).mode).toBe(mode);
  });

  it('absent is the permission of the request', () => expect(fileOf('', { mode: 0o440 }).mode).toBe(0o440));

  it.each(['0900', '0o644', 'rw-r--r--', '-644', '777777', '1000', '6 4 4', '0x1F', '4.2'])(
    '%s is refused',
    (written) => {
      expect(objectsError(block(`${SECRET}\nfilePermission: "${written}"`))).toContain(
        'failed to get objectType:secret, objectName:secret1, objectVersion:: file permission must be a valid octal number',
      );
    },
  );
});

describe('file names', () => {
  it.each([
    ['objectAlias: db', 'db'],
    ['objectAlias: a/b/c.txt', 'a/b/c.txt'],
    ['objectAlias: "a b/ü"', 'a b/ü'],
    ['objectAlias: .hidden', '.hidden'],
    ['objectAlias: a.b', 'a.b'],
  ])('%s', (field, path) => expect(fileOf(field).path).toBe(path));

  it.each([
    ['/etc/passwd', 'file name must be a relative path'],
    ['../a', "file name must not contain '..'"],
    ['a..b', "file name must not contain '..'"],
    ['a/../b', "file name must not contain '..'"],
    ['./a', 'is not in its shortest form'],
    ['a//b', 'is not in its shortest form'],
    ['a/', 'is not in its shortest form'],
    ['a/./b', 'is not in its shortest form'],
    ['.', 'is not in its shortest form'],
    ['x'.repeat(256), 'has an element over 255 bytes'],
    ['ü'.repeat(128), 'has an element over 255 bytes'],
    [`${'x/'.repeat(2100)}x`, 'file name is over 4096 bytes'],
    ['"a\\0b"', 'NUL'],
  ])('%s is refused', (alias, reason) => {
    const { errors } = read({ ...CLASSIC, objects: block(`${SECRET}\nobjectAlias: ${alias}`) });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^failed to get objectType:secret, objectName:secret1, objectVersion:: file name /);
    expect(errors[0]).toContain(reason);
  });

  it('a name obeys the same rules where there is no alias', () => {
    expect(objectsError(block('objectName: a/../b\nobjectType: secret'))).toContain("file name must not contain '..'");
  });

  it('an object without name and alias names the misspelt field', () => {
    expect(objectsError(block('objectname: a\nobjectType: secret'))).toMatch(
      /file name must not be empty; "objectname" is unknown, did you mean "objectName"\?/,
    );
  });

  it('an alias does not stand for a name', () => {
    expect(objectsError(block('objectAlias: a\nobjectType: secret'))).toContain('objectName is not provided');
  });

  it('a name that no vault can hold is a warning: the vault decides', () => {
    const { volume, warnings } = read({ ...CLASSIC, objects: block('objectName: my_secret\nobjectType: secret') });
    expect(volume?.objects[0]?.name).toBe('my_secret');
    expect(warnings).toEqual([expect.stringContaining('"my_secret" cannot be the name of a Key Vault object')]);
  });
});

describe('how objects are delivered', () => {
  it('follows the flags of the program', () => {
    expect(fileOf('', { defaults: { split: true, orderChain: false } })).toMatchObject({
      split: true,
      orderChain: false,
    });
    expect(fileOf('')).toMatchObject({ split: false, orderChain: true });
  });

  it('calls an object as the official provider does', () => {
    const [object] = objectsOf(block('objectName: a\nobjectType: cert\nobjectVersion: latest'));
    expect(object?.label).toBe('objectType:cert, objectName:a, objectVersion:latest');
  });
});

it('every mistake is reported', () => {
  const { errors, error } = read({
    ...CLASSIC,
    objects: block(
      'objectName: a\nobjectType: x\nfilePermission: "9"',
      'b: [',
      'objectName: ..\nobjectType: key\nobjectEncoding: hex',
    ),
  });
  expect(
    errors.map((text) => /index 1|encoding only|'\.\.'|Invalid vaultObjectTypes|file permission/i.exec(text)?.[0]),
  ).toEqual(['index 1', 'Encoding only', "'..'", 'Invalid vaultObjectTypes', 'file permission']);
  expect(error?.message).toContain('[first of 5 mistakes]; (2) failed to get objectType:key');
});
