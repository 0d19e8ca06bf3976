// Waits for conditions, for the tests with the real driver. Refuses to wait for ever.
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 120_000;
const POLL_MS = 50;

/** Asks until the answer is not undefined. `what` is said where that takes two minutes. */
export async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(POLL_MS)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`);
}

/** Looks until what is seen passes `check`, an assertion; raises the last failure where that takes two minutes. */
export async function eventually(check: () => void | Promise<void>): Promise<void> {
  let last: unknown;
  await until('a check passes', async () => {
    try {
      await check();
      return true;
    } catch (error) {
      last = error;
      return undefined;
    }
  }).catch(() => {
    throw last;
  });
}
