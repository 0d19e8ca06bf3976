import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { credentialsIn, parseAttributes, parseNodePublishSecret, parsePermission } from '../../src/spc/attributes.ts';

const TOKENS = 'csi.storage.k8s.io/serviceAccount.tokens';

function messageOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'ERR_BAD_REQUEST') return error.message;
    throw error;
  }
  return 'no error';
}

describe('attributes', () => {
  it('are the pod, the SecretProviderClass, the tokens, and parameters', () => {
    const attributes = parseAttributes(
      JSON.stringify({
        'csi.storage.k8s.io/pod.name': ' web-0 ',
        'csi.storage.k8s.io/pod.namespace': 'prod',
        'csi.storage.k8s.io/pod.uid': 'u-1',
        'csi.storage.k8s.io/serviceAccount.name': 'web',
        'csi.storage.k8s.io/ephemeral': 'true',
        [TOKENS]: '{"a":{}}',
        secretProviderClass: 'kv',
        keyvaultName: ' kv1\n',
        objects: '\n array: []\n',
        empty: null,
      }),
    );
    expect({ ...attributes, tokens: attributes.tokens?.reveal(), parameters: [...attributes.parameters] }).toEqual({
      pod: { name: 'web-0', namespace: 'prod', uid: 'u-1', serviceAccount: 'web' },
      secretProviderClass: 'kv',
      tokens: '{"a":{}}',
      parameters: [
        ['keyvaultName', 'kv1'],
        ['objects', 'array: []'],
        ['empty', ''],
      ],
    });
  });

  it('may be null: then there is nothing', () => {
    expect(parseAttributes('null')).toMatchObject({ pod: { name: '' }, tokens: undefined, parameters: new Map() });
  });

  it('keep tokens out of sight', () => {
    const attributes = parseAttributes(JSON.stringify({ [TOKENS]: 'token-1' }));
    expect(inspect(attributes, { depth: 9 }) + JSON.stringify(attributes)).not.toContain('token-1');
  });

  it.each([
    ['', 'unexpected end of JSON input'],
    [' \n', 'unexpected end of JSON input'],
    ['{', 'it is not valid JSON'],
    ['\uFEFF{}', 'it is not valid JSON'],
    ["{'a': 1}", 'it is not valid JSON'],
    ['[]', 'json: cannot unmarshal array into Go value of type map[string]string'],
    ['"a"', 'json: cannot unmarshal string into Go value of type map[string]string'],
    ['5', 'json: cannot unmarshal number into Go value of type map[string]string'],
    ['true', 'json: cannot unmarshal bool into Go value of type map[string]string'],
    ['{"a":1}', 'json: cannot unmarshal number into Go value of type string (the value of "a")'],
    ['{"a":true}', 'json: cannot unmarshal bool into Go value of type string (the value of "a")'],
    ['{"a":["x"]}', 'json: cannot unmarshal array into Go value of type string (the value of "a")'],
    ['{"a":{}}', 'json: cannot unmarshal object into Go value of type string (the value of "a")'],
  ])('%j: failed to unmarshal attributes, error: %s', (json, reason) => {
    expect(messageOf(() => parseAttributes(json))).toBe(`failed to unmarshal attributes, error: ${reason}`);
  });
});

describe('the node-publish secret', () => {
  it('is absent for null', () => expect(parseNodePublishSecret('null')).toBeUndefined());

  it('is there and empty for {}', () => expect(parseNodePublishSecret('{}')).toEqual(new Map()));

  it('holds its values as they are, out of sight', () => {
    const secret = parseNodePublishSecret('{"clientid":" a ","clientsecret":"hunter2"}');
    expect(secret?.get('clientid')?.reveal()).toBe(' a ');
    expect(inspect(secret, { depth: 9 })).not.toContain('hunter2');
  });

  it('does not count the pod’s tokens, which newer clusters send along', () => {
    expect(parseNodePublishSecret(JSON.stringify({ [TOKENS]: 't' }))).toBeUndefined();
    expect([...(parseNodePublishSecret(JSON.stringify({ [TOKENS]: 't', clientid: 'a' })) ?? [])]).toHaveLength(1);
  });

  it.each([
    ['', 'unexpected end of JSON input'],
    ['[]', 'json: cannot unmarshal array into Go value of type map[string]string'],
    ['"hunter2"', 'json: cannot unmarshal string into Go value of type map[string]string'],
    ['{"clientsecret":["hunter2"]}', 'json: cannot unmarshal array into Go value of type string'],
    ['{"clientsecret":"hunter2', 'it is not valid JSON'],
    ['hunter2', 'it is not valid JSON'],
  ])('%j: failed to unmarshal secrets, error: %s; never the text', (json, reason) => {
    const message = messageOf(() => parseNodePublishSecret(json));
    expect(message).toContain(`failed to unmarshal secrets, error: ${reason}`);
    expect(message).not.toContain('hunter2');
  });
});

describe('the credentials of a node-publish secret', () => {
  it('are what a login keeps to itself: no ID, and nothing that is told to nobody', () => {
    const all = { clientid: 'id', ClientSecret: 'a', clientcertificate: 'b', clientCertificatePassword: 'c' };
    const secret = parseNodePublishSecret(JSON.stringify({ ...all, tenantId: 'tenant', vault: 'my-vault' }));
    expect(credentialsIn(secret)).toEqual(['a', 'b', 'c']);
    expect(credentialsIn(undefined)).toEqual([]);
  });
});

describe('permission', () => {
  it.each([
    ['420', 0o644],
    [' 420\n', 0o644],
    ['0', 0],
    ['777', 777],
    ['null', 0],
  ])('%j is %d', (json, mode) => expect(parsePermission(json)).toBe(mode));

  it('of 32 bits keeps the bits that a file can have', () => {
    expect(parsePermission('4294967295') & 0o777).toBe(0o777);
    expect(parsePermission('4294967295')).toBeLessThanOrEqual(0x7fff_ffff);
  });

  it.each(['"420"', '-1', '1.5', '4294967296', '', '0644', '1e2', '-0', '[]', '{}', 'true', '420 1', 'x'])(
    '%j: failed to unmarshal file permission',
    (json) => {
      expect(messageOf(() => parsePermission(json))).toMatch(/^failed to unmarshal file permission, error: /);
    },
  );
});
