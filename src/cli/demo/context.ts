/**
 * The temporary directory of the demo and the list of things to close. `demo.ts` opens it and closes it at the end.
 * It refuses a temporary directory in which the path of a Unix socket would be too long.
 */

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, ProviderError } from '../../base/errors.ts';

/** Longest temporary directory in which the name of a socket still fits. */
const MAX_BASE_BYTES = 64;

/** Tries to remove a directory in which a process writes until it ends, 0.1 s, 0.2 s and so on after one another. */
const MAX_TRIES = 3;

/** The temporary directory and the processes of the demo, all of which are removed at its end. */
export interface DemoContext {
  /** The temporary directory of this demo. Its path is short. `close` removes it. */
  readonly directory: string;
  /** Aborts when the demo cannot go on. Its reason says why. */
  readonly signal: AbortSignal;
  /** Ends the demo early. Only the first reason is kept. */
  fail(reason: unknown): void;
  /** Registers a step that `close` runs, the last one first. After `close`, the step runs at once. */
  defer(undo: () => void | Promise<void>): void;
  /** Runs all registered steps and removes the directory. */
  close(): Promise<void>;
}

/** Makes the directory. Throws: ERR_USAGE when it cannot. */
export async function openDemoContext(): Promise<DemoContext> {
  const directory = await makeDirectory();
  // Removes the directory also after an uncaught exception or a closed output pipe.
  const lastResort = () => {
    try {
      rmSync(directory, { recursive: true, force: true, maxRetries: MAX_TRIES });
    } catch {
      // A process that is about to end still writes there. The exit code of the demo stands.
    }
  };
  process.once('exit', lastResort);
  const controller = new AbortController();
  const undos: (() => void | Promise<void>)[] = [];
  let closed = false;
  const undo = async (step: () => void | Promise<void>) => {
    try {
      await step();
    } catch {
      // The other steps must still run.
    }
  };
  return {
    directory,
    signal: controller.signal,
    fail: (reason) => controller.abort(reason),
    defer: (step) => {
      if (closed) void undo(step);
      else undos.push(step);
    },
    close: async () => {
      closed = true;
      for (let step = undos.pop(); step !== undefined; step = undos.pop()) await undo(step);
      await rm(directory, { recursive: true, force: true });
      process.off('exit', lastResort);
    },
  };
}

async function makeDirectory(): Promise<string> {
  const base = Buffer.byteLength(tmpdir()) > MAX_BASE_BYTES ? '/tmp' : tmpdir();
  try {
    return await mkdtemp(join(base, 'akv-demo-'));
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot make a temporary directory in ${base}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
