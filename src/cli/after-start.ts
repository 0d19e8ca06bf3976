/**
 * Decides when `serve` loads the rest of the program and sets the flags of the heap: with the first Mount, or shortly after
 * the first answer to another call. `serve` calls it.
 */

import type { CallMeter } from '../server/guard.ts';
import { MOUNT_METHOD } from '../wire/names.ts';

/** The delay after the first answer to a driver or a probe, so that the next answers are sent before. */
const AFTER_MS = 200;

/** A {@link CallMeter} that also starts the work. */
export interface AfterStart {
  readonly meter: CallMeter;
  /** From this call on, the work does not start. */
  cancel(): void;
}

/**
 * Runs `work` once. It does not wait for the end of a Mount: a provider that starts again may get a hundred at once, which
 * took a quarter more memory before the flags of the heap were set. `meter` gets every call, before the work starts.
 */
export function afterStart(meter: CallMeter, work: () => Promise<void>): AfterStart {
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const cancel = () => {
    over = true;
    clearTimeout(timer);
  };
  const start = () => {
    if (over) return;
    cancel();
    void work();
  };
  return {
    meter: {
      callStarted(method) {
        meter.callStarted(method);
        if (method === MOUNT_METHOD) start();
      },
      callEnded(end) {
        meter.callEnded(end);
        if (!over) timer ??= setTimeout(start, AFTER_MS);
      },
    },
    cancel,
  };
}
