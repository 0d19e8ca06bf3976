// Waits for conditions in the tests with the real driver. Limits each wait to two minutes.
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 120_000;
const POLL_MS = 50;

/** Calls `ask` until it returns a value. Fails with `what` after two minutes. */
export async function until<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(POLL_MS)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`);
}

/** Repeats `check`, an assertion, until it passes. Throws its last failure after two minutes. */
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
