import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { claimedPrincipal } from '../../src/spc/tokens.ts';
import { type Asked, CLASSIC, CLIENT_SECRET, jwt, NOW, read, TENANT, tokensOf } from '../support/spc.ts';

const EXCHANGE = 'api://AzureADTokenExchange';
const BINDING = 'api://AKSIdentityBinding';
const WORKLOAD = { ...CLASSIC, clientID: 'client-1' };
const BOUND = { ...WORKLOAD, useAzureTokenProxy: 'true' };

function identityOf(parameters: Record<string, string>, asked: Asked) {
  const { volume, error } = read(parameters, asked);
  if (volume === undefined) throw error ?? new Error('no volume');
  return volume.identity;
}

function errorOf(parameters: Record<string, string>, asked: Asked) {
  const { error, errors } = read(parameters, asked);
  expect(errors).toHaveLength(1);
  return { code: error?.code, message: errors[0] ?? '' };
}

function withTokens(tokens: Record<string, unknown>): Asked {
  return { attributes: tokensOf(tokens), secrets: 'null' };
}

describe('service principal', () => {
  const secretOf = (entries: Record<string, string>): Asked => ({ secrets: JSON.stringify(entries) });

  it.each([
    ['as documented', { clientid: 'app-1', clientsecret: 's' }],
    ['in any letter case', { ClientID: 'app-1', CLIENTSECRET: 's' }],
    ['with white space around', { clientid: ' app-1\n', clientsecret: '\ts\n' }],
    ['with an empty twin', { clientID: '', clientid: 'app-1', clientsecret: 's' }],
    ['with tokens beside', { clientid: 'app-1', clientsecret: 's', 'csi.storage.k8s.io/serviceAccount.tokens': '{}' }],
  ])('takes clientid and clientsecret %s', (_, entries) => {
    const identity = identityOf(CLASSIC, secretOf(entries));
    expect(identity).toMatchObject({ kind: 'service-principal', tenantId: TENANT, clientId: 'app-1' });
    expect(identity.kind === 'service-principal' && identity.clientSecret.reveal()).toBe('s');
  });

  it('takes a client certificate with its password', () => {
    const identity = identityOf(
      CLASSIC,
      secretOf({ clientid: 'a', ClientCertificate: ' PEM ', clientCertificatePassword: 'p' }),
    );
    expect(identity).toMatchObject({ kind: 'client-certificate', clientId: 'a' });
    expect(identity.kind === 'client-certificate' && identity.certificate.reveal()).toBe('PEM');
    expect(identity.kind === 'client-certificate' && identity.password?.reveal()).toBe('p');
  });

  it('prefers the client secret, and needs no password', () => {
    expect(identityOf(CLASSIC, secretOf({ clientid: 'a', clientsecret: 's', clientcertificate: 'c' })).kind).toBe(
      'service-principal',
    );
    expect(identityOf(CLASSIC, secretOf({ clientid: 'a', clientcertificate: 'c' }))).toMatchObject({
      password: undefined,
    });
  });

  it.each([
    ['null', 'failed to get credentials, nodePublishSecretRef secret is not set; add "nodePublishSecretRef: {name: '],
    ['{"csi.storage.k8s.io/serviceAccount.tokens":"{}"}', 'nodePublishSecretRef secret is not set'],
    ['{}', 'could not find clientid in secrets; add the key "clientid" to the Secret'],
    ['{"clientsecret":"s"}', 'could not find clientid in secrets'],
    ['{"clientid":" ","clientsecret":"s"}', 'could not find clientid in secrets'],
    ['{"clientid":"a"}', 'could not find clientsecret in secrets; add the key "clientsecret" (or "clientcertificate")'],
    ['{"clientid":"a","clientsecret":""}', 'could not find clientsecret in secrets'],
  ])('%s: %s', (secrets, text) => {
    const { code, message } = errorOf(CLASSIC, { secrets });
    expect(code).toBe('ERR_NO_CREDENTIALS');
    expect(message).toMatch(/^failed to build auth config for mode None: /);
    expect(message).toContain(text);
  });

  it('is out of sight', () => {
    const { volume } = read(CLASSIC);
    expect(inspect(volume, { depth: 9 }) + JSON.stringify(volume)).not.toContain(CLIENT_SECRET);
  });
});

