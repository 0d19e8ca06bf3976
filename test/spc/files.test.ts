import { describe, expect, it } from 'vitest';
import { OUTPUT_KINDS } from '../../src/pki/outputs.ts';
import type { OutputSpec } from '../../src/spc/model.ts';
import { type Asked, block, CLASSIC, objectsOf, read } from '../support/spc.ts';

const PASSWORD = 'objectName: pw\nobjectType: secret\nobjectAlias: pw.txt';

function object(files: string, more = ''): string {
  return `objectName: c\nobjectType: secret\nfiles:${files.startsWith('{') ? ` ${files}` : `\n  ${files.replaceAll('\n', '\n  ')}`}\n${more}`;
}

function outputsOf(item: string, asked: Asked = {}): readonly OutputSpec[] {
  const [first] = objectsOf(block(item, PASSWORD), asked);
  if (first?.content.kind !== 'outputs') throw new Error('no outputs');
  return first.content.outputs;
}

function errorsOf(...items: readonly string[]): readonly string[] {
  return read({ ...CLASSIC, objects: block(...items) }).errors;
}

describe('files of an object', () => {
  it('are what the map names, in one order, whatever the order of the map', () => {
    const map = Object.fromEntries([...OUTPUT_KINDS].reverse().map((kind) => [kind, `${kind}.out`]));
    expect(outputsOf(object(JSON.stringify(map))).map(({ output, path }) => [output, path])).toEqual(
      OUTPUT_KINDS.map((kind) => [kind, `${kind}.out`]),
    );
  });

  it('have the request’s mode, PKCS#8 and a modern PFX where nothing else is said', () => {
    expect(outputsOf(object('pfx: a.pfx'), { mode: 0o640 })).toEqual([
      {
        output: 'pfx',
        path: 'a.pfx',
        mode: 0o640,
        presence: 'required',
        keyFormat: 'pkcs8',
        pfxForm: 'modern',
        passwordFrom: undefined,
      },
    ]);
  });

  it('may be optional, where a certificate need not bring them', () => {
    const outputs = outputsOf(
      object('ca: {path: a, optional: true}\nchain: {path: b, optional: "TRUE"}\nfullChain: {path: c}'),
    );
    const chosen = outputsOf(object('ca: {path: a, optional: false}\nchain: {path: b, optional: ""}'));
    const presences = [...outputs, ...chosen].map(({ output, presence }) => `${output} ${presence}`);
    expect(presences.toSorted()).toEqual([
      'ca if-present',
      'ca required',
      'chain if-present',
      'chain required',
      'fullChain required',
    ]);
  });

  it('take mode and key format from their object, unless they have their own', () => {
    const text = 'privateKey: a.key\ncombined: {path: b.pem, filePermission: "0400", keyFormat: SEC1}';
    const outputs = outputsOf(object(text, 'filePermission: "0440"\nkeyFormat: pkcs1'));
    expect(outputs.map(({ path, mode, keyFormat }) => [path, mode, keyFormat])).toEqual([
      ['a.key', 0o440, 'pkcs1'],
      ['b.pem', 0o400, 'sec1'],
    ]);
  });

  it('find their password in another object of the mount', () => {
    const text = 'pfx: {path: a.pfx, format: legacy, passwordFrom: pw}\ntruststore: {path: t.p12, passwordFrom: pw}';
    expect(outputsOf(object(text)).map(({ pfxForm, passwordFrom }) => [pfxForm, passwordFrom])).toEqual([
      ['legacy', 1],
      ['modern', 1],
    ]);
  });

  it('may be made from a PFX with a password', () => {
    const [first] = objectsOf(block(object('certificate: a', 'passwordFrom: pw'), PASSWORD));
    expect(first?.content).toMatchObject({ role: 'certificate', passwordFrom: 1, chainFrom: undefined });
  });

  it('may be none: the object is read for others', () => {
    const items = [object('{}').replace('objectName: c', 'objectName: pw'), object('pfx: {path: a, passwordFrom: pw}')];
    expect(
      objectsOf(block(...items)).map(({ content }) => content.kind === 'outputs' && content.outputs.length),
    ).toEqual([0, 1]);
  });
});

