/**
 * Handles uncaught exceptions and rejections. `serve` installs it: a manifest of one pod or an answer of a vault must
 * not end the process that serves every pod of the node. The process ends only if defects occur again and again.
 */

import { type Clock, msSince } from '../base/clock.ts';
import { framesOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';

/** The process ends if more defects than this occur within one second, because it could do nothing else any more. */
export const MAX_DEFECTS_A_SECOND = 100;

/** Options of {@link catchDefects}. */
export interface DefectOptions {
  readonly log: Logger;
  /** Ends the process so that it is started again. */
  readonly end: () => void;
  readonly clock: Pick<Clock, 'steady'>;
}

/** Returns the handler of defects. It logs each defect, and ends the process if there are too many in one second. */
export function catchDefects({ log, end, clock }: DefectOptions): (message: string, thrown: unknown) => void {
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
    // The logger itself may have thrown.
    if (logging) return;
    logging = true;
    try {
      log.error(message, { error: nameAndFrame(thrown) });
    } catch {
      // There is no other place to report it.
    } finally {
      logging = false;
    }
  };
}

/** Returns the name and the first stack frame of a foreign error, without its message, which may quote a secret. */
function nameAndFrame(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  const code = 'code' in thrown ? ` ${String(thrown.code)}` : '';
  const frame = framesOf(thrown)[0] ?? '';
  return `${thrown.name}${code}${frame}`;
}
