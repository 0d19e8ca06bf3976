/**
 * Waits for the output of the process. `main.ts` calls it before it ends the process, for every command, and with a limit
 * of time where a reader may be stuck.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Resolves when everything that was written to standard output and standard error has been handed to the system, or
 * after `limitMs` milliseconds.
 */
export async function outputWritten(limitMs?: number): Promise<void> {
  // A failure that occurs at once is reported in the next turn of the event loop.
  await setImmediate();
  // Even an empty write fails on a full disk, so nothing is written to a stream that has nothing left to write.
  const waiting = [process.stdout, process.stderr].filter(({ writableLength }) => writableLength > 0);
  const written = waiting.map((stream) => new Promise<void>((resolve) => void stream.write('', () => resolve())));
  const late = limitMs === undefined ? [] : [setTimeout(limitMs)];
  await Promise.race([Promise.all(written), ...late]);
}
