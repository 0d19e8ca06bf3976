/**
 * Listens for the signals of `serve` and `watch`. `main.ts` calls it before it loads the rest of the program, so that a signal
 * during the start is not lost: the kernel drops a signal to process 1 of a container if the process does not listen
 * for it.
 */

import { constants } from 'node:os';

/**
 * Signals that end the provider after its running calls. SIGQUIT is one of them because its default is a core dump,
 * which would hold secrets.
 */
const STOPPING = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
/**
 * Signals that do nothing. By default, SIGUSR1 opens Node's inspector, which runs code for any caller, and SIGUSR2 ends
 * the process at once.
 */
const IGNORED = ['SIGUSR1', 'SIGUSR2'] as const;

/** The signals that have told this process to end. */
export interface StopSignals {
  /** Resolves with the first signal. */
  readonly first: Promise<NodeJS.Signals>;
  /** True if there was a signal. */
  received(): boolean;
  /** Calls `end` for each further signal, with the exit code of a process that the signal ended. */
  onFurther(end: (exitCode: number) => void): void;
}

/** Starts to listen for signals. */
export function listenForSignals(): StopSignals {
  let received = false;
  let endAtOnce: (code: number) => void = (code) => process.exit(code);
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

/** The signals that {@link holdSignals} takes. */
const HELD = [...STOPPING, ...IGNORED, 'SIGWINCH', 'SIGCONT'] as const;

/** Signals that were sent to this process. */
export interface HeldSignals {
  /** Calls the handler for each signal: those so far, and each later one. */
  onEach(handler: (signal: NodeJS.Signals) => void): void;
}

/** Takes all signals from now on, for a command that passes them on. */
export function holdSignals(): HeldSignals {
  const held: NodeJS.Signals[] = [];
  let handle = (signal: NodeJS.Signals): void => {
    held.push(signal);
  };
  for (const signal of HELD) process.on(signal, () => handle(signal));
  return {
    onEach(handler) {
      handle = handler;
      for (const signal of held.splice(0)) handler(signal);
    },
  };
}
