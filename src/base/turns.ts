/**
 * Keeps heavy work from blocking the event loop. Work in JavaScript runs in slices of about a millisecond, one slice
 * for each turn of the event loop in the whole process, and callers take turns. Work on Node's thread pool runs two
 * jobs at a time, which leaves threads for files. The queues are global, since fairness needs one place for all
 * Mounts.
 */

const waiting: (() => void)[] = [];
const waitingForPool: (() => void)[] = [];
const POOL_JOBS = 2;
let poolJobs = 0;

/** Resolves at the start of a turn of the event loop that no other caller uses. Throws: the reason of `signal`. */
export function nextTurn(signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const go = () => (signal?.aborted === true ? reject(signal.reason) : resolve());
    if (waiting.push(go) === 1) setImmediate(serveOne);
  });
}

/**
 * Runs `job`, which occupies a thread of the pool, when fewer than two jobs run. Throws: as `job`; the reason of
 * `signal`.
 */
export async function onPool<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  if (poolJobs === POOL_JOBS) await new Promise<void>((resolve) => waitingForPool.push(resolve));
  else poolJobs++;
  try {
    signal?.throwIfAborted();
    return await job();
  } finally {
    const next = waitingForPool.shift();
    if (next === undefined) poolJobs--;
    else next();
  }
}

function serveOne(): void {
  const next = waiting.shift();
  if (waiting.length > 0) setImmediate(serveOne);
  next?.();
}
