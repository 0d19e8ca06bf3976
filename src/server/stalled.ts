/**
 * Closes a connection whose client takes no answers while Mounts of other connections wait for the memory that these
 * answers hold. `server.ts` starts the watch. A client that is alone is never closed: its pods would get UNAVAILABLE.
 */

import type { Logger } from '../base/log.ts';
import type { MemoryBudget } from '../base/memory-budget.ts';
import type { PinnedConnection } from './connection.ts';

/** Two checks without progress close a connection. */
const CHECK_MS = 15_000;

/** Watches `connections` until the returned function is called. */
export function watchStalled(
  connections: ReadonlySet<PinnedConnection>,
  memory: MemoryBudget,
  log: Logger,
): () => void {
  const check = stalledCheck(connections, memory, log);
  const timer = setInterval(check, CHECK_MS).unref();
  return () => clearInterval(timer);
}

/** Returns one check. A connection is stalled if its socket has taken nothing since the check before. */
export function stalledCheck(connections: Iterable<PinnedConnection>, memory: MemoryBudget, log: Logger): () => void {
  let before = new Map<PinnedConnection, number>();
  return () => {
    const all = [...connections];
    const stalled = all.filter((one) => one.unsentBytes > 0 && before.get(one) === one.sentBytes);
    before = new Map(all.map((one) => [one, one.sentBytes]));
    if (memory.figures.waiting === 0) return;
    const [most] = stalled.sort((a, b) => b.unsentBytes - a.unsentBytes);
    if (most === undefined || all.every((one) => one === most || one.use !== 'busy')) return;
    log.warn('Closed a connection whose client takes no answers', { unsentBytes: most.unsentBytes });
    most.destroy();
  };
}
