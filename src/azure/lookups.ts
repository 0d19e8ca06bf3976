/**
 * Names become addresses here, for every outbound connection. Nobody can end a question to a name server, which may take
 * a minute to fail; so who waits for it is told that the provider stops.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { coded } from './connect.ts';

/** Code of a connection that was given up because the provider stops. */
export const STOPPING = 'STOPPING';

/** `dns.lookup`, but for names under `.localhost`, which many resolvers do not know (RFC 6761 section 6.3). */
export const lookupLocalhost: LookupFunction = (hostname, options, callback) => {
  if (!/(^|\.)localhost$/i.test(hostname)) {
    dns.lookup(hostname, options, callback);
    return;
  }
  const loopback = { address: '127.0.0.1', family: 4 };
  process.nextTick(() => {
    if (options.all === true) callback(null, [loopback]);
    else callback(null, loopback.address, loopback.family);
  });
};

/** What a name server has to answer in when the provider stops; one that works takes a small part of it. */
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
