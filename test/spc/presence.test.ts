import { describe, expect, it } from 'vitest';
import type { VolumeSpec } from '../../src/spc/model.ts';
import { block, CLASSIC, classicWith, type Fields, keyVaultWith, read, VAULT } from '../support/spc.ts';

const ifMissingOf = (volume: VolumeSpec | undefined) => volume?.objects.map(({ ifMissing }) => ifMissing);

describe.each([
  ['classic', classicWith, 'objects[0]'],
  ['keyVault', keyVaultWith, 'keyVault.vaultSecret'],
])('an object of the %s form', (_, parametersOf, place) => {
  it.each<[Fields, object | undefined]>([
    [{}, undefined],
    [{ optional: 'false' }, undefined],
    [{ optional: 'true' }, { kind: 'skip' }],
    [{ optional: true }, { kind: 'skip' }],
    [{ optional: 'TRUE', ifMissing: 'skip' }, { kind: 'skip' }],
    [{ optional: 'true', ifMissing: 'Empty' }, { kind: 'empty' }],
    [
      { optional: 'true', default: ' as it stands\n' },
      { kind: 'default', text: ' as it stands\n' },
    ],
    [
      { optional: 'true', default: 5 },
      { kind: 'default', text: '5' },
    ],
  ])('%j', (fields, expected) => {
    const { volume, errors } = read(parametersOf(fields));
    expect(errors).toEqual([]);
    expect(ifMissingOf(volume)).toEqual([expected]);
  });

  it.each<[Fields, string, string]>([
    [{ optional: 'yes' }, 'optional', '"yes" must be "true" or "false"'],
    [{ ifMissing: 'empty' }, 'ifMissing', 'has a meaning only with optional: "true"'],
    [{ default: 'x', optional: 'false' }, 'default', 'has a meaning only with optional: "true"'],
    [{ optional: 'true', ifMissing: 'none' }, 'ifMissing', '"none" must be "skip" or "empty"'],
    [{ optional: 'true', ifMissing: 'skip', default: 'x' }, 'default', 'and ifMissing say two things'],
    [{ optional: 'true', default: null }, 'default', 'must be text, not nothing; for an empty file write ifMissing'],
    [{ optional: 'true', default: { a: 1 } }, 'default', 'must be text, not a map; write "default: |"'],
    [{ optional: 'true', ifMissing: 'empty', files: { ca: 'ca.crt' } }, 'ifMissing', 'and files decides'],
    [{ optional: 'true', default: 'x', files: { ca: 'ca.crt' } }, 'default', 'and files decides'],
  ])('%j is refused', (fields, field, text) => {
    const { volume, errors } = read(parametersOf(fields));
    expect(volume).toBeUndefined();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`${place}.${field} `);
    expect(errors[0]).toContain(text);
  });
});

describe('an optional object among others', () => {
  it('cannot be a history that is replaced by one file, and can be left out', () => {
    const history = (rule: string) => classicWith({ objectVersionHistory: 2, optional: 'true', ifMissing: rule });
    expect(read(history('empty')).errors.join()).toContain('and objectVersionHistory decides which files there are');
    expect(ifMissingOf(read(history('skip')).volume)).toEqual([{ kind: 'skip' }]);
  });

  it('cannot be a certificate that is replaced by one file, and can be left out', () => {
    const certificate = (fields: Fields) => ({
      keyVault: JSON.stringify({ vault: VAULT, vaultCert: { name: 'web', optional: 'true', ...fields } }),
    });
    expect(read(certificate({ default: 'x' })).errors.join()).toContain('and the layout decides');
    expect(ifMissingOf(read(certificate({})).volume)).toEqual([{ kind: 'skip' }]);
  });

  it('cannot lend a password', () => {
    const objects = block(
      'objectName: web\nobjectType: secret\npasswordFrom: pw\nfiles: {privateKey: tls.key}',
      'objectName: pw\nobjectType: secret\nfiles: {}\noptional: "true"',
    );
    expect(read({ ...CLASSIC, objects }).errors).toEqual([
      'objects[0].passwordFrom: passwordFrom "pw" names objects[1], which is optional, and a password cannot be; remove optional there',
    ]);
  });
});
