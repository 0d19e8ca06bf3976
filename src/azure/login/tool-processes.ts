/**
 * Ends the tools of a login that gave no token, such as an `az` that hangs, with all processes that they have started. The SDK
 * calls a tool by a shell, and its time limit ends the shell only. `developer-credentials.ts` runs logins in it. Processes are
 * found by a variable of their environment, since those whose parent has ended have no other trace of it; without `/proc`,
 * none is.
 */

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** The variable, and the value that this process gives it. */
const NAME = 'AKV_CSI_LOGIN';
const VALUE = randomUUID();
/** A process may start another one while the list is read. */
const MAX_PASSES = 10;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let running = 0;
let hasFailed = false;

/**
 * Runs a login. When one has failed, and no other one runs, the processes that are left are killed; also before this process
 * ends by a signal. Those of a login that succeeded may go on: tools send their statistics in the background.
 */
export async function endingTools<T>(login: () => Promise<T>): Promise<T> {
  if (running++ === 0) begin();
  try {
    return await login();
  } catch (error) {
    hasFailed = true;
    throw error;
  } finally {
    if (--running === 0) end();
  }
}

function begin(): void {
  hasFailed = false;
  process.env[NAME] = VALUE;
  for (const signal of SIGNALS) process.on(signal, stopped);
}

function end(): void {
  delete process.env[NAME];
  for (const signal of SIGNALS) process.off(signal, stopped);
  if (hasFailed) killTools();
}

function stopped(signal: NodeJS.Signals): void {
  for (const one of SIGNALS) process.off(one, stopped);
  killTools();
  // Without its listener, the signal ends this process.
  process.kill(process.pid, signal);
}

function killTools(): void {
  for (let pass = 0, found = 1; pass < MAX_PASSES && found > 0; pass++) found = toolsNow().filter(kill).length;
}

function toolsNow(): readonly number[] {
  try {
    return readdirSync('/proc').filter(isTool).map(Number);
  } catch {
    return [];
  }
}

function isTool(pid: string): boolean {
  if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${NAME}=${VALUE}`);
  } catch {
    // It belongs to another user, or has ended.
    return false;
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
