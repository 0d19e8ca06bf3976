/**
 * Determines the service or vault of a request from its host name. The emulator and its services call it.
 */

import type { World } from '../world/model.ts';
import { hostName, portSuffix } from './http.ts';

/** The service that a Host header names. */
export type Route = { readonly kind: 'vault'; readonly vault: string } | { readonly kind: 'entra' | 'issuer' };

/** DNS suffix of the emulator's vaults. */
export const VAULT_SUFFIX = 'vault.localhost';
/** Host of the emulator's Entra authority. */
export const LOGIN_HOST = 'login.localhost';
/** Host of the emulator's issuer of service-account tokens. */
export const ISSUER_HOST = 'oidc.localhost';

const VAULT_HOST = /^([^.]+)\.(vault\..+)$/;

/**
 * Routes names below a `vault.…` suffix to vaults, one name to the issuer, and every other name to Entra, so that a token
 * proxy works too.
 */
export function routeHost(host: string): Route {
  if (hostName(host) === ISSUER_HOST) return { kind: 'issuer' };
  const [, vault] = VAULT_HOST.exec(hostName(host)) ?? [];
  return vault === undefined ? { kind: 'entra' } : { kind: 'vault', vault };
}

/** Returns the suffixes whose vaults this emulator serves: its own and those of the additional hosts. */
export function vaultSuffixes(hosts: readonly string[]): readonly string[] {
  return [VAULT_SUFFIX, ...hosts.flatMap((host) => VAULT_HOST.exec(host)?.[2] ?? [])];
}

/** Returns the additional hosts that are authorities. */
export function extraAuthorities(hosts: readonly string[]): readonly string[] {
  return hosts.filter((host) => !VAULT_HOST.test(host) && !host.startsWith('*'));
}

/** Returns the token resource of a vault host: its suffix, with the port that the client used. */
export function vaultResource(host: string): string {
  return `https://${VAULT_HOST.exec(hostName(host))?.[2] ?? VAULT_SUFFIX}${portSuffix(host)}`;
}

/**
 * Returns the authority that a client of this vault host can reach: an additional one for additional vault names, else
 * the emulator's own.
 */
export function authorityFor(world: Pick<World, 'hosts'>, host: string): string {
  const own = hostName(host).endsWith(`.${VAULT_SUFFIX}`);
  const authority = own ? LOGIN_HOST : (extraAuthorities(world.hosts)[0] ?? LOGIN_HOST);
  return `https://${authority}${portSuffix(host)}`;
}
