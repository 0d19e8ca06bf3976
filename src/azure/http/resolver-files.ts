/**
 * Reads `/etc/hosts` and `/etc/resolv.conf` as the C library does: addresses of a name, name servers and search
 * domains. `resolver.ts` calls it for each lookup, so that a change of a file takes effect. Files that cannot be read
 * count as empty, unless the process has no file descriptor left.
 */

import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { systemCodeOf } from '../../base/errors.ts';
import { readMountedFile } from '../../base/regular-file.ts';

/** Paths of the files of the system's resolver. */
export interface ResolverFiles {
  readonly hosts: string;
  readonly resolvConf: string;
}

/** The files of this machine, or of this container. */
export const SYSTEM_FILES: ResolverFiles = { hosts: '/etc/hosts', resolvConf: '/etc/resolv.conf' };

/** Such files may also contain lists of blocked hosts. */
const MAX_HOSTS_BYTES = 4 * 1024 * 1024;
const MAX_CONF_BYTES = 64 * 1024;
/** The C library reads three name servers, too. */
const MAX_SERVERS = 3;
const MAX_SEARCH = 32;
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);
/** A name with so many dots is asked for unchanged first, even if `ndots` is larger. */
const MAX_NDOTS = 2;

/** Returns the addresses that the hosts file gives a name, in the order of the file. */
export async function addressesInHosts(hostname: string, { hosts }: ResolverFiles): Promise<readonly LookupAddress[]> {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  return (await linesOf(hosts, MAX_HOSTS_BYTES)).flatMap(([address = '', ...names]) => {
    const family = isIP(address);
    return family !== 0 && names.some((one) => one.toLowerCase() === name) ? [{ address, family }] : [];
  });
}

/** The settings in `resolv.conf` that the provider follows. */
export interface ResolverSettings {
  /** Addresses of name servers, in their order. */
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly ndots: number;
}

/** Reads `resolv.conf`. If it names no server, the server on this machine is asked, as the C library does. */
export async function readResolvConf({ resolvConf }: ResolverFiles): Promise<ResolverSettings> {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const [keyword, ...values] of await linesOf(resolvConf, MAX_CONF_BYTES)) {
    if (keyword === 'nameserver') servers.push(...values.slice(0, 1));
    // The last of these lines counts.
    if (keyword === 'search' || keyword === 'domain') search = values.filter((domain) => domain !== '.');
    if (keyword !== 'options') continue;
    for (const value of values) ndots = Number(/^ndots:(\d{1,2})$/.exec(value)?.[1] ?? ndots);
  }
  return {
    servers: servers.length === 0 ? ['127.0.0.1'] : servers.slice(0, MAX_SERVERS),
    search: search.slice(0, MAX_SEARCH),
    ndots,
  };
}

/**
 * Returns the full names to ask for, in order, until one has an address. Differs from the C library: a name with two
 * dots or more is asked for unchanged first, although the `ndots:5` of Kubernetes puts it last. A search domain cannot
 * answer in place of a vault, and a vault's name costs one question.
 */
export function fullNames(name: string, { search, ndots }: ResolverSettings): readonly string[] {
  if (name.endsWith('.')) return [name];
  const searched = search.map((domain) => `${name}.${domain.replace(/^\.|\.$/g, '')}.`);
  const isFull = name.split('.').length > Math.min(ndots, MAX_NDOTS);
  return isFull ? [`${name}.`, ...searched] : [...searched, `${name}.`];
}

/** Returns the words of each line, without comments. */
async function linesOf(path: string, maxBytes: number): Promise<readonly string[][]> {
  const text = await readMountedFile(path, maxBytes).catch(({ cause }: Error) => {
    if (NO_DESCRIPTOR.has(systemCodeOf(cause))) throw cause;
    return '';
  });
  return text.split('\n').map((line) =>
    line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/),
  );
}
