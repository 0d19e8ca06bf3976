import { describe, expect, it } from 'vitest';
import { block, CLASSIC, classicWith, type Fields, keyVaultWith, read, SECRET } from '../support/spc.ts';

describe.each([
  ['classic', classicWith, 'objects[0]', 'objectVersion'],
  ['keyVault', keyVaultWith, 'keyVault.vaultSecret', 'version'],
])('validity of the %s form', (_, parametersOf, place, versionField) => {
  it.each<[Fields, string, string | undefined]>([
    [{}, '', undefined],
    [{ validity: '' }, '', undefined],
    [{ validity: null }, 'warn', 'warn'],
    [{ validity: 'previous' }, '', 'previous'],
    [{ validity: 'Ignore' }, 'enforce', 'ignore'],
    [{}, 'ENFORCE', 'enforce'],
    [{}, 'previous', 'previous'],
  ])('%j, and the parameter %j', (fields, validity, expected) => {
    const { volume, errors } = read({ ...parametersOf(fields), validity });
    expect(errors).toEqual([]);
    expect(volume?.objects.map((object) => object.validity)).toEqual([expected]);
  });

  it.each<[Fields, string]>([
    [{ validity: 'strict' }, 'validity "strict" must be "ignore", "warn", "enforce" or "previous"'],
    [{ validity: ['warn'] }, 'validity must be text, not a list'],
    [
      { validity: 'previous', [versionField]: 'f'.repeat(32) },
      'validity previous takes another version than the one that is named; write enforce',
    ],
  ])('%j is refused', (fields, text) => {
    expect(read(parametersOf(fields)).errors).toEqual([expect.stringContaining(`${place}.${text}`)]);
  });

  it('is checked in the parameter too', () => {
    expect(read({ ...parametersOf({}), validity: 'strict' }).errors).toEqual([
      'validity "strict" must be "ignore", "warn", "enforce" or "previous"',
    ]);
  });

  it('may be previous for all where one version is named', () => {
    const { volume } = read({ ...parametersOf({ [versionField]: 'f'.repeat(32) }), validity: 'previous' });
    expect(volume?.objects).toMatchObject([{ version: 'f'.repeat(32), validity: 'previous' }]);
  });
});

it('previous may begin with a named version of a history', () => {
  const objects = block(`${SECRET}\nobjectVersion: ${'f'.repeat(32)}\nobjectVersionHistory: 3\nvalidity: previous`);
  expect(read({ ...CLASSIC, objects }).errors).toEqual([]);
});
