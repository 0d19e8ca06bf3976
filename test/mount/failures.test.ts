import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { asProviderError, failuresError } from '../../src/mount/failures.ts';
import { error } from '../support/mount.ts';

describe('the one error of several failures', () => {
  it('of one object is that object’s', () => {
    const { message, code } = failuresError([{ label: 'A', error: error('ERR_NOT_FOUND', 'gone') }], 1);
    expect(message).toBe('failed to mount objects, error: failed to get A: gone');
    expect(code).toBe('ERR_NOT_FOUND');
  });

  it('names every object, numbered by reason, and how many there are', () => {
    const { message } = failuresError(
      [
        { label: 'A', error: error('ERR_NOT_FOUND', 'gone') },
        { label: 'B', error: error('ERR_FORBIDDEN', 'closed') },
      ],
      3,
    );
    expect(message).toBe(
      'failed to mount objects, error: 2 of 3 objects: (1) failed to get A: gone; (2) failed to get B: closed',
    );
  });

  it('says one reason of several objects once', () => {
    const login = error('ERR_AUTHENTICATION', 'no login');
    const { message } = failuresError(
      ['A', 'B', 'C'].map((label) => ({ label, error: login })),
      3,
    );
    expect(message).toBe('failed to mount objects, error: 3 of 3 objects: failed to get A and B and C: no login');
  });

  it('shows once how to look into a certificate that failed, and keeps what is no plain name out of a shell', () => {
    const failed = (name: string) => ({
      label: name,
      error: error('ERR_BAD_CONTENT', 'odd'),
      content: { vaultName: 'kv', name, version: '' },
    });
    const command = 'az keyvault secret show --vault-name kv --name b --query value -o tsv | akv-csi inspect -';
    const { message } = failuresError([failed('$(a)'), failed('b'), failed('c')], 3);
    expect(message).toBe(
      `failed to mount objects, error: 3 of 3 objects: failed to get $(a) and b and c: odd; to see what is in "b": ${command}`,
    );
  });

  it.each([
    ['ERR_FORBIDDEN', ['ERR_NOT_FOUND', 'ERR_FORBIDDEN']],
    ['ERR_AUTHENTICATION', ['ERR_BAD_CONTENT', 'ERR_AUTHENTICATION', 'ERR_FORBIDDEN']],
    ['ERR_INTERNAL', ['ERR_AUTHENTICATION', 'ERR_INTERNAL']],
    ['ERR_BAD_CONTENT', ['ERR_VAULT', 'ERR_BAD_CONTENT']],
    ['ERR_THROTTLED', ['ERR_THROTTLED', 'ERR_VAULT']],
  ] as const)('has the code of what has to be done first: %s', (expected, codes) => {
    const failed = codes.map((code) => ({ label: code, error: error(code) }));
    expect(failuresError(failed, 5).code).toBe(expected);
  });

  it('keeps the facts of the one it takes its code from, and all single errors', () => {
    const forbidden = new ProviderError('ERR_FORBIDDEN', 'x', { details: { httpStatus: 403, requestId: 'r' } });
    const gone = error('ERR_NOT_FOUND');
    const one = failuresError(
      [
        { label: 'A', error: gone },
        { label: 'B', error: forbidden },
      ],
      2,
    );
    expect(one.details).toEqual({ httpStatus: 403, requestId: 'r' });
    expect(one.errors).toEqual([gone, forbidden]);
  });
});

describe('what is no error of ours', () => {
  it('is a defect, whose text stays out of the message', () => {
    const thrown = new TypeError('cannot read hunter2');
    const defect = asProviderError(thrown);
    expect(defect.code).toBe('ERR_INTERNAL');
    expect(defect.message).not.toContain('hunter2');
    expect(defect.cause).toBe(thrown);
  });

  it('passes through where it is ours', () => {
    const ours = error('ERR_VAULT');
    expect(asProviderError(ours)).toBe(ours);
  });
});
