/** Lets work in this process go on, for tests that look at what does not happen. */
import { setImmediate } from 'node:timers/promises';

/** Waits for more turns of the event loop than a request on this machine needs. */
export async function turnsOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await setImmediate();
}
