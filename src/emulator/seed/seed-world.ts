/**
 * Builds the state of the emulator from a seed. The emulator calls it when it starts. Refuses seeds with unknown
 * references.
 */

import { createHash, type KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import type { WallClock } from '../../base/clock.ts';
import { Secret } from '../../base/secret.ts';
import { publicKeyFromPem } from '../../pki/public-key.ts';
import { ISSUER_HOST } from '../http/routing.ts';
import { type Authority, createAuthority, issueMaterial } from '../world/certificates.ts';
import { publicKeyOfJwk } from '../world/key-material.ts';
import type { AssertionKey, EmulatedIdentity, FederatedCredential, Tenant, Vault, World } from '../world/model.ts';
import { ObjectStore } from '../world/object-store.ts';
import { newSigningKey, signingKeyOf } from '../world/signing-key.ts';
import { findTenant } from '../world/tenants.ts';
import { badSeed } from './seed.ts';
import { checkSeed } from './seed-check.ts';
import { type Chains, fillVault } from './seed-objects.ts';
import type { Seed, SeedIdentity, SeedVault } from './seed-schema.ts';
import { issueSpec, keySpec, unixTime, validitySpec } from './seed-specs.ts';

const DEFAULT_AUDIENCE = 'api://AzureADTokenExchange';
const DEFAULT_LIFETIME_SECONDS = 3599;

/** Options of {@link buildWorld}. */
export interface WorldOptions {
  readonly clock: WallClock;
  readonly hosts: readonly string[];
  /** RSA private key that signs Entra's tokens. Absent: a new key. */
  readonly tokenKey?: KeyObject | undefined;
}

/** Builds the state that a seed describes, including keys and certificates. Throws: ERR_BAD_PARAMETERS. */
export async function buildWorld(seed: Seed, options: WorldOptions): Promise<World> {
  const problems = checkSeed(seed);
  if (problems.length > 0) throw badSeed(problems);
  const now = options.clock.wall();
  const [tokenKey, clusterKey, authorities] = await Promise.all([
    options.tokenKey === undefined ? newSigningKey('rsa') : signingKeyOf(options.tokenKey),
    newSigningKey('ec'),
    buildAuthorities(seed, now),
  ]);
  const tenants = seed.tenants.map(
    (tenant): Tenant => ({
      id: tenant.id.toLowerCase(),
      names: tenant.names ?? [],
      tokenLifetimeSeconds: tenant.tokenLifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS,
      identities: (tenant.identities ?? []).map((identity) =>
        buildIdentity(identity, { now, ownIssuer: seed.serviceAccountIssuer }),
      ),
    }),
  );
  const vaults = seed.vaults.map((vault) => buildVault(vault, tenants));
  const world: World = {
    clock: options.clock,
    tenants,
    vaults: new Map(vaults.map((vault) => [vault.name.toLowerCase(), vault])),
    authorities,
    tokenKey,
    cluster: { issuer: seed.serviceAccountIssuer ?? `https://${ISSUER_HOST}`, keys: [clusterKey] },
    identityHeader: randomUUID(),
    hosts: options.hosts.map((host) => host.toLowerCase()),
  };
  const chains = await buildChains(seed, authorities, now);
  await Promise.all(
    vaults.map((vault, i) =>
      fillVault(world, vault, { seed: seed.vaults[i] ?? { name: '', tenant: '' }, chains, now }),
    ),
  );
  return world;
}

async function buildAuthorities(seed: Seed, now: number): Promise<ReadonlyMap<string, Authority>> {
  const authorities = new Map<string, Authority>();
  for (const { name, subject, issuer, key, validity } of seed.authorities ?? []) {
    const decade = { from: '-1d', to: '+10y', ...validity };
    const options = { name, subject: subject ?? `CN=${name}`, key: keySpec(key), validity: validitySpec(decade, now) };
    authorities.set(name, await createAuthority(options, issuer === undefined ? undefined : authorities.get(issuer)));
  }
  return authorities;
}

async function buildChains(seed: Seed, authorities: ReadonlyMap<string, Authority>, now: number): Promise<Chains> {
  const chains = (seed.chains ?? []).map(async (chain) => {
    const spec = issueSpec(chain.name, chain, now);
    return [chain.name, { spec, material: await issueMaterial(spec, authorities.get(spec.issuer)) }] as const;
  });
  return new Map(await Promise.all(chains));
}

function buildIdentity(
  identity: SeedIdentity,
  context: { now: number; ownIssuer: string | undefined },
): EmulatedIdentity {
  const clientId = identity.clientId.toLowerCase();
  return {
    name: identity.name,
    clientId,
    objectId: identity.objectId?.toLowerCase() ?? derivedGuid(clientId),
    secrets: (identity.secrets ?? []).map(({ value, expires }) => ({
      value: new Secret(value),
      expires: unixTime(expires, context.now),
    })),
    certificates: (identity.certificates ?? []).map((pem) => new X509Certificate(pem)),
    federated: (identity.federated ?? []).map((federated): FederatedCredential => {
      const keys = [
        ...(federated.publicKeys ?? []).map((pem) => ({ kid: undefined, publicKey: publicKeyFromPem(pem) })),
        ...(federated.jwks?.keys ?? []).map(jwksKey),
      ];
      return {
        issuer: federated.issuer === context.ownIssuer ? undefined : federated.issuer,
        subject: federated.subject,
        audience: federated.audience ?? DEFAULT_AUDIENCE,
        keys: federated.signature === 'any' ? 'any' : keys.length === 0 ? 'cluster' : keys,
      };
    }),
    managed: identity.managed && {
      systemAssigned: identity.managed.systemAssigned ?? false,
      resourceId: identity.managed.resourceId,
      pods: identity.managed.pods ?? [],
    },
  };
}

function jwksKey(jwk: Readonly<Record<string, unknown>>): AssertionKey {
  return { kid: typeof jwk.kid === 'string' ? jwk.kid : undefined, publicKey: publicKeyOfJwk(jwk) };
}

function buildVault(vault: SeedVault, tenants: readonly Tenant[]): Vault {
  const tenant = findTenant(tenants, vault.tenant);
  if (tenant === undefined) throw badSeed([`vault ${vault.name}: tenant "${vault.tenant}" is not in this seed`]);
  return {
    name: vault.name,
    tenant,
    region: vault.region ?? 'westeurope',
    access: vault.access ?? 'rbac',
    firewallClosed: vault.firewall === 'closed',
    grants: (vault.grants ?? []).map(({ identity, objects, secrets, keys, certificates }) => ({
      identity,
      permissions: { secrets: secrets ?? [], keys: keys ?? [], certificates: certificates ?? [] },
      objects,
    })),
    secrets: new ObjectStore(),
    keys: new ObjectStore(),
    certificates: new ObjectStore(),
  };
}

/** Returns a GUID that depends only on the text. */
function derivedGuid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
