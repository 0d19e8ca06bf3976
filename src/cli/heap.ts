/**
 * Sets flags of V8 so that the heap of `serve` stays small at rest. `serve` calls it.
 */

import { setFlagsFromString } from 'node:v8';
import type { CallMeter } from '../server/guard.ts';
import { MOUNT_METHOD } from '../wire/names.ts';

/** At all times: the heap grows by a fifth at a time, and new objects get no more room than at the start. */
const FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=20'];
/**
 * With it V8 gives memory back within ten seconds of rest. While Mounts come it would double what each costs: a young
 * generation of a megabyte is collected four times as often.
 */
const AT_REST = '--optimize-for-size';
const WHILE_BUSY = '--no-optimize-for-size';
/** So long after the last Mount begins the rest. */
const REST_MS = 2_000;

/** A {@link CallMeter} that also tells V8 when there is work and when there is not. */
export interface HeapKeeper {
  readonly meter: CallMeter;
  /**
   * Keeps the heap small from now on. On the command line the flags would make V8 refuse all code it has cached, that
   * of Node's own modules too, and the start take twice the time; so this is called when everything is loaded.
   */
  begin(): void;
  close(): void;
}

/** Keeps the heap of a server small, by the calls that `meter` is told of; `setFlag` sets a flag of V8. */
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
