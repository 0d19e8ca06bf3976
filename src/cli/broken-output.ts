/**
 * Ends a command whose output cannot be written. `main.ts` calls it for every command, before any output. A running
 * `serve` handles its output itself, see `log-output.ts`.
 */

import { messageOf } from '../base/errors.ts';

/** Exit code if the reader closed the output; a shell shows the same code for SIGPIPE. */
const READER_GONE = 141;

/**
 * Ends the process when standard output or standard error cannot be written: with 141 and no message if the reader
 * closed it, else with 1 and one line on standard error. Returns a function that removes this handler.
 */
export function endWhenOutputFails(): () => void {
  const streams = [process.stdout, process.stderr] as const;
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(READER_GONE);
    // If standard error has failed, this line fails too, and nothing is printed.
    for (const stream of streams) stream.off('error', onError).on('error', () => {});
    process.stderr.write(`akv-csi: cannot write the output: ${messageOf(error)}\n`, () => process.exit(1));
  };
  for (const stream of streams) stream.on('error', onError);
  return () => {
    for (const stream of streams) stream.off('error', onError);
  };
}
