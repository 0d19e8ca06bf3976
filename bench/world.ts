/**
 * The data of the benchmark: objects, pods and the seed of the emulator. All scenarios use it.
 */
import { createHash } from 'node:crypto';

/** Tenant and vault of all scenarios. */
export const TENANT = '11111111-1111-1111-1111-111111111111';
export const VAULT = 'bench';
export const IDENTITIES = 100;
export const SECRETS = 200;
export const CERTIFICATES = 50;

/** An object of a manifest. */
export interface BenchObject {
  readonly name: string;
  readonly type: 'secret';
}

/** A pod with one volume. */
export interface Pod {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly objects: readonly BenchObject[];
  /** A glob that selects the objects, in place of their names. Only this project's providers can mount it. */
  readonly selection?: string;
  /** A volume whose files are not those of its objects, one for each. Only this project's providers can mount it. */
  readonly volume?: { readonly parameters: Readonly<Record<string, string>>; readonly files: number };
}

/** The addresses of the emulator, for baselines. */
export interface AzureAddress {
  readonly caPem: string;
  readonly authorityHost: string;
  readonly vaultUrl: string;
}

/** A way to mount. It takes the addresses once and then reads all objects of each pod. */
export type Reader = (address: AzureAddress) => (pod: Pod) => Promise<void>;

/** Returns the n-th pod. Pods with the same `identity` share a service principal. */
export function podOf(n: number, identity: number, objects: readonly BenchObject[]): Pod {
  return { name: `pod-${n}`, clientId: clientId(identity), clientSecret: clientSecret(identity), objects };
}

/** Returns secrets. `from` is the number of the first one. */
export function secrets(count: number, from = 0): readonly BenchObject[] {
  return Array.from({ length: count }, (_, i) => ({ name: `secret-${from + i}`, type: 'secret' }));
}

/** The last secret, which holds a map of {@link CONFIG_KEYS} keys as JSON. */
export const CONFIG = `secret-${SECRETS - 1}`;
export const CONFIG_KEYS = 20;

/** Returns secrets that contain a PFX in Key Vault's form: an RSA key, a leaf, an intermediate and a root. */
export function certificates(count: number): readonly BenchObject[] {
  return Array.from({ length: count }, (_, i) => ({ name: `pfx-${i}`, type: 'secret' }));
}

/** The number of identities and objects, and the size of the secrets in bytes. */
export interface WorldSize {
  readonly identities: number;
  readonly secrets: number;
  readonly bytes: number;
  readonly certificates: number;
}

/** The world of the scenarios. */
export const STANDARD: WorldSize = {
  identities: IDENTITIES,
  secrets: SECRETS,
  bytes: 100,
  certificates: CERTIFICATES,
};

/** Returns the seed of the emulator. */
export function seedOf(size: WorldSize = STANDARD): string {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  const identities = numbers(size.identities).map((i) => ({
    name: `identity-${i}`,
    clientId: clientId(i),
    secrets: [{ value: clientSecret(i) }],
  }));
  const chains = numbers(size.certificates > 0 ? 4 : 0).map((i) => ({
    name: `chain-${i}`,
    issuer: 'intermediate',
    subject: `CN=server-${i}`,
    key: { kty: 'RSA' },
  }));
  const config = Object.fromEntries(numbers(CONFIG_KEYS).map((i) => [`key${i}`, { value: `value ${i}`.repeat(10) }]));
  const values = numbers(size.secrets).map((i) => ({
    name: `secret-${i}`,
    // Earlier than the reads by more than a second, after which dates of listings are trusted.
    created: '2026-01-01T00:00:00Z',
    value: i === SECRETS - 1 ? JSON.stringify(config) : textOf(i, size.bytes),
  }));
  const pfxs = numbers(size.certificates).map((i) => ({
    name: `pfx-${i}`,
    contentType: 'application/x-pkcs12',
    valueFrom: { chain: `chain-${i % chains.length}`, form: { preset: 'keyVault' } },
  }));
  const grants = identities.map(({ name }) => ({ identity: name, secrets: ['get', 'list'] }));
  return JSON.stringify({
    tenants: [{ id: TENANT, identities }],
    ...(chains.length > 0 && { authorities: AUTHORITIES, chains }),
    vaults: [{ name: VAULT, tenant: TENANT, grants, secrets: [...values, ...pfxs] }],
  });
}

/** Returns the value of a secret. */
function textOf(secret: number, bytes: number): string {
  const hash = createHash('shake256', { outputLength: Math.ceil(bytes / 2) });
  return hash.update(`value ${secret}`).digest('hex').slice(0, bytes);
}

const AUTHORITIES = [
  { name: 'root', subject: 'CN=Root', key: { kty: 'RSA' } },
  { name: 'intermediate', subject: 'CN=Intermediate', issuer: 'root', key: { kty: 'RSA' } },
];

function clientId(identity: number): string {
  return `22222222-2222-2222-2222-${String(identity).padStart(12, '0')}`;
}

function clientSecret(identity: number): string {
  return `client-secret-${identity}`;
}
