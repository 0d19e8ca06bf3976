/**
 * Performs the steps after each change, in order, and repeats the one that fails until it succeeds or the files change
 * again. `cli/watch.ts` calls it. Changes that come meanwhile are one change more.
 */

import { delay } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Step } from './steps.ts';
import type { Change } from './volumes.ts';

/** Options of {@link Reloader}. */
export interface ReloaderOptions {
  readonly log: Logger;
  /** How often a step that failed is repeated before the change is given up. */
  readonly retries: number;
  readonly signal: AbortSignal;
  /** Waits before a repetition; tests replace it. */
  readonly wait?: typeof delay;
}

/** The first and the longest pause before a repetition, in milliseconds. Each is twice the one before. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** The number of files of a directory that are kept while a step fails. */
const MAX_FILES = 2_000;

/** Performs the steps after each change. */
export class Reloader {
  readonly #steps: readonly Step[];
  readonly #options: ReloaderOptions;
  readonly #waiting = new Map<string, Change>();
  #newer = new AbortController();
  #running: Promise<boolean> | undefined;

  constructor(steps: readonly Step[], options: ReloaderOptions) {
    this.#steps = steps;
    this.#options = options;
  }

  /**
   * Performs the steps for these changes, or begins again with the first if they are being performed for earlier ones.
   * Resolves with true when all have succeeded, and with false if a step was given up or the signal aborted.
   */
  perform(changes: readonly Change[]): Promise<boolean> {
    for (const change of changes)
      this.#waiting.set(change.directory, merged(this.#waiting.get(change.directory), change));
    this.#newer.abort();
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<boolean> {
    const { signal } = this.#options;
    try {
      for (;;) {
        this.#newer = new AbortController();
        const succeeded = await this.#performAll([...this.#waiting.values()]).catch((error: unknown) => {
          if (!signal.aborted && !this.#newer.signal.aborted) throw error;
          return false;
        });
        if (signal.aborted) return false;
        if (this.#newer.signal.aborted) continue;
        this.#waiting.clear();
        return succeeded;
      }
    } finally {
      this.#running = undefined;
    }
  }

  async #performAll(changes: readonly Change[]): Promise<boolean> {
    const pause = AbortSignal.any([this.#options.signal, this.#newer.signal]);
    for (const step of this.#steps) {
      if (!(await this.#repeat(step, changes, pause))) return false;
      pause.throwIfAborted();
    }
    return true;
  }

  /** Performs one step until it succeeds. Returns false if it was given up. `pause` ends the pauses between two tries. */
  async #repeat(step: Step, changes: readonly Change[], pause: AbortSignal): Promise<boolean> {
    const { log, retries, signal, wait = delay } = this.#options;
    for (let failures = 0; ; ) {
      try {
        await step.perform(changes, signal);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
        const fields = { step: step.name, failures: ++failures, error: messageOf(error) };
        if (failures > retries) {
          log.error('Reload given up until the next change', fields);
          return false;
        }
        log.error('Reload failed', { ...fields, retrySeconds: pauseMs / 1000 });
        await wait(pauseMs, pause);
      }
    }
  }
}

function merged(before: Change | undefined, { directory, added, changed, removed }: Change): Change {
  const union = (one: readonly string[] = [], other: readonly string[]) =>
    [...new Set([...one, ...other])].sort().slice(0, MAX_FILES);
  return {
    directory,
    added: union(before?.added, added),
    changed: union(before?.changed, changed),
    removed: union(before?.removed, removed),
  };
}
