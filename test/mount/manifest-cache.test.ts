import { describe, expect, it } from 'vitest';
import { rememberTexts } from '../../src/mount/manifest-cache.ts';
import { parseAttributes } from '../../src/spc/attributes.ts';
import type { Remember } from '../../src/spc/parameter-reader.ts';
import { parseParameters } from '../../src/spc/parameters.ts';
import { DEFAULTS } from '../support/spc.ts';

const CLASSIC = {
  keyvaultName: 'kv1',
  tenantID: '11111111-1111-1111-1111-111111111111',
  useVMManagedIdentity: 'true',
};
const objects = (name: string) => `- {objectName: ${name}, objectType: secret, frobnicate: 1}\n`;
const keyVault = (name: string) =>
  `vault: {name: kv1, directoryId: ${CLASSIC.tenantID}, credentials: {managedIdentity: {}}}\nvaultSecret: {name: ${name}}\n`;

/** Returns the parsed parameters. */
function readWith(remember: Remember | undefined, parameters: Record<string, string>, more: { mode?: number } = {}) {
  const attributes = parseAttributes(
    JSON.stringify({
      'csi.storage.k8s.io/pod.name': 'p',
      'csi.storage.k8s.io/pod.namespace': 'n',
      ...parameters,
    }),
  );
  const request = { secret: undefined, now: 0, mode: more.mode ?? 0o644 };
  return parseParameters(attributes, { defaults: DEFAULTS, request, ...(remember === undefined ? {} : { remember }) });
}

describe('texts of manifests', () => {
  it.each([
    ['objects', { ...CLASSIC, objects: objects('a') }],
    ['objects that are none', { ...CLASSIC, objects: 'array:\n' }],
    ['objects with mistakes', { ...CLASSIC, objects: `${objects('../a')}- {objectType: x}\n` }],
    ['objects that cannot be read', { ...CLASSIC, objects: 'a: [' }],
    ['keyVault', { keyVault: keyVault('a') }],
    ['keyVault with mistakes', { keyVault: `${keyVault('a')}vaultSceret: 1\n` }],
  ])('come to the same as without memory, the first time and later: %s', (_, parameters) => {
    const remember = rememberTexts();
    const expected = readWith(undefined, parameters);
    for (let i = 0; i < 3; i++) {
      const { findings, volume } = readWith(remember, parameters);
      expect(volume).toEqual(expected.volume);
      expect(findings.all).toEqual(expected.findings.all);
      expect(findings.errors).toEqual(expected.findings.errors);
    }
  });

  it('are read once, under what else decides of the result', () => {
    const remember = rememberTexts();
    const parameters = { ...CLASSIC, objects: objects('a') };
    const first = readWith(remember, parameters).volume?.objects[0];
    expect(readWith(remember, { ...parameters, keyvaultName: 'kv2' }).volume?.objects[0]).toBe(first);
    expect(readWith(remember, parameters, { mode: 0o600 }).volume?.objects[0]?.content).toMatchObject({ mode: 0o600 });
    expect(readWith(remember, parameters).volume?.objects[0]).toBe(first);
    const client = readWith(remember, { keyVault: keyVault('a'), fileName: 'x' }).volume?.objects[0];
    expect(client?.content).toMatchObject({ path: 'x' });
    expect(readWith(remember, { keyVault: keyVault('a') }).volume?.objects[0]?.content).toMatchObject({ path: 'a' });
  });

  it('are forgotten where others need the room, those unused for longest first', () => {
    const remember = rememberTexts();
    const read = (name: string, comment = '') =>
      readWith(remember, { ...CLASSIC, objects: `${objects(name)}#${comment}` }).volume?.objects[0];
    const used = read('used');
    const idle = read('idle');
    for (let i = 0; i < 40; i++) {
      read(`n${i}`, 'x'.repeat(60_000));
      expect(read('used')).toBe(used);
    }
    expect(read('idle')).not.toBe(idle);
  });

  it('of 500 objects are kept too', () => {
    const remember = rememberTexts();
    const parameters = { ...CLASSIC, objects: Array.from({ length: 500 }, (_, i) => objects(`a${i}`)).join('') };
    const first = readWith(remember, parameters).volume?.objects;
    expect(first).toHaveLength(500);
    expect(readWith(remember, parameters).volume?.objects).toBe(first);
  });
});
