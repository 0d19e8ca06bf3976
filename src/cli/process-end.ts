/**
 * The end of the process, for every command. It never waits for the event loop to run empty, nor for a name server.
 * Refuses nothing: whatever is still under way is cut.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Ends the process with an exit code. The listeners of `exit` run, whichever way it goes.
 *
 * `process.exit` joins the threads that wait for a name server, which may take a minute. Where there is one, the
 * process is replaced by a Node that exits with the code (Node 22.15 and later). Older ones end themselves by SIGTERM,
 * which the caller sees as 143; as process 1 of a container, whom the kernel spares its own signals, they have to wait.
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
  // Even the empty text fails where a disk is full, so nothing is written to a stream that has nothing to write.
  const waiting = [process.stdout, process.stderr].filter(({ writableLength }) => writableLength > 0);
  const written = waiting.map((stream) => new Promise<void>((resolve) => void stream.write('', () => resolve())));
  const late = limitMs === undefined ? [] : [setTimeout(limitMs)];
  await Promise.race([Promise.all(written), ...late]);
}
