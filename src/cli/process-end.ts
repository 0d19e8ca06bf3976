/**
 * Ends the process, for every command. It waits neither for an empty event loop nor for a name server. It refuses
 * nothing: work that still runs is cut off.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Ends the process with an exit code. The listeners of `exit` run in every case.
 *
 * `process.exit` joins the threads that wait for a name server, which may take a minute. If such a thread runs, the
 * process is replaced by a Node that exits with the code (Node 22.15 and later). Older versions of Node end themselves
 * by SIGTERM, which the caller sees as 143. Process 1 of a container has to wait, because the kernel does not deliver
 * its own signals to it.
 */
export function endProcess(code: number): void {
  process.exitCode = code;
  if (process.getActiveResourcesInfo().includes('GetAddrInfoReqWrap')) leaveThreads(code);
  process.exit(code);
}

function leaveThreads(code: number): void {
  process.emit('exit', code);
  process.removeAllListeners('exit');
  const replace: unknown = Reflect.get(process, 'execve');
  if (typeof replace === 'function') replace(process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, 'SIGTERM');
}

/**
 * Resolves when everything that was written to standard output and standard error has been handed to the system, or
 * after `limitMs` milliseconds.
 */
export async function outputWritten(limitMs?: number): Promise<void> {
  // A failure that occurs at once is reported in the next turn of the event loop.
  await setImmediate();
  // Even an empty write fails on a full disk, so nothing is written to a stream that has nothing left to write.
  const waiting = [process.stdout, process.stderr].filter(({ writableLength }) => writableLength > 0);
  const written = waiting.map((stream) => new Promise<void>((resolve) => void stream.write('', () => resolve())));
  const late = limitMs === undefined ? [] : [setTimeout(limitMs)];
  await Promise.race([Promise.all(written), ...late]);
}
