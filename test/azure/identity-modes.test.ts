import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { IdentityMode, Proof } from '../../src/azure/login/identity-mode.ts';
import {
  describeIdentity,
  IDENTITY_MODES,
  loginPlace,
  modeOf,
  principalKey,
  proofOf,
} from '../../src/azure/login/identity-modes.ts';
import { Secret } from '../../src/base/secret.ts';
import { resolveCloud } from '../../src/spc/cloud.ts';
import type { Identity } from '../../src/spc/model.ts';
import { type Lab, reader, secret, startLab, textOf } from '../support/azure.ts';

const cloud = resolveCloud('AzurePublicCloud', undefined);
const HOSTS = { nmiHost: 'localhost:2579', tokenProxyHost: 'kubernetes.default' };
const APPLICATION = { tenantId: 'Tenant-A', clientId: 'Client-B' };
const ENTRA = { phase: 'entra', host: 'login.microsoftonline.com' };

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');
const claims = { iss: 'https://oidc.example/', sub: 'system:serviceaccount:prod:web', exp: 1 };
const jwt = ['{"alg":"RS256"}', JSON.stringify(claims), 'x']
  .map((part) => Buffer.from(part).toString('base64url'))
  .join('.');
const token = new Secret(jwt);

interface Row {
  readonly identity: Identity;
  readonly place: { readonly phase: string; readonly host: string };
  readonly words: string;
  /** The key of the principal. Different principals must have different keys. */
  readonly key: string;
  readonly proof: Proof;
  /** The next step after a refusal without a code, and after an error of the SDK without a request. */
  readonly remedy: RegExp;
  readonly unasked: RegExp;
}

const LOOK_UP = /^it names no code; see the sign-in logs/;
const CHECK = /^check tenant Tenant-A and client Client-B$/;

const ROWS: readonly Row[] = [
  {
    identity: { kind: 'service-principal', ...APPLICATION, clientSecret: new Secret('s') },
    place: ENTRA,
    words: 'service principal Client-B',
    key: '0hZDSttLa8HBUMuFDjisOFNRrBHzx9P2t71LTj8cES4',
    proof: { by: 'key' },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'client-certificate', ...APPLICATION, certificate: new Secret('c'), password: undefined },
    place: ENTRA,
    words: 'service principal Client-B (client certificate)',
    key: 'ygeh8Yjdez2-WN6qDbSsgtRqw0vzjdFDei1SyzuXx50',
    proof: { by: 'key' },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'client-certificate', ...APPLICATION, certificate: new Secret('c'), password: new Secret('p') },
    place: ENTRA,
    words: 'service principal Client-B (client certificate)',
    key: 'll3n-34fXdvLIPH_wQe1BMs0kmb17h2v79CFuOiLSro',
    proof: { by: 'key' },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'workload-identity', ...APPLICATION, token },
    place: ENTRA,
    words: 'workload identity Client-B (system:serviceaccount:prod:web)',
    key: 'PA-nznplpYV8eV294B7-LjuoCxanCKJnoB5uhn3d6cM',
    proof: { by: 'token', digest: sha256(jwt), expiresAt: 1000 },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'workload-identity', ...APPLICATION, token: new Secret('opaque') },
    place: ENTRA,
    words: 'workload identity Client-B',
    key: 'PBQej0xRq7QzoOMqcd8pFoUpn7P2qkpc7wEKce0Gl1Q',
    proof: { by: 'token', digest: sha256('opaque'), expiresAt: undefined },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'identity-binding', ...APPLICATION, token },
    place: { phase: 'token-proxy', host: 'kubernetes.default' },
    words: 'identity binding of Client-B (system:serviceaccount:prod:web)',
    key: 'tyqVn89Z_unTHoKZlpdM0LXVPXyLmxi44fgsbOIVqKc',
    proof: { by: 'token', digest: sha256(jwt), expiresAt: 1000 },
    remedy: LOOK_UP,
    unasked: CHECK,
  },
  {
    identity: { kind: 'managed-identity', clientId: '' },
    place: { phase: 'imds', host: 'IMDS' },
    words: 'the system-assigned managed identity',
    key: 'i8BlHWTCVed5ZczYtEZ4Pwp5UFIfjGTDEfPtJ57jUgc',
    proof: { by: 'node' },
    remedy: /^turn on the system-assigned identity of the node/,
    unasked: /^turn on the system-assigned identity of the node/,
  },
  {
    identity: { kind: 'managed-identity', clientId: 'Client-B' },
    place: { phase: 'imds', host: 'IMDS' },
    words: 'managed identity Client-B',
    key: 'EeUCjuZbKeloJSoXETPHT2GCnj9NZVSp5sUYBWsGO7Y',
    proof: { by: 'node' },
    remedy: /^assign the identity Client-B to the node/,
    unasked: /^assign the identity Client-B to the node/,
  },
  {
    identity: { kind: 'pod-identity', podName: 'web-0', podNamespace: 'prod' },
    place: { phase: 'nmi', host: 'localhost:2579' },
    words: 'pod identity of prod/web-0',
    key: 'X9OXNJS49pWxPIFrP9EiBEh4pBubK6LVGy981Cw0LmE',
    proof: { by: 'node' },
    remedy: /^check that NMI runs on the node/,
    unasked: /^check that NMI runs on the node/,
  },
  {
    identity: { kind: 'developer', login: 'azurecli', tenantId: 'Tenant-A' },
    place: ENTRA,
    words: 'the account of the Azure CLI',
    key: 'Gwcf3SxHbPOKc6El1UgNKUs6Ht9gBeFO7UhmZBmY20g',
    proof: { by: 'node' },
    remedy: LOOK_UP,
    unasked: /^check tenant Tenant-A and client of AZURE_CLIENT_ID$/,
  },
];