describe('files that cannot be', () => {
  const here = 'objects[0].files';

  it.each([
    ['no map', object('{}').replace('{}', 'tls.crt'), `${here} must be a map, not a text`],
    ['an unknown output', object('fullchain: a'), `${here}.fullchain is unknown; did you mean "fullChain"?`],
    ['a jks', object('jks: a\nca: b'), `${here}.jks is unknown; known here: "certificate", "chain"`],
    ['nothing behind an output', object('ca:'), `${here}.ca must be a path or a map with "path", not nothing`],
    ['a list behind an output', object('ca: [a]'), `${here}.ca must be a path or a map with "path", not a list`],
    ['an empty path', object('ca: ""'), `${here}.ca is not a usable path: file name must not be empty`],
    ['no path', object('ca: {}'), `${here}.ca.path is not a usable path: file name must not be empty`],
    ['an absolute path', object('ca: /a'), `${here}.ca is not a usable path: file name must be a relative path`],
    [
      'a path upwards',
      object('ca: {path: ../a}'),
      `${here}.ca.path is not a usable path: file name must not contain '..'`,
    ],
    ['an unknown field', object('ca: {path: a, mode: 0600}'), `${here}.ca.mode is unknown`],
    [
      'a bad mode',
      object('ca: {path: a, filePermission: "888"}'),
      `${here}.ca.filePermission is wrong: file permission must be`,
    ],
    [
      'a bad key format',
      object('privateKey: {path: a, keyFormat: der}'),
      `${here}.privateKey.keyFormat "der" must be "pkcs8", "pkcs1" or "sec1"`,
    ],
    [
      'a key format without a key',
      object('ca: {path: a, keyFormat: pkcs1}'),
      `${here}.ca.keyFormat is only for the outputs privateKey and combined`,
    ],
    [
      'an optional of something else',
      object('privateKey: {path: a, optional: true}'),
      `${here}.privateKey.optional is only for the outputs chain and ca`,
    ],
    [
      'a bad optional',
      object('ca: {path: a, optional: maybe}'),
      `${here}.ca.optional "maybe" must be "true" or "false"`,
    ],
    ['a bad format', object('pfx: {path: a, format: old}'), `${here}.pfx.format "old" must be "modern" or "legacy"`],
    [
      'a format of something else',
      object('truststore: {path: a, format: legacy}'),
      `${here}.truststore.format is only for the outputs pfx and keystore`,
    ],
    [
      'a password of something else',
      object('ca: {path: a, passwordFrom: pw}'),
      `${here}.ca.passwordFrom is only for the outputs pfx, keystore and truststore`,
    ],
    [
      'a password that is not there',
      object('pfx: {path: a, passwordFrom: nope}'),
      `${here}.pfx.passwordFrom: passwordFrom "nope" names no other secret of this mount; add an object`,
    ],
    [
      'a password that is the object itself',
      object('pfx: {path: a, passwordFrom: c}'),
      'passwordFrom "c" names no other secret',
    ],
    [
      'a key to open that is not there',
      object('ca: a', 'passwordFrom: nope'),
      'objects[0].passwordFrom: passwordFrom "nope" names no other secret',
    ],
    ['of a key', object('ca: a').replace('secret', 'key'), 'files is only for objectType: secret'],
    ['of a history', object('ca: a', 'objectVersionHistory: 2'), 'files cannot be combined with objectVersionHistory'],
    ['beside an alias', object('ca: a', 'objectAlias: x'), 'objectAlias has no meaning next to files'],
    ['beside a format', object('ca: a', 'objectFormat: pem'), 'objectFormat has no meaning next to files'],
    ['beside an encoding', object('ca: a', 'objectEncoding: hex'), 'objectEncoding has no meaning next to files'],
    ['without a name', object('ca: a').replace('objectName: c', 'objectName:'), 'objectName is not provided'],
    [
      'two with one path',
      object('ca: a\nchain: a'),
      `file "a" is written by both ${here}.chain (objectType:secret, objectName:c, objectVersion:) and ${here}.ca (`,
    ],
    [
      'one that another object has',
      object('ca: pw.txt'),
      `file "pw.txt" is written by both ${here}.ca (objectType:secret, objectName:c, objectVersion:) and objects[1] (`,
    ],
    ['one in a file of another object', object('ca: pw.txt/a'), '"pw.txt" is a file of objects[1]'],
  ])('%s', (_, item, text) => expect(errorsOf(item, PASSWORD)).toEqual([expect.stringContaining(text)]));

  it.each(['keyFormat: pkcs1', 'passwordFrom: pw'])('%s without files is refused', (field) => {
    const [name] = field.split(':');
    expect(errorsOf(`objectName: c\nobjectType: secret\n${field}`, PASSWORD)).toEqual([
      expect.stringContaining(`${name} needs a files map next to it`),
    ]);
  });

  it('none in the whole mount', () => {
    expect(errorsOf(object('{}'))).toEqual(['the objects give no file: each has an empty files map']);
  });
});
