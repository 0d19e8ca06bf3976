/**
 * Writes why `serve`, `webhook` or `watch` does not start as a line of its log, before there is a log: the command line
 * cannot be read, or an option of Node is refused. `main.ts` and `watch` call it.
 */

import { messageOf } from '../base/errors.ts';
import { createLogger } from './logging.ts';

const FLAG = /^--?log-format-json(=(1|t|true))?$/i;

/** Returns true if the arguments ask for a log in JSON. They need not be right. */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? args.length : end).some((arg) => FLAG.test(arg));
}

/** Writes the line. `msg`: what is not possible. `error`: what was thrown, or its text. */
export function writeStartError(
  msg: string,
  error: unknown,
  { args, stderr }: { readonly args: readonly string[]; readonly stderr: (line: string) => void },
): void {
  const log = createLogger({ json: asksForJson(args), verbosity: 0, stdout: stderr, stderr });
  log.error(msg, { error: messageOf(error) });
}
