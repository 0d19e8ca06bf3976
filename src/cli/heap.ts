/**
 * Keeps the heap of `serve` small at rest, and erases what was dropped, so that secrets leave memory on an idle node too.
 * `serve` calls it.
 */

import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CallMeter } from '../server/guard.ts';
import { MOUNT_METHOD } from '../wire/names.ts';
import { anonymousBytes } from './anonymous-memory.ts';
import { isLarge, isLowLimit, isNearLimit } from './budget-size.ts';

/** 11 in Node 20, 12 in Node 22, 13 in Node 24. */
const V8_MAJOR = Number.parseInt(process.versions.v8, 10);
/** True if V8 can write zeros into free memory when it returns pages. */
const ZEROES = V8_MAJOR >= 13;
/** Whether V8 may double the space for new objects when much of it is in use. */
const GROWS = '--semi-space-growth-factor=2';
const STAYS = '--semi-space-growth-factor=1';
/**
 * The space for new objects stops growing at this size. A read lasts longer than it takes a storm to fill the 2 MiB of a
 * process at rest: V8 would collect them four hundred times, and move what the reads hold to the old objects.
 */
const NEW_SPACE_BYTES = 8 * 2 ** 20;
/** How often the size is read while it grows. */
const LOOK_MS = 10;
/**
 * A function runs ten times as often as by V8's default before it is optimised. A storm runs thousands of functions some
 * thousand times each: to optimise them costs more CPU time than it saves, and their code, and the pages of the compiler, are
 * memory. Where V8 has Maglev, it does not use TurboFan. Maglev still optimises loops, and what runs for long.
 */
const OPTIMIZE_LATE =
  V8_MAJOR >= 13
    ? ['--no-opt', '--invocation-count-for-maglev=4000']
    : [V8_MAJOR === 12 ? '--invocation-count-for-turbofan=30000' : '--interrupt-budget=675840'];
/**
 * The main thread collects new objects alone. It would share this with other threads of V8 and wait for them, and all cores
 * are busy when a node boots. Node 20 gains nothing by it.
 */
const ALONE = '--no-parallel-scavenge';
/** Flags for all times. The heap grows by a fifth at a time, and the space for new objects does not grow. */
const FLAGS = [
  STAYS,
  '--heap-growing-percent=20',
  ...(ZEROES ? ['--zero-unused-memory', ALONE] : []),
  ...OPTIMIZE_LATE,
];
/**
 * The flag for an idle process and for a large one: V8 returns memory to the system within ten seconds, and grows the heap
 * by small steps. During all Mounts it would double the cost of each, because a young generation of one megabyte is
 * collected four times as often.
 */
const SMALL = '--optimize-for-size';
const WHILE_BUSY = '--no-optimize-for-size';
/** The process counts as idle this long after the last Mount. */
const REST_MS = 2_000;
/**
 * Time between two steps of an erasure, in which V8 returns the pages of the step before, on threads of its own. What is in
 * use is there twice while it is moved: garbage and free pages would add to it, and be the most that the process ever has.
 */
const STEP_MS = 100;
/** Makes a collection return the pages that V8 keeps for later use. */
const RETURN_PAGES = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const;
/** Makes a collection move everything that is in use. V8 would keep pages that are in use in part, with the texts of garbage. */
const MOVE_ALL = '--compact-on-every-full-gc';
const MOVE_AS_NEEDED = '--no-compact-on-every-full-gc';
/** Length and size of one array that overwrites new space. */
const ARRAY_LENGTH = 1_000;
const ARRAY_BYTES = 8 * ARRAY_LENGTH;

/** A {@link CallMeter} that also sets the flags of V8, and erases or collects garbage, when Mounts begin and end. */
export interface HeapKeeper {
  readonly meter: CallMeter;
  /**
   * Sets the flags. `serve` calls this when everything is loaded: if the flags were on the command line, V8 would
   * refuse all cached code, that of Node's own modules included, and the start would take twice as long.
   * `trim` returns memory that is not of V8's heap to the system; it is called after each collection.
   */
  begin(trim: () => void): void;
  /** Erases what caches have dropped. During Mounts, and just after them, it leaves this to the rest that follows. */
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
  /** True while the space for new objects may become larger: never under a low memory limit, or in a large process. */
  readonly mayGrow: () => boolean;
  /** Collects all garbage of the heap, and returns when that is done. */
  readonly collect: () => void;
  /** Steps that collect all garbage, and leave no text of it in the memory of the heap. The calls are apart in time. */
  readonly erasure: readonly (() => void)[];
}

