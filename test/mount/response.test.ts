import { describe, expect, it } from 'vitest';
import { assembleAnswer, type MadeFile } from '../../src/mount/response.ts';
import { failureOf } from '../support/mount.ts';

const MIB = 1024 * 1024;
const file = (path: string, bytes = 1, owner = `object ${path}`): MadeFile => ({
  file: { path, mode: 0o644, contents: Buffer.alloc(bytes) },
  source: { id: `secret/${path}`, version: 'v1' },
  owner,
});

describe('the answer', () => {
  it('has one object version a file, in the order of the files', () => {
    const { files, objectVersions, warning } = assembleAnswer([file('b'), file('a')], []);
    expect(files.map(({ path }) => path)).toEqual(['b', 'a']);
    expect(objectVersions.map(({ id }) => id)).toEqual(['secret/b', 'secret/a']);
    expect(warning).toBeUndefined();
  });

  it('names objects that were read only for the files of others last', () => {
    const { objectVersions } = assembleAnswer([file('a')], [{ id: 'secret/password', version: 'v2' }]);
    expect(objectVersions).toEqual([
      { id: 'secret/a', version: 'v1' },
      { id: 'secret/password', version: 'v2' },
    ]);
  });

  it('needs a file', async () => {
    const error = await failureOf(() => assembleAnswer([], [{ id: 'secret/password', version: 'v' }]));
    expect(error).toMatchObject({ code: 'ERR_BAD_PARAMETERS', message: expect.stringContaining('give no file') });
  });

  it.each([
    ['x', 'x'],
    ['x', 'x/y'],
    ['x/y/z', 'x'],
  ])('never holds both "%s" and "%s"', async (one, other) => {
    const error = await failureOf(() => assembleAnswer([file(one, 1, 'first'), file(other, 1, 'second')], []));
    expect(error.code).toBe('ERR_BAD_PARAMETERS');
    expect(error.message).toMatch(/^failed to mount objects, error: .*"x"/);
    expect(error.message).toContain('first');
    expect(error.message).toContain('second');
  });

  it('is bounded by what the driver accepts, paths and framing counted', async () => {
    const parts = (bytes: number) => [file('a', bytes / 2), file('b', bytes / 2)];
    expect(assembleAnswer(parts(4 * MIB - 200), []).files).toHaveLength(2);
    const error = await failureOf(() => assembleAnswer(parts(4 * MIB), []));
    expect(error).toMatchObject({ code: 'ERR_TOO_LARGE', message: expect.stringContaining('driver accepts 4194304') });
  });

  it('is remarked on where no Kubernetes Secret could hold it', () => {
    expect(assembleAnswer([file('a', MIB - 200)], []).warning).toBeUndefined();
    expect(assembleAnswer([file('a', MIB)], []).warning).toContain('over 1048576');
  });
});
