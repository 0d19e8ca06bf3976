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

/** The lookups of a process. */
export class Lookups {
  /** What fails those under way. */
  readonly #waiting = new Set<() => void>();
  #stopped = false;

  /** {@link lookupLocalhost}, which fails with {@link STOPPING} as soon as {@link Lookups.stop} is called. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const fail = () => end(coded(STOPPING, 'the provider is stopping'), '');
    const end: typeof callback = (...found) => {
      if (this.#waiting.delete(fail)) callback(...found);
    };
    this.#waiting.add(fail);
    if (this.#stopped) process.nextTick(fail);
    else lookupLocalhost(hostname, options, end);
  };

  /** Fails the lookups under way, and each further one. */
  stop(): void {
    this.#stopped = true;
    for (const fail of [...this.#waiting]) fail();
  }
}
