import { describe, expect, it } from 'vitest';
import { Findings } from '../../src/spc/finding.ts';
import { findingsError } from '../../src/spc/parameters.ts';
import { type Asked, block, CLASSIC, read } from '../support/spc.ts';

type Parameters = Readonly<Record<string, string | undefined>>;

function firstError(changes: Parameters): string {
  return read({ ...CLASSIC, ...changes }).error?.message ?? 'no error';
}

describe('order: the official provider’s first mistake comes first', () => {
  /** Each step has one mistake more than the next. The earliest mistake is reported first. */
  const steps: readonly (readonly [string, Parameters, Asked['attributes'], string])[] = [
    ['pod name', {}, { 'csi.storage.k8s.io/pod.name': '' }, 'pod name is not provided'],
    ['pod namespace', {}, { 'csi.storage.k8s.io/pod.namespace': '' }, 'pod namespace is not provided'],
    ['usePodIdentity', { usePodIdentity: 'x' }, {}, 'failed to parse usePodIdentity flag'],
    ['useVMManagedIdentity', { useVMManagedIdentity: 'x' }, {}, 'failed to parse useVMManagedIdentity flag'],
    ['useAzureTokenProxy', { useAzureTokenProxy: 'x' }, {}, 'failed to parse useAzureTokenProxy flag'],
    ['vault', { keyvaultName: '' }, {}, 'keyvaultName is not provided'],
    ['tenant', { tenantID: '', tenantid: 'x' }, {}, 'tenantId is not provided'],
    ['cloud', { cloudName: 'x' }, {}, 'cloudName x is not valid'],
    ['identity', { clientID: 'c' }, {}, 'failed to build auth config for mode None'],
    ['objects', { objects: '' }, {}, 'objects is not set'],
  ];

  it.each(steps.map(([name], index) => [name, index] as const))('%s', (_, index) => {
    const rest = steps.slice(index);
    const parameters = Object.assign({}, CLASSIC, ...rest.map(([, changes]) => changes));
    const attributes = Object.assign({}, ...rest.map(([, , changed]) => changed));
    const { errors } = read(parameters, { attributes });
    expect(errors).toHaveLength(rest.length);
    for (const [i, [, , , text]] of rest.entries()) expect(errors[i]).toContain(text);
  });

  it.each([
    [
      'exclusive modes before the vault',
      { usePodIdentity: '1', useVMManagedIdentity: '1', keyvaultName: '' },
      'only one identity mode',
    ],
    [
      'a later object before the name of the vault',
      { keyvaultName: 'ab', objects: block('objectName: a\nobjectType: key', 'x: [') },
      'unmarshal failed for keyVaultObjects at index 1',
    ],
    ['the name of the vault before the tenant', { keyvaultName: 'ab', tenantID: 'a b' }, 'failed to get vault'],
    [
      'the tenant before an object type',
      { tenantID: 'a b', objects: block('objectName: a\nobjectType: x') },
      'failed to get keyvault client',
    ],
    [
      'the name of the vault before a mode',
      { keyvaultName: 'ab', objects: block('objectName: a\nobjectType: key\nfilePermission: x') },
      'failed to get vault',
    ],
    [
      'an object type before a mode of an earlier object',
      { objects: block('objectName: a\nobjectType: key\nfilePermission: x', 'objectName: b\nobjectType: x') },
      'Invalid vaultObjectTypes',
    ],
    [
      'the name of the vault before paths that collide',
      { keyvaultName: 'ab', objects: block('objectName: a\nobjectType: key', 'objectName: a\nobjectType: key') },
      'failed to get vault',
    ],
    [
      'a file name before a path that is not canonical',
      {
        objects: block(
          'objectName: a\nobjectType: key\nobjectAlias: ./a',
          'objectName: b\nobjectType: key\nobjectAlias: /b',
        ),
      },
      'must be a relative path',
    ],
  ])('%s', (_, changes, text) => expect(firstError(changes).slice(0, 200)).toContain(text));
});

describe('the error of all mistakes', () => {
  it('is none without mistakes', () => {
    const findings = new Findings();
    findings.note('a', 'a note');
    findings.warning('a', 'a warning');
    expect(findingsError(findings)).toBeUndefined();
  });

  it('names them all, numbered, the first one first', () => {
    const { error } = read({ tenantid: 'x' });
    expect(error?.code).toBe('ERR_BAD_PARAMETERS');
    expect(error?.message).toMatch(
      /^failed to mount objects, error: keyvaultName is not provided.* \[first of 3 mistakes\]; \(2\) tenantId is not provided.*; \(3\) objects is not set/,
    );
  });

  it('is about credentials where nothing else is wrong', () => {
    expect(read(CLASSIC, { secrets: 'null' }).error?.code).toBe('ERR_NO_CREDENTIALS');
    expect(read({ ...CLASSIC, objects: '' }, { secrets: 'null' }).error?.code).toBe('ERR_BAD_PARAMETERS');
  });

  it('stays readable, however many there are', () => {
    const findings = new Findings();
    for (let i = 0; i < 5000; i++) findings.error('a', `mistake ${i}`);
    findings.error('b', 'upstream’s', { stage: 'objects' });
    const message = findingsError(findings)?.message ?? '';
    expect(message).toMatch(/error: upstream’s \[first of 100 mistakes\]; \(2\) mistake 0/);
    expect(message).toMatch(/; \(20\) mistake 18; and 80 more$/);
    expect(findings.all).toHaveLength(100);
  });
});