describe('the modes of identities', () => {
  it('each have a row here', () => {
    expect(new Set(ROWS.map(({ identity }) => identity.kind))).toEqual(new Set(Object.keys(IDENTITY_MODES)));
  });

  it.each(ROWS.map((row) => [row.words, row] as const))('%s', (_, row) => {
    const { identity } = row;
    expect(loginPlace(identity, cloud, HOSTS)).toEqual(row.place);
    expect(describeIdentity(identity)).toBe(row.words);
    expect(principalKey(identity, cloud)).toBe(row.key);
    expect(proofOf(identity)).toEqual(row.proof);
    expect(modeOf(identity).remedy(identity, { code: undefined, text: 'invalid_client' })).toMatch(row.remedy);
    expect(modeOf(identity).remedy(identity, undefined)).toMatch(row.unasked);
  });

  it('tell each credential apart from every other, and the letter case of IDs not', () => {
    const keys = ROWS.map(({ identity }) => principalKey(identity, cloud));
    expect(new Set(keys).size).toBe(ROWS.length);
    const lower = { tenantId: 'tenant-a', clientId: 'client-b' };
    const same: Identity = { kind: 'service-principal', ...lower, clientSecret: new Secret('s') };
    expect(principalKey(same, cloud)).toBe(keys[0]);
  });

  it('do not compile without a proof', () => {
    const { proof: _, ...unproven } = IDENTITY_MODES['pod-identity'];
    // @ts-expect-error: a mode must state its proof.
    const mode: IdentityMode<'pod-identity'> = unproven;
    expect('proof' in mode).toBe(false);
  });
});

describe('an identity that is not proven', () => {
  // Kinds that only the parameters have, and names that every object has.
  const KINDS = ['managed-idenity', 'constructor', '__proto__', ''];
  const unknown = (kind: string) => ({ ...reader(), kind }) as unknown as Identity;
  let lab: Lab;

  beforeAll(async () => {
    lab = await startLab({ cacheTtlMs: 60_000 });
    expect(textOf(await lab.open(reader()).get(secret('s0'), lab.context()))).toBe('value-0');
    lab.emulator.requests.clear();
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  afterAll(() => lab.close());

  it.each(KINDS)('is refused everywhere if its kind is "%s"', (kind) => {
    const identity = unknown(kind);
    const refusal = expect.objectContaining({
      code: 'ERR_INTERNAL',
      message: `no login for identities of the kind "${kind}"; nothing is read for them`,
    });
    expect(() => modeOf(identity)).toThrow(refusal);
    expect(() => proofOf(identity)).toThrow(refusal);
    expect(() => principalKey(identity, cloud)).toThrow(refusal);
    expect(() => loginPlace(identity, cloud, HOSTS)).toThrow(refusal);
    expect(() => describeIdentity(identity)).toThrow(refusal);
    expect(() => lab.open(identity)).toThrow(refusal);
    expect(lab.emulator.requests).toEqual([]);
  });

  it.each([undefined, {}, { by: 'hope' }, { by: undefined, digest: 'd' }])(
    'opens no pooled token and no cached value if its mode states %j',
    (stated) => {
      vi.spyOn(IDENTITY_MODES['service-principal'], 'proof').mockReturnValue(stated as unknown as Proof);
      const refusal = expect.objectContaining({
        code: 'ERR_INTERNAL',
        message: 'no proof is stated for identities of the kind "service-principal"',
      });
      expect(() => proofOf(reader())).toThrow(refusal);
      expect(() => lab.open(reader()).get(secret('s0'), lab.context())).toThrow(refusal);
      expect(lab.emulator.requests).toEqual([]);
    },
  );
});
