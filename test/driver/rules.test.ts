import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkResponse, pathProblem } from '../../src/driver/rules.ts';
import type { MountedFile, MountResponse } from '../../src/wire/contract.ts';

const versions = [{ id: 'secret/a', version: '1' }];

function file(path: string, contents = 'x', mode = 0o644): MountedFile {
  return { path, mode, contents: Buffer.from(contents) };
}

function judge(response: Partial<MountResponse>) {
  return checkResponse({ objectVersion: versions, files: [], ...response });
}

describe('the driver’s rules for a response', () => {
  it('an error code fails the mount, even with files', () => {
    expect(judge({ error: { code: 'Throttled' }, files: [file('a')] })).toEqual({
      kind: 'refused',
      message: 'mount request failed with provider error code Throttled',
      code: 'Throttled',
    });
  });

  it('an empty error code is no error', () => {
    expect(judge({ error: { code: '' }, files: [file('a')] }).kind).toBe('write');
  });

  it('no object versions fail the mount', () => {
    expect(judge({ objectVersion: [], files: [file('a')] })).toEqual({
      kind: 'refused',
      message: 'missing object versions',
    });
  });

  it('the error code is checked before the object versions', () => {
    expect(judge({ error: { code: 'X' }, objectVersion: [] })).toMatchObject({ code: 'X' });
  });

  it('a response without files succeeds and leaves the volume unchanged', () => {
    expect(judge({})).toEqual({ kind: 'keep', objectVersions: versions });
  });

  it('of two files with one path the last wins', () => {
    expect(judge({ files: [file('a', 'first'), file('b'), file('a', 'last')] })).toEqual({
      kind: 'write',
      files: [file('a', 'last'), file('b')],
      objectVersions: versions,
    });
  });

  it('of two versions of one object id the last wins', () => {
    const objectVersion = [...versions, { id: 'secret/a', version: '2' }];
    expect(judge({ objectVersion, files: [file('a')] })).toMatchObject({
      objectVersions: [{ id: 'secret/a', version: '2' }],
    });
  });

  it.each([
    [0, 0],
    [0o400, 0o400],
    [0o777, 0o777],
    [0o100644, 0o644],
    [-420, -420 & 0o777],
  ])('mode %d keeps its low nine bits', (mode, expected) => {
    expect(judge({ files: [file('a', 'x', mode)] })).toMatchObject({ files: [{ mode: expected }] });
  });

  it('empty contents are an empty file', () => {
    expect(judge({ files: [file('a', '')] }).kind).toBe('write');
  });

  it('one invalid path refuses all files', () => {
    expect(judge({ files: [file('good'), file('../bad')] })).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['a before a/b', ['a', 'a/b']],
    ['a/b before a', ['a/b', 'a']],
    ['two levels up', ['a/b/c', 'a']],
  ])('a file where another needs a directory is refused: %s', (_, paths) => {
    expect(judge({ files: paths.map((path) => file(path)) })).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('a file exists at the path of its directory'),
    });
  });

  it('a response over 4 MiB is refused with the message of the gRPC client', () => {
    expect(judge({ files: [file('a', 'x'.repeat(4 * 1024 * 1024))] })).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/^received message larger than max \(\d+ vs\. 4194304\)$/),
    });
  });

  it('a response just under 4 MiB is written', () => {
    expect(judge({ files: [file('a', 'x'.repeat(4 * 1024 * 1024 - 100))] }).kind).toBe('write');
  });
});

describe('the driver’s rules for a path', () => {
  it.each([
    'a',
    'd/e/a',
    'a b',
    'ключ',
    'a..b',
    'd/..b',
    'd/...',
    '.hidden',
    'back\\slash',
    'x'.repeat(255),
    'é'.repeat(127),
  ])('takes %s', (path) => {
    expect(pathProblem(path)).toBeUndefined();
  });

  it.each([
    ['', 'must not be empty'],
    ['/a', 'must be relative path'],
    ['..', "must not contain '..'"],
    ['a/../b', "must not contain '..'"],
    ['a/..', "must not contain '..'"],
    ['...', "must not start with '..'"],
    ['..data', "must not start with '..'"],
    ['a/', 'must be in its shortest form'],
    ['./a', 'must be in its shortest form'],
    ['a//b', 'must be in its shortest form'],
    ['.', 'must be in its shortest form'],
    ['a\0b', 'must not contain a NUL byte'],
    ['x'.repeat(256), 'filenames must be less than or equal to 255 characters'],
    ['é'.repeat(128), 'filenames must be less than or equal to 255 characters'],
    [`${'a/'.repeat(2048)}a`, 'must be less than or equal to 4096 characters'],
  ])('refuses %j', (path, problem) => {
    expect(pathProblem(path)).toBe(problem);
  });

  it('never accepts a path that leaves the volume or that has a name of the writer', () => {
    const element = fc.constantFrom('.', '..', '...', '..data', 'a', '', '\0', 'b c');
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 6 }), (elements) => {
        const path = elements.join('/');
        if (pathProblem(path) !== undefined) return;
        expect(new URL(path.replaceAll(' ', '%20'), 'file:///volume/').pathname.startsWith('/volume/')).toBe(true);
        expect(path.startsWith('..')).toBe(false);
      }),
    );
  });
});