describe('workload identity', () => {
  it('takes the pod’s token for the exchange', () => {
    const token = jwt({ aud: [EXCHANGE], exp: NOW / 1000 + 60, sub: 'system:serviceaccount:prod:web' });
    const identity = identityOf(
      WORKLOAD,
      withTokens({ [EXCHANGE]: { token, expirationTimestamp: '2026-01-01T01:00:00Z' } }),
    );
    expect(identity).toMatchObject({ kind: 'workload-identity', tenantId: TENANT, clientId: 'client-1' });
    expect(identity.kind === 'workload-identity' && identity.token.reveal()).toBe(token);
  });

  it.each([
    ['is no JWT at all', { token: 'opaque' }],
    ['names no audience and no expiry', { token: jwt({ sub: 'x' }) }],
    ['names its audience as text', { token: jwt({ aud: EXCHANGE }) }],
    ['names several audiences', { token: jwt({ aud: ['other', EXCHANGE] }) }],
    ['comes with a time past', { token: 'opaque', expirationTimestamp: '2020-01-01T00:00:00Z' }],
    ['comes with a time zone', { token: 'opaque', expirationTimestamp: '2030-01-01T00:00:00.123+02:00' }],
    ['comes with a null time', { token: 'opaque', expirationTimestamp: null }],
  ])('leaves a token to Entra that %s', (_, entry) => {
    expect(identityOf(WORKLOAD, withTokens({ [EXCHANGE]: entry })).kind).toBe('workload-identity');
  });

  it.each([
    ['no tokens', {}, 'service account tokens not found; the CSIDriver object must ask for it'],
    ['null', { '': 'null' }, 'token for audience api://AzureADTokenExchange not found; the CSIDriver object must ask'],
    ['nonsense', { '': 'hunter2 {' }, 'failed to unmarshal service account tokens, error: it is not valid JSON'],
    ['a list', { '': '["hunter2"]' }, 'failed to unmarshal service account tokens, error: it is not a JSON object'],
    ['a text as entry', { [EXCHANGE]: 'hunter2' }, 'failed to unmarshal service account tokens, error: the entry of'],
    [
      'another audience',
      { [BINDING]: { token: 'hunter2' } },
      'token for audience api://AzureADTokenExchange not found',
    ],
    ['an empty token', { [EXCHANGE]: { token: ' ' } }, 'token for audience api://AzureADTokenExchange not found'],
    ['no token', { [EXCHANGE]: {} }, 'token for audience api://AzureADTokenExchange not found'],
    [
      'a number as token',
      { [EXCHANGE]: { token: 5 } },
      'failed to unmarshal service account tokens, error: the token for',
    ],
    [
      'a bad time',
      { [EXCHANGE]: { token: 'hunter2', expirationTimestamp: 'soon' } },
      'expirationTimestamp is not an RFC 3339 time',
    ],
    [
      'a number as time',
      { [EXCHANGE]: { token: 'hunter2', expirationTimestamp: 5 } },
      'expirationTimestamp is not an RFC 3339 time',
    ],
    [
      'a date as time',
      { [EXCHANGE]: { token: 'hunter2', expirationTimestamp: '2026-01-01' } },
      'expirationTimestamp is not an RFC 3339 time',
    ],
    ['half a JWT', { [EXCHANGE]: { token: 'hunter2.hunter2' } }, 'is malformed: it is not a JWT'],
    ['a JWT of nonsense', { [EXCHANGE]: { token: 'a.hunter2.c' } }, 'is malformed: it is not a JWT'],
    ['a JWT of a list', { [EXCHANGE]: { token: `a.${Buffer.from('[1]').toString('base64url')}.c` } }, 'is malformed'],
    [
      'a token for another audience',
      { [EXCHANGE]: { token: jwt({ aud: ['vault'] }) } },
      'is for another audience: ["vault"]',
    ],
    ['an audience of odd shape', { [EXCHANGE]: { token: jwt({ aud: { toString: 1 } }) } }, 'is for another audience'],
    ['an expired token', { [EXCHANGE]: { token: jwt({ exp: NOW / 1000 }) } }, 'expired at 2026-01-01T00:00:00.000Z'],
    ['a token expired before time began', { [EXCHANGE]: { token: jwt({ exp: -1e20 }) } }, 'expired long ago'],
  ])('%s', (_, tokens: Record<string, unknown>, text) => {
    const raw = tokens[''];
    const attributes =
      typeof raw === 'string'
        ? { 'csi.storage.k8s.io/serviceAccount.tokens': raw }
        : Object.keys(tokens).length === 0
          ? {}
          : tokensOf(tokens);
    const { code, message } = errorOf(WORKLOAD, { attributes, secrets: 'null' });
    expect(code).toBe('ERR_NO_CREDENTIALS');
    expect(message).toMatch(
      /^failed to build auth config for mode None: failed to parse workload identity tokens, error: /,
    );
    expect(message).toContain(text);
    expect(message).not.toContain('hunter2');
  });

  it('does not fall back to a service principal, nor to tokens among the secrets', () => {
    const tokens = tokensOf({ [EXCHANGE]: { token: 'opaque' } });
    const { message } = errorOf(WORKLOAD, { secrets: JSON.stringify({ clientid: 'a', clientsecret: 's', ...tokens }) });
    expect(message).toContain('service account tokens not found');
  });

  it('reports what upstream does not see after what it sees', () => {
    const expired = withTokens({ [EXCHANGE]: { token: jwt({ exp: 1 }) } });
    expect(read({ ...WORKLOAD, objects: '' }, expired).errors[0]).toContain('objects is not set');
  });
});

