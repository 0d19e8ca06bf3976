import { messageOf, ProviderError } from './base/errors.ts';
import { processIo } from './cli/io.ts';

const [command, ...args] = process.argv.slice(2);

async function main(): Promise<void> {
  if (command !== 'serve') {
    const { runProgram } = await import('./cli/program.ts');
    return runProgram(process.argv.slice(2));
  }
  const { runServe } = await import('./cli/serve.ts');
  process.exitCode = await runServe(args, processIo);
}

main().catch((error: unknown) => {
  process.stderr.write(`akv-csi: ${messageOf(error)}\n`);
  process.exitCode = error instanceof ProviderError && error.code === 'ERR_USAGE' ? 2 : 1;
});
