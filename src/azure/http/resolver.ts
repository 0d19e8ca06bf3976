/**
 * Resolves one name to its addresses: the hosts file first, then the name servers, with the search domains.
 * `lookups.ts` calls it. It uses none of Node's threads, and ends within a bounded time. Names under `.localhost` are
 * never asked of a name server (RFC 6761 section 6.3).
 */

import type { LookupAddress } from 'node:dns';
import os from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, askServers } from './name-servers.ts';
import { coded } from './network-error.ts';
import { addressesInHosts, fullNames, type ResolverFiles, readResolvConf, SYSTEM_FILES } from './resolver-files.ts';

/** Addresses of a name, in the order in which they are tried. */
export interface Resolved {
  /** At least one. */
  readonly addresses: readonly LookupAddress[];
  /** For how long they hold, in milliseconds. */
  readonly ttlMs: number;
}

/** Resolves a name. Throws: `ENOTFOUND`, `EAI_NODATA` if it exists and has no address; the errors of `askServers`. */
export type Resolve = (name: string) => Promise<Resolved>;

/** Bound of one lookup; with one more second for the connection this is less than the bound of a connection. */
const LOOKUP_MS = 5_000;
/** How long IPv6 addresses are waited for when those of IPv4 are there: some name servers never answer for IPv6. */
const OTHER_FAMILY_MS = 250;
/** How long addresses of the hosts file are kept. */
const HOSTS_TTL_MS = 5_000;
const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };

/** Resolves by the files of the system, or by others. */
export function resolverBy(files: ResolverFiles = SYSTEM_FILES): Resolve {
  return async (name) => {
    const isLocal = /(^|\.)localhost\.?$/i.test(name);
    // `localhost` itself is always the loopback address.
    const known = /^localhost\.?$/i.test(name) ? [] : await addressesInHosts(name, files);
    if (known.length > 0) return { addresses: known, ttlMs: HOSTS_TTL_MS };
    if (isLocal) return { addresses: [LOOPBACK], ttlMs: HOSTS_TTL_MS };
    return askFullNames(name, files);
  };
}

/** Asks for one full name after another. A name server that fails for one of them may answer for the next. */
async function askFullNames(name: string, files: ResolverFiles): Promise<Resolved> {
  const settings = await readResolvConf(files);
  const bound = new AbortController();
  const timer = setTimeout(() => bound.abort(), LOOKUP_MS);
  let failure: unknown;
  let exists = false;
  try {
    for (const full of fullNames(name, settings)) {
      try {
        const answer = await askBothFamilies(full, settings.servers, bound.signal);
        if (answer.addresses.length > 0) return answer;
        exists ||= answer.exists;
      } catch (error) {
        failure ??= error;
      }
      if (bound.signal.aborted) break;
    }
  } finally {
    clearTimeout(timer);
    bound.abort();
  }
  if (failure !== undefined) throw failure;
  throw exists ? coded('EAI_NODATA', 'the name has no address') : coded('ENOTFOUND', 'the name does not exist');
}

/**
 * Returns the families to ask for. IPv6 is asked for if this machine has an IPv6 address, and comes first if that
 * address is public.
 */
async function askBothFamilies(name: string, servers: readonly string[], signal: AbortSignal): Promise<Answer> {
  const ours = ownIPv6Addresses();
  const rest = new AbortController();
  const either = AbortSignal.any([signal, rest.signal]);
  const v6 = ours.length === 0 ? undefined : settled(askServers({ name, family: 6 }, servers, either));
  const four = await settled(askServers({ name, family: 4 }, servers, either));
  const enough = 'addresses' in four && four.addresses.length > 0;
  const six = await (enough ? Promise.race([v6, wait(OTHER_FAMILY_MS, undefined)]) : v6);
  rest.abort();
  const answers = [four, ...(six === undefined ? [] : [six])].filter((one) => 'addresses' in one);
  const found = answers.filter(({ addresses }) => addresses.length > 0);
  const [first] = found;
  if (first === undefined) {
    if ('error' in four) throw four.error;
    if (six !== undefined && 'error' in six && four.exists) throw six.error;
    return { ...four, exists: answers.some(({ exists }) => exists) };
  }
  if (ours.some((address) => /^[23]/.test(address))) found.reverse();
  return {
    addresses: found.flatMap(({ addresses }) => addresses),
    exists: true,
    ttlMs: Math.min(...found.map(({ ttlMs }) => ttlMs)),
  };
}

async function settled(answer: Promise<Answer>): Promise<Answer | { readonly error: unknown }> {
  try {
    return await answer;
  } catch (error) {
    return { error };
  }
}

/** Returns the IPv6 addresses of this machine that reach others. */
function ownIPv6Addresses(): readonly string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all
    .filter(({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address))
    .map(({ address }) => address);
}
