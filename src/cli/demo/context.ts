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

/** Where something is played that must leave nothing behind, however it ends. */
export interface DemoContext {
  /** A directory of its own, with a short path; gone at the end. */
  readonly directory: string;
  /** Aborts when the play cannot go on; the reason says why. */
  readonly signal: AbortSignal;
  /** Ends the play early; the first reason counts. */
  fail(reason: unknown): void;
  /** Has something undone at the end, the last first; at once where the end is over. */
  defer(undo: () => void | Promise<void>): void;
  close(): Promise<void>;
}

/** Makes the directory. Throws: ERR_USAGE where that is not possible. */
export async function openDemoContext(): Promise<DemoContext> {
  const directory = await makeDirectory();
  // For an end by an exception that nobody caught, or by a reader of our output who went away.
  const lastResort = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', lastResort);
  const controller = new AbortController();
  const undos: (() => void | Promise<void>)[] = [];
  let closed = false;
  const undo = async (step: () => void | Promise<void>) => {
    try {
      await step();
    } catch {
      // What is left must be undone all the same.
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
