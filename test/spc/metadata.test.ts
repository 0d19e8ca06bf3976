import { describe, expect, it } from 'vitest';
import { classicWith, type Fields, keyVaultWith, read } from '../support/spc.ts';

describe.each([
  ['classic', classicWith, 'objects[0]'],
  ['keyVault', keyVaultWith, 'keyVault.vaultSecret'],
])('metadata of the %s form', (_, parametersOf, place) => {
  it.each<[Fields, object | undefined]>([
    [{}, undefined],
    [{ metadata: 'about/a.json' }, { path: 'about/a.json', mode: 0o644 }],
    [
      { metadata: 'a.json', filePermission: '0400' },
      { path: 'a.json', mode: 0o400 },
    ],
    [
      { metadata: 'a.json', files: {} },
      { path: 'a.json', mode: 0o644 },
    ],
  ])('%j', (fields, expected) => {
    const { volume, errors } = read(parametersOf(fields));
    expect(errors).toEqual([]);
    expect(volume?.objects[0]?.metadata).toEqual(expected);
  });

  it.each<[unknown, string]>([
    ['', 'is not a usable path: file name must not be empty'],
    [null, 'is not a usable path: file name must not be empty'],
    ['../a', "is not a usable path: file name must not contain '..'"],
    ['/a', 'is not a usable path: file name must be a relative path'],
    [['a'], 'must be text, not a list'],
    [true, '"true" must be the path of a file, such as "about.json"'],
  ])('%j is refused', (metadata, text) => {
    const { errors } = read(parametersOf({ metadata }));
    expect(errors).toEqual([expect.stringContaining(`${place}.metadata ${text}`)]);
  });

  it('collides with other files', () => {
    const { errors } = read(parametersOf({ metadata: 'secret1' }));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`${place}.metadata`);
    expect(read(parametersOf({ metadata: 'secret1/about' })).errors).toHaveLength(1);
  });
});
