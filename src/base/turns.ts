/**
 * Keeps heavy work from blocking the event loop. Work that JavaScript must do runs in slices of about a millisecond,
 * one slice per turn of the event loop for the whole process, callers taking turns; work that Node does on its thread
 * pool runs two jobs at a time, which leaves threads for name lookups. The queues are the only state of this room,
 * since fairness between mounts needs one place that sees them all.
 */
const waiting: (() => void)[] = [];
const waitingForPool: (() => void)[] = [];
const POOL_JOBS = 2;
let poolJobs = 0;

/** Resolves at the start of a turn of the event loop that no other caller uses; rejects when `signal` aborts. */
export async function nextTurn(signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(serveOne);
  });
  signal?.throwIfAborted();
}

/** Runs `job`, which occupies a thread of the pool, when one of the two places is free. */
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