/** The real engine. `limitBytes`: see `memoryBudgetBytes`. V8 gives its collector only to contexts made while the flag is set. */
export function v8Engine(limitBytes: number): Engine {
  let gc: ((options?: typeof RETURN_PAGES) => void) | undefined;
  const collect = (options?: typeof RETURN_PAGES) => {
    if (gc === undefined) {
      setFlagsFromString('--expose-gc');
      gc = runInNewContext('gc') as (options?: typeof RETURN_PAGES) => void;
      setFlagsFromString('--no-expose-gc');
    }
    // V8 12 collects the new objects only if it is given undefined.
    if (options === undefined) gc();
    else gc(options);
  };
  const move = () => {
    if (!hasRoomToMove(limitBytes)) return;
    setFlagsFromString(MOVE_ALL);
    collect();
    setFlagsFromString(MOVE_AS_NEEDED);
  };
  return {
    setFlag: setFlagsFromString,
    mayGrow: () =>
      !isLowLimit(limitBytes) && newSpaceBytes() < NEW_SPACE_BYTES && !isLarge(anonymousBytes(), limitBytes),
    collect: () => collect(),
    erasure: ZEROES ? [() => collect(RETURN_PAGES), overwriteNewSpace] : [collect, collect, move, overwriteNewSpace],
  };
}

/** Returns true if what is in use may be there twice, until V8 has moved it. */
function hasRoomToMove(limitBytes: number): boolean {
  const bytes = anonymousBytes() + getHeapStatistics().total_heap_size;
  return !isNearLimit(bytes, limitBytes);
}

function newSpaceBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
}

/** Overwrites the two halves of the space for new objects: V8 leaves in each what it has moved to the other. */
function overwriteNewSpace(): void {
  const arrays = (2 * newSpaceBytes()) / ARRAY_BYTES;
  // The compiler could leave out arrays that nothing reads.
  const newest: { array?: number[] } = {};
  for (let made = 0; made < arrays; made++) newest.array = new Array(ARRAY_LENGTH).fill(newest.array?.at(0) ?? 0);
}

/** Begins and ends the growth of the space for new objects. It also ends by itself when that may not grow any more. */
function newSpaceOf({ setFlag, mayGrow }: Engine) {
  let growing: NodeJS.Timeout | undefined;
  const stay = () => {
    if (growing === undefined) return;
    clearInterval(growing);
    growing = undefined;
    setFlag(STAYS);
  };
  const grow = () => {
    if (growing !== undefined || !mayGrow()) return;
    setFlag(GROWS);
    growing = setInterval(() => mayGrow() || stay(), LOOK_MS).unref();
  };
  return { grow, stay };
}

/** Keeps the heap of a server small. `meter` gets every call. */
export function keepHeapSmall(meter: CallMeter, engine: Engine): HeapKeeper {
  const { setFlag, collect, erasure } = engine;
  const { grow, stay } = newSpaceOf(engine);
  let trim = () => {};
  let begun = false;
  let mounts = 0;
  /** True from the beginning of a rest to the next Mount. */
  let rests = false;
  let timer: NodeJS.Timeout | undefined;
  let planned: NodeJS.Immediate | undefined;
  const erase = (step = 0) => {
    timer = undefined;
    erasure[step]?.();
    trim();
    if (step + 1 < erasure.length) timer = setTimeout(() => erase(step + 1), STEP_MS).unref();
  };
  const rest = () => {
    rests = true;
    stay();
    setFlag(SMALL);
    // Mounts leave the credentials of their requests, and values that no cache holds.
    erase();
  };
  const planRest = () => {
    timer = setTimeout(rest, REST_MS).unref();
  };
  const isMount = (method: string) => method === MOUNT_METHOD;
  return {
    meter: {
      callStarted(method) {
        meter.callStarted(method);
        if (!isMount(method) || mounts++ > 0 || !begun) return;
        if (rests) setFlag(WHILE_BUSY);
        rests = false;
        clearTimeout(timer);
        timer = undefined;
        grow();
      },
      callEnded(end) {
        meter.callEnded(end);
        if (!isMount(end.method) || --mounts > 0 || !begun) return;
        planRest();
      },
    },
    begin(trimNow) {
      begun = true;
      trim = trimNow;
      for (const flag of FLAGS) setFlag(flag);
      // Mounts may have begun and ended before.
      if (mounts === 0) planRest();
      else grow();
    },
    dropped() {
      if (!rests) return;
      clearTimeout(timer);
      erase();
    },
    discarded() {
      if (!begun) return;
      planned ??= setImmediate(() => {
        planned = undefined;
        collect();
        trim();
      });
    },
    large() {
      if (begun) setFlag(SMALL);
    },
    close() {
      clearTimeout(timer);
      clearImmediate(planned);
      stay();
    },
  };
}
