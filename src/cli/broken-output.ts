/**
 * Ends a command whose output cannot be written. `main.ts` calls it before the first line, for every command; a running
 * `serve` takes its output over, see `log-output.ts`.
 */

import { messageOf } from '../base/errors.ts';
import { endProcess } from './process-end.ts';

/** Exit code where the reader went away, as a shell shows it for SIGPIPE. */
const READER_GONE = 141;

/**
 * From now on the process ends where standard output or standard error cannot be written: quietly with 141 where the
 * reader went away, else with 1 and one line on standard error. Returns what leaves such errors to other listeners.
 */
export function endWhereOutputBreaks(): () => void {
  const streams = [process.stdout, process.stderr] as const;
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') endProcess(READER_GONE);
    // If standard error has failed, this line fails too, and nothing is printed.
    for (const stream of streams) stream.off('error', onError).on('error', () => {});
    process.stderr.write(`akv-csi: cannot write the output: ${messageOf(error)}\n`, () => endProcess(1));
  };
  for (const stream of streams) stream.on('error', onError);
  return () => {
    for (const stream of streams) stream.off('error', onError);
  };
}
