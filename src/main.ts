/**
 * The entry of the program. Runs `serve`, `webhook` and `watch` with as little code loaded as possible, and every other
 * command by `program.ts`.
 * Ends the process with the exit code of the command.
 */

import { basename } from 'node:path';
import { messageOf } from './base/errors.ts';
import { endWhenOutputFails } from './cli/broken-output.ts';
import { exitCodeFor, processIo } from './cli/io.ts';
import { holdSignals, listenForSignals } from './cli/signals.ts';
import { writeStartError } from './cli/start-error.ts';
import { outputWritten } from './cli/written-output.ts';

/** The time that the last log lines of these commands wait for their reader, in milliseconds; others have no limit. */
const LAST_LINES_MS = 500;

/** The names under which kubectl runs the program, for `kubectl akv` and for the completion of its words. */
const PLUGIN: Readonly<Record<string, readonly string[]>> = {
  'kubectl-akv': ['kubectl'],
  'kubectl_complete-akv': ['kubectl', '__complete'],
};

const [, script = '', ...given] = process.argv;
const words = [...(PLUGIN[basename(script, '.js')] ?? []), ...given];
const [command, ...args] = words;
const takeOutput = endWhenOutputFails();
const isServer = command === 'serve' || command === 'webhook';

async function main(): Promise<void> {
  if (command === 'watch') {
    const signals = holdSignals();
    const { runWatch } = await import('./cli/watch.ts');
    process.exitCode = await runWatch(args, processIo, { signals, takeOutput });
    return;
  }
  if (!isServer) {
    const { runProgram } = await import('./cli/program.ts');
    return runProgram(words);
  }
  const signals = listenForSignals();
  const run =
    command === 'serve' ? (await import('./cli/serve.ts')).runServe : (await import('./cli/webhook.ts')).runWebhook;
  process.exitCode = await run(args, processIo, { signals, takeOutput });
}

void main()
  .catch((error: unknown) => {
    if (isServer) writeStartError('Cannot serve', error, { args, stderr: processIo.stderr });
    else process.stderr.write(`akv-csi: ${messageOf(error)}\n`);
    process.exitCode = exitCodeFor(error);
  })
  .then(() => outputWritten(isServer || command === 'watch' ? LAST_LINES_MS : undefined))
  .finally(() => process.exit(Number(process.exitCode ?? 0)));
