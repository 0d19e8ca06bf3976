/**
 * Sets flags of V8 so that the heap of `serve` stays small at rest. `serve` calls it.
 */

import { setFlagsFromString } from 'node:v8';
import type { CallMeter } from '../server/guard.ts';
import { MOUNT_METHOD } from '../wire/names.ts';

/** Flags for all times: the heap grows by a fifth at a time, and the space for new objects does not grow. */
const FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=20'];
/**
 * The flag for an idle process: V8 returns memory to the system within ten seconds. During Mounts it would double the
 * cost of each, because a young generation of one megabyte is collected four times as often.
 */
const AT_REST = '--optimize-for-size';
const WHILE_BUSY = '--no-optimize-for-size';
/** The process counts as idle this long after the last Mount. */
const REST_MS = 2_000;

/** A {@link CallMeter} that also sets the flags of V8 when Mounts begin and end. */
export interface HeapKeeper {
  readonly meter: CallMeter;
  /**
   * Sets the flags. `serve` calls this when everything is loaded: if the flags were on the command line, V8 would
   * refuse all cached code, that of Node's own modules included, and the start would take twice as long.
   */
  begin(): void;
  close(): void;
}

/** Keeps the heap of a server small. `meter` gets every call; `setFlag` sets a flag of V8. */
export function keepHeapSmall(meter: CallMeter, setFlag = setFlagsFromString): HeapKeeper {
  let begun = false;
  let mounts = 0;
  let timer: NodeJS.Timeout | undefined;
  const rest = () => {
    timer = undefined;
    setFlag(AT_REST);
  };
  const isMount = (method: string) => method === MOUNT_METHOD;
  return {
    meter: {
      callStarted(method) {
        meter.callStarted(method);
        if (!isMount(method) || mounts++ > 0) return;
        if (begun && timer === undefined) setFlag(WHILE_BUSY);
        clearTimeout(timer);
        timer = undefined;
      },
      callEnded(end) {
        meter.callEnded(end);
        if (!isMount(end.method) || --mounts > 0 || !begun) return;
        timer = setTimeout(rest, REST_MS).unref();
      },
    },
    begin() {
      begun = true;
      for (const flag of FLAGS) setFlag(flag);
      if (mounts === 0) rest();
    },
    close: () => clearTimeout(timer),
  };
}
