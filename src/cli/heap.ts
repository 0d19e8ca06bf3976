/**
 * Keeps the heap of `serve` small at rest, and collects what was dropped, so that secrets leave memory on an idle node
 * too. `serve` calls it.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CallMeter } from '../server/guard.ts';
import { MOUNT_METHOD } from '../wire/names.ts';

/** Flags for all times: the heap grows by a fifth at a time, and the space for new objects does not grow. */
const FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=20'];
/**
 * The flag for an idle process and for a large one: V8 returns memory to the system within ten seconds, and grows the heap
 * by small steps. During all Mounts it would double the cost of each, because a young generation of one megabyte is
 * collected four times as often.
 */
const SMALL = '--optimize-for-size';
const WHILE_BUSY = '--no-optimize-for-size';
/** The process counts as idle this long after the last Mount. */
const REST_MS = 2_000;

/** A {@link CallMeter} that also sets the flags of V8, and collects garbage, when Mounts begin and end. */
export interface HeapKeeper {
  readonly meter: CallMeter;
  /**
   * Sets the flags. `serve` calls this when everything is loaded: if the flags were on the command line, V8 would
   * refuse all cached code, that of Node's own modules included, and the start would take twice as long.
   */
  begin(): void;
  /** Collects what caches have dropped. During Mounts, and just after them, it leaves this to the rest that follows. */
  dropped(): void;
  /** Collects what Mounts have discarded, also during Mounts: V8 counts the memory of buffers late. */
  discarded(): void;
  /** Lets the heap grow by small steps until the next rest. */
  large(): void;
  close(): void;
}

/** The calls into V8. A test replaces them. */
export interface Engine {
  readonly setFlag: (flag: string) => void;
  /** Collects all garbage of the heap, and returns when that is done. */
  readonly collect: () => void;
}

/** The real engine. V8 gives its collector only to contexts made while the flag is set. */
function v8Engine(): Engine {
  let gc: (() => void) | undefined;
  return {
    setFlag: setFlagsFromString,
    collect() {
      if (gc === undefined) {
        setFlagsFromString('--expose-gc');
        gc = runInNewContext('gc') as () => void;
        setFlagsFromString('--no-expose-gc');
      }
      gc();
    },
  };
}

/** Keeps the heap of a server small. `meter` gets every call. */
export function keepHeapSmall(meter: CallMeter, { setFlag, collect }: Engine = v8Engine()): HeapKeeper {
  let begun = false;
  let mounts = 0;
  let timer: NodeJS.Timeout | undefined;
  let planned: NodeJS.Immediate | undefined;
  const rest = () => {
    timer = undefined;
    setFlag(SMALL);
    // Mounts leave the credentials of their requests, and values that no cache holds.
    collect();
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
      if (mounts === 0) setFlag(SMALL);
    },
    dropped() {
      if (begun && mounts === 0 && timer === undefined) collect();
    },
    discarded() {
      if (!begun) return;
      planned ??= setImmediate(() => {
        planned = undefined;
        collect();
      });
    },
    large() {
      if (begun) setFlag(SMALL);
    },
    close() {
      clearTimeout(timer);
      clearImmediate(planned);
    },
  };
}
