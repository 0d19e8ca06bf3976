import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { readManifests } from '../../src/driver/manifests.ts';

const SPC = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: web
  namespace: prod
spec:
  provider: azure
  parameters:
    usePodIdentity: "false"
    version: 'latest'
    empty: ""
    objects: |
      array: []
`;

function spcWith(parameters: string): string {
  return `kind: SecretProviderClass\nmetadata: {name: web}\nspec:\n  provider: azure\n  parameters: ${parameters}\n`;
}

describe('manifests', () => {
  it('gives name, namespace, provider and parameters of a SecretProviderClass', () => {
    expect(readManifests(SPC, 'a.yaml').classes).toEqual([
      {
        name: 'web',
        namespace: 'prod',
        provider: 'azure',
        parameters: { usePodIdentity: 'false', version: 'latest', empty: '', objects: 'array: []\n' },
      },
    ]);
  });

  it('reads several documents, JSON and lists, and ignores other kinds', () => {
    const json = JSON.stringify({
      kind: 'SecretProviderClass',
      metadata: { name: 'json' },
      spec: { provider: 'azure', parameters: { a: 'true' } },
    });
    const list = `kind: List\nitems:\n- kind: Pod\n- ${json}\n`;
    const { classes } = readManifests(`${SPC}---\nkind: Deployment\n---\n${list}---\n`, 'a.yaml');
    expect(classes.map(({ name }) => name)).toEqual(['web', 'json']);
  });

  it('decodes the values of a Secret; stringData overrides', () => {
    const [secret] = readManifests(
      'kind: Secret\nmetadata: {name: sp}\ndata: {clientid: aWQ=, clientsecret: b2xk}\nstringData: {clientsecret: new}\n',
      'a.yaml',
    ).secrets;
    expect(secret?.name).toBe('sp');
    expect(secret?.data.clientid?.reveal()).toBe('id');
    expect(secret?.data.clientsecret?.reveal()).toBe('new');
    expect(JSON.stringify(secret)).not.toContain('new"');
  });

  it.each([
    ['bad YAML', 'a: [', /^a\.yaml:1: /],
    ['no name', 'kind: SecretProviderClass\n', /^a\.yaml:1: SecretProviderClass has no metadata\.name/],
    [
      'no spec',
      'kind: SecretProviderClass\nmetadata: {name: web}\n',
      /^a\.yaml:1: SecretProviderClass "web" has no spec/,
    ],
    [
      'no provider',
      'kind: SecretProviderClass\nmetadata: {name: web}\nspec: {parameters: {a: b}}\n',
      /has no provider/,
    ],
    ['no parameters', spcWith('{}'), /has no parameters: the driver refuses it/],
    [
      'a map as parameter',
      spcWith('{keyVault: {vault: x}}'),
      /^a\.yaml:5: spec\.parameters\.keyVault .* is a map: .*"\|"/,
    ],
    ['a parameter without a value', spcWith('{clientID: }'), /clientID .* is nothing: .*write ""/],
    ['a boolean as parameter', spcWith('{usePodIdentity: false}'), /must be text: write "false" in quotes/],
    ['a YAML 1.1 boolean', spcWith('{a: yes}'), /write "yes" in quotes/],
    ['a number as parameter', spcWith('{filePermission: 0644}'), /write "0644" in quotes/],
    ['a float as parameter', spcWith('{a: 1e3}'), /write "1e3" in quotes/],
  ])('says what is wrong: %s', (_, text, message) => {
    expect(() => readManifests(text, 'a.yaml')).toThrow(message);
    expect(() => readManifests(text, 'a.yaml')).toThrow(ProviderError);
  });

  it('names the key of a Secret value that is not base64, and not the value', () => {
    const text = 'kind: Secret\nmetadata: {name: sp}\ndata:\n  clientid: <base64 encoded client id>\n';
    expect(() => readManifests(text, 'a.yaml')).toThrow(
      'a.yaml:4: data.clientid of Secret "sp" is not base64; encode it, or move it to stringData',
    );
  });

  it('accepts a GUID and words that only look like numbers', () => {
    const [spc] = readManifests(spcWith('{a: 0f8fad5b-d9cb-469f-a165-70867728950e, b: 1.2.3, c: kv1}'), 'a').classes;
    expect(Object.values(spc?.parameters ?? {})).toEqual(['0f8fad5b-d9cb-469f-a165-70867728950e', '1.2.3', 'kv1']);
  });
});
