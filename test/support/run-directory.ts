/**
 * Gives a run of the tests one directory for all its temporary files, by which its processes are found too. Called by
 * vitest.config.ts. At its end a run removes what it left; the next run does so for a run that was killed.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = /^akv-test-(\d+)-(\d+)$/;

/** Makes the directory the temporary directory of this process and of the processes that it starts. */
export function enterRunDirectory(): void {
  const parent = tmpdir();
  // The configuration is read more than once.
  if (NAME.test(parent.split('/').at(-1) ?? '')) return;
  removeDeadRuns(parent);
  const directory = join(parent, runName(process.pid));
  mkdirSync(directory, { mode: 0o700 });
  process.env.TMPDIR = directory;
  process.once('exit', () => removeRun(directory));
}

/** Ends the processes and removes the directories of runs whose main process has ended. */
export function removeDeadRuns(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (!Number.isNaN(pid) && name !== runName(pid)) removeRun(join(parent, name));
  }
}

/** Returns the name for the process: its ID, and its start in ticks since boot, since IDs are used again. */
export function runName(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may hold blanks. The start is the twentieth field after it.
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return `akv-test-${pid}-${start}`;
}

function removeRun(directory: string): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    if (`${read(`/proc/${name}/cmdline`)}\0${read(`/proc/${name}/environ`)}`.includes(directory)) kill(Number(name));
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, or belongs to another user.
  }
}

/** Returns the text of a file of /proc, or nothing if the process has ended or belongs to another user. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
