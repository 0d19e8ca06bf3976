/**
 * Runs a command of commander and sets the exit code of the process. Called by the program and by its development
 * commands. A command line that commander refuses ends with the exit code for a wrong command line.
 */

import { type Command, CommanderError } from 'commander';
import { WRONG_USAGE } from './io.ts';

/**
 * Runs a command. A {@link CommanderError} becomes an exit code, because commander has printed its text already.
 * Throws: the errors of the command.
 */
export async function runCommand(command: Command, args: readonly string[]): Promise<void> {
  for (const one of [command, ...command.commands]) one.exitOverride();
  try {
    await command.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
  }
}
