/**
 * The signals of `serve`. `main.ts` listens before it loads the rest of the program, so that a signal during the start
 * is not lost: the kernel spares process 1 of a container every signal that nobody listens to.
 */

import { constants } from 'node:os';
import { endProcess } from './process-end.ts';

/**
 * These end the provider, calls under way first: whoever stops it, closes its terminal or asks for a core dump, which
 * would hold secrets.
 */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/**
 * These do nothing: SIGUSR1 would open Node's inspector, which runs code for whoever connects, and SIGUSR2 would end
 * the process at once.
 */
const IGNORED = ['SIGUSR1', 'SIGUSR2'] as const;

/** Told of the signals that end a process. */
export interface StopSignals {
  /** Resolves with the first. */
  readonly first: Promise<NodeJS.Signals>;
  /** True if there was one. */
  received(): boolean;
  /** Calls back for each further one, with the exit code of a process that it ended. */
  onFurther(end: (exitCode: number) => void): void;
}

/** Listens from now on. */
export function listenForSignals(): StopSignals {
  let received = false;
  let endAtOnce = endProcess;
  const first = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of STOPPING) {
      process.on(signal, () => {
        if (received) endAtOnce(128 + constants.signals[signal]);
        received = true;
        resolve(signal);
      });
    }
  });
  for (const signal of IGNORED) process.on(signal, () => {});
  return {
    first,
    received: () => received,
    onFurther(end) {
      endAtOnce = end;
    },
  };
}
