/**
 * Adds the emulator's host names to a hosts file and removes them. `akv-csi emulator` and the benchmark call it.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { systemCodeOf } from '../../base/errors.ts';

const MARK = /\s# akv-csi emulator (\d+)$/;

/**
 * Adds lines, marked with the id of this process, to a hosts file. Removes the lines of emulators that ended without
 * cleaning up. The file is rewritten in place, because in a container it is a mount that cannot be replaced.
 */
export function addHostsLines(path: string, lines: readonly string[]): void {
  const kept = unmarked(path, (pid) => pid !== process.pid && isAlive(pid));
  write(path, [...kept, ...lines.map((line) => `${line} # akv-csi emulator ${process.pid}`)]);
}

/** Removes the lines of this process from a hosts file. */
export function removeHostsLines(path: string): void {
  write(
    path,
    unmarked(path, (pid) => pid !== process.pid),
  );
}

function unmarked(path: string, keep: (pid: number) => boolean): string[] {
  const lines = readFileSync(path, 'utf8').replace(/\n$/, '').split('\n');
  return lines.filter((line) => {
    const [, pid] = MARK.exec(line) ?? [];
    return pid === undefined || keep(Number(pid));
  });
}

function write(path: string, lines: readonly string[]): void {
  writeFileSync(path, `${lines.join('\n')}\n`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}
