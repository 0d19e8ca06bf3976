import { type Command, CommanderError } from 'commander';
import { messageOf, ProviderError } from '../base/errors.ts';
import { demoCommand } from './demo.ts';
import { emulatorCommand } from './emulator.ts';

/**
 * Runs `emulator` or `demo`: what a node needs none of, kept in a file of its own beside the program. Errors end here,
 * since that file has classes of its own, of which the program knows nothing.
 */
export async function runLab(name: 'emulator' | 'demo', args: readonly string[]): Promise<void> {
  const command: Command = name === 'emulator' ? emulatorCommand() : demoCommand();
  command.name(`akv-csi ${name}`).exitOverride();
  try {
    await command.parseAsync([...args], { from: 'user' });
  } catch (error) {
    process.exitCode = exitCodeFor(error);
    // commander has said itself what it does not understand.
    if (!(error instanceof CommanderError)) process.stderr.write(`akv-csi: ${messageOf(error)}\n`);
  }
}

function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof ProviderError && error.code === 'ERR_USAGE' ? 2 : 1;
}
