/**
 * Tells by the host name which service or vault a request is for. The emulator and its services call it.
 */

import type { World } from '../world/model.ts';
import { hostName, portSuffix } from './http.ts';

/** Which service a Host header names. */
export type Route = { readonly kind: 'vault'; readonly vault: string } | { readonly kind: 'entra' };

/** DNS suffix of the emulator's vaults. */
export const VAULT_SUFFIX = 'vault.localhost';
/** Host of the emulator's authority. */
export const LOGIN_HOST = 'login.localhost';

const VAULT_HOST = /^([^.]+)\.(vault\..+)$/;

/** Names below a `vault.…` suffix are vaults; every other name is the authority, so that a token proxy works too. */
export function routeHost(host: string): Route {
  const [, vault] = VAULT_HOST.exec(hostName(host)) ?? [];
  return vault === undefined ? { kind: 'entra' } : { kind: 'vault', vault };
}

/** Suffixes whose vaults this emulator plays: its own and those of the extra hosts. */
export function vaultSuffixes(hosts: readonly string[]): readonly string[] {
  return [VAULT_SUFFIX, ...hosts.flatMap((host) => VAULT_HOST.exec(host)?.[2] ?? [])];
}

/** Extra hosts that are authorities. */
export function extraAuthorities(hosts: readonly string[]): readonly string[] {
  return hosts.filter((host) => !VAULT_HOST.test(host) && !host.startsWith('*'));
}

/** The token resource of a vault host: its suffix, with the port the client used. */
export function vaultResource(host: string): string {
  return `https://${VAULT_HOST.exec(hostName(host))?.[2] ?? VAULT_SUFFIX}${portSuffix(host)}`;
}

/** The authority a client of this vault host can reach: an extra one for extra vault names, else the emulator's own. */
export function authorityFor(world: Pick<World, 'hosts'>, host: string): string {
  const own = hostName(host).endsWith(`.${VAULT_SUFFIX}`);
  const authority = own ? LOGIN_HOST : (extraAuthorities(world.hosts)[0] ?? LOGIN_HOST);
  return `https://${authority}${portSuffix(host)}`;
}
