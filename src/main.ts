import { setFlagsFromString } from 'node:v8';
import { messageOf, ProviderError } from './base/errors.ts';
import { processIo } from './cli/io.ts';

/** By then `serve` has loaded what it needs to answer. */
const STARTED_MS = 1000;

const [command, ...args] = process.argv.slice(2);

async function main(): Promise<void> {
  if (command !== 'serve') {
    const { runProgram } = await import('./cli/program.ts');
    return runProgram(process.argv.slice(2));
  }
  const { runServe } = await import('./cli/serve.ts');
  setTimeout(keepHeapSmall, STARTED_MS).unref();
  process.exitCode = await runServe(args, processIo);
}

/**
 * Keeps the memory of a busy node's provider a third smaller, as `node --optimize-for-size` does. On the command line the
 * flag would make V8 refuse all code it has cached, that of Node's own modules too, and the start take twice the time.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--semi-space-growth-factor=1');
}

main().catch((error: unknown) => {
  process.stderr.write(`akv-csi: ${messageOf(error)}\n`);
  process.exitCode = error instanceof ProviderError && error.code === 'ERR_USAGE' ? 2 : 1;
});
