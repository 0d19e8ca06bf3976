/**
 * Handles exceptions and rejections that nobody caught. `serve` installs it: nothing a pod's manifest or a vault's
 * answer does may end the process that serves every pod of the node, unless it does it again and again.
 */

import { type Clock, msSince } from '../base/clock.ts';
import { framesOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** So many of them within one second end the process: it would do nothing else any more. */
export const MAX_DEFECTS_A_SECOND = 100;

/** Parts of {@link catchDefects}. */
export interface LastResort {
  readonly log: Logger;
  /** Ends the process so that it is started again. */
  readonly end: () => void;
  readonly clock: Pick<Clock, 'steady'>;
}

/** Logs each defect, and ends the process where they come in a storm. Returns what is to be called for each of them. */
export function catchDefects({ log, end, clock }: LastResort): (message: string, thrown: unknown) => void {
  let logging = false;
  let since = clock.steady();
  let count = 0;
  return (message, thrown) => {
    if (msSince(clock, since) >= 1000) {
      since = clock.steady();
      count = 0;
    }
    if (++count > MAX_DEFECTS_A_SECOND) {
      end();
      return;
    }
    // The logger itself may be what throws.
    if (logging) return;
    logging = true;
    try {
      log.error(message, { error: placeOf(thrown) });
    } catch {
      // There is nowhere else to say it.
    } finally {
      logging = false;
    }
  };
}

/** Name and place of a foreign error; its message may quote what it choked on. */
function placeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  const code = 'code' in thrown ? ` ${String(thrown.code)}` : '';
  const place = framesOf(thrown)[0] ?? '';
  return `${thrown.name}${code}${place}`;
}