describe('identity binding', () => {
  it('takes the token of its own audience', () => {
    const identity = identityOf(BOUND, withTokens({ [BINDING]: { token: 'b' }, [EXCHANGE]: { token: 'x' } }));
    expect(identity).toMatchObject({ kind: 'identity-binding', clientId: 'client-1' });
    expect(identity.kind === 'identity-binding' && identity.token.reveal()).toBe('b');
  });

  it.each([
    ['no clientID', { ...BOUND, clientID: ' ' }, {}, 'clientID is required for identity binding'],
    ['no tokens', BOUND, {}, 'service account tokens are required for identity binding'],
    [
      'another audience',
      BOUND,
      { [EXCHANGE]: { token: 't' } },
      'failed to parse service account token for identity binding, error: token for audience api://AKSIdentityBinding not found',
    ],
  ])('%s', (_, parameters, tokens, text) => {
    const asked = Object.keys(tokens).length === 0 ? { secrets: 'null' } : withTokens(tokens);
    expect(errorOf(parameters, asked).message).toContain(
      `failed to build auth config for mode AzureTokenProxy: ${text}`,
    );
  });

  it('without a clientID is a mistake of the parameters', () => {
    expect(errorOf({ ...BOUND, clientID: '' }, withTokens({ [BINDING]: { token: 't' } })).code).toBe(
      'ERR_BAD_PARAMETERS',
    );
  });
});

describe('identities of the node', () => {
  it.each([
    ['useVMManagedIdentity', { kind: 'managed-identity', clientId: '' }],
    ['usePodIdentity', { kind: 'pod-identity', podName: 'web-0', podNamespace: 'prod' }],
  ])('%s needs neither secret nor token, clientID or not', (mode, identity) => {
    for (const clientID of ['', 'client-1']) {
      expect(identityOf({ ...CLASSIC, clientID, [mode]: 'true' }, { secrets: 'null' })).toEqual(identity);
    }
  });
});

describe('the principal that a token claims', () => {
  it('is its issuer and subject', () => {
    expect(claimedPrincipal(new Secret(jwt({ iss: 'i', sub: 's' })))).toEqual({ issuer: 'i', subject: 's' });
  });

  it.each(['opaque', 'a.b.c', '', jwt({ iss: 'i' }), jwt({ iss: 1, sub: 's' })])('is none in %j', (token) => {
    expect(claimedPrincipal(new Secret(token))).toBeUndefined();
  });
});
