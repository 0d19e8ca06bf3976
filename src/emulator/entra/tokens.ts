/**
 * Issues access tokens and checks which resources they are for. Entra and managed identity call it; vaults check with
 * it.
 */

import { randomBytes } from 'node:crypto';
import { vaultSuffixes } from '../http/routing.ts';
import { signJwt } from '../world/jwt.ts';
import { type EmulatedIdentity, nowSeconds, type Tenant, type World } from '../world/model.ts';

/** An access token with its times in seconds since 1970. */
export interface IssuedToken {
  readonly token: string;
  readonly notBefore: number;
  readonly expires: number;
  readonly lifetimeSeconds: number;
}

/** Resources, in addition to the emulator's vaults, for which Azure has a principal in every tenant. */
const KNOWN_RESOURCES: readonly string[] = [
  'vault.azure.net',
  'vault.azure.cn',
  'vault.usgovcloudapi.net',
  'vault.microsoftazure.de',
  'managedhsm.azure.net',
  'management.azure.com',
  'graph.microsoft.com',
  'storage.azure.com',
];

/** The application id of Key Vault, which is also accepted as an audience. */
const KEY_VAULT_APP_ID = 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093';

/** Signs an access token. `method` is the type of the client's credential: `1` for a secret, `2` for an assertion. */
export function issueToken(
  world: World,
  to: { tenant: Tenant; identity: EmulatedIdentity },
  options: { audience: string; method: '1' | '2'; clientCapabilities?: readonly string[] },
): IssuedToken {
  const { tenant, identity } = to;
  const now = nowSeconds(world);
  const notBefore = now - 300;
  const expires = now + tenant.tokenLifetimeSeconds;
  const issuer = tokenIssuer(tenant);
  const token = signJwt(
    {
      aud: options.audience,
      iss: issuer,
      iat: notBefore,
      nbf: notBefore,
      exp: expires,
      appid: identity.clientId,
      appidacr: options.method,
      idp: issuer,
      idtyp: 'app',
      oid: identity.objectId,
      sub: identity.objectId,
      tid: tenant.id,
      uti: randomBytes(16).toString('base64url'),
      ver: '1.0',
      ...(options.clientCapabilities?.length ? { xms_cc: options.clientCapabilities } : {}),
    },
    world.tokenKey,
  );
  return { token, notBefore, expires, lifetimeSeconds: tenant.tokenLifetimeSeconds };
}

/** Returns the `iss` claim of a tenant's access tokens. */
export function tokenIssuer(tenant: Tenant): string {
  return tenant.id === 'adfs' ? 'https://login.localhost/adfs' : `https://sts.windows.net/${tenant.id}/`;
}

/**
 * Returns true if tokens are issued for this resource: the emulator's vaults, and the resources that every tenant has.
 */
export function isKnownResource(world: World, resource: string): boolean {
  return (
    resource === KEY_VAULT_APP_ID ||
    [...KNOWN_RESOURCES, ...vaultSuffixes(world.hosts)].includes(resourceHost(resource))
  );
}

/** Returns true if an audience names the emulator's vaults. Port and trailing slash are ignored. */
export function isVaultAudience(world: World, audience: string): boolean {
  return audience === KEY_VAULT_APP_ID || vaultSuffixes(world.hosts).includes(resourceHost(audience));
}

function resourceHost(resource: string): string {
  return URL.canParse(resource) ? new URL(resource).hostname : resource;
}
