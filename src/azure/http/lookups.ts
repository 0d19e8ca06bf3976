/**
 * Resolves names to addresses, for every outbound connection. A question to a name server cannot be cancelled and may take a
 * minute to fail; when the provider stops, the lookups under way get a short time and then fail.
 */

import dns, { type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { coded } from './network-error.ts';
import { readRegularFile, realPathOf } from './regular-file.ts';

/** Code of a connection that was given up because the provider stops. */
export const STOPPING = 'STOPPING';

const HOSTS_FILE = '/etc/hosts';
/** Lists of blocked hosts are kept in such files too. */
const MAX_HOSTS_BYTES = 4 * 1024 * 1024;
const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };

/**
 * `dns.lookup`, but for names under `.localhost`: no name server is asked for them (RFC 6761 section 6.3). They have the
 * address that the hosts file gives them, as `hostAliases` of the pod do, and else that of the loopback interface.
 */
export const lookupLocalhost = lookupWith(HOSTS_FILE);

/** {@link lookupLocalhost} by another hosts file. */
export function lookupWith(hostsFile: string): LookupFunction {
  return (hostname, options, callback) => {
    if (!/(^|\.)localhost$/i.test(hostname)) {
      dns.lookup(hostname, options, callback);
      return;
    }
    void addressesOf(hostname, hostsFile).then((found) => {
      const family = { IPv4: 4, IPv6: 6 }[String(options.family)] ?? options.family ?? 0;
      const wanted = found.filter((one) => family === 0 || one.family === family);
      const [first = LOOPBACK, ...others] = wanted;
      if (options.all === true) process.nextTick(callback, null, [first, ...others]);
      else process.nextTick(callback, null, first.address, first.family);
    });
  };
}

/** Addresses of a name in the hosts file; none where it cannot be read. `localhost` itself is always the loopback. */
async function addressesOf(hostname: string, hostsFile: string): Promise<LookupAddress[]> {
  const name = hostname.toLowerCase();
  if (name === 'localhost') return [];
  const text = await textOf(hostsFile).catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const family = isIP(address);
    return family !== 0 && names.some((one) => one.toLowerCase() === name) ? [{ address, family }] : [];
  });
}

async function textOf(hostsFile: string): Promise<string> {
  return (await readRegularFile(await realPathOf(hostsFile), MAX_HOSTS_BYTES)).text;
}

/** Time that a name server has when the provider stops; one that works takes a small part of it. */
export const GRACE_MS = 2000;

/** The lookups of a process. */
export class Lookups {
  /** Those under way; each call limits one to the grace. */
  readonly #waiting = new Set<() => void>();
  #graceMs = Number.POSITIVE_INFINITY;

  /** {@link lookupLocalhost}, which fails with {@link STOPPING} where {@link Lookups.stop} lets it wait no longer. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    let timer: NodeJS.Timeout | undefined;
    const end: typeof callback = (...found) => {
      clearTimeout(timer);
      if (this.#waiting.delete(limit)) callback(...found);
    };
    const limit = () => {
      clearTimeout(timer);
      timer = setTimeout(() => end(coded(STOPPING, 'the provider is stopping'), ''), this.#graceMs);
    };
    this.#waiting.add(limit);
    if (this.#graceMs < Number.POSITIVE_INFINITY) limit();
    lookupLocalhost(hostname, options, end);
  };

  /** Gives the lookups under way, and each further one, so many milliseconds: calls under way may still need one. */
  stop(graceMs: number): void {
    this.#graceMs = graceMs;
    for (const limit of this.#waiting) limit();
  }
}
