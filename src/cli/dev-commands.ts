/**
 * Runs `emulator` and `demo`. `program.ts` loads it on demand; the image leaves it out.
 */

import type { Command } from 'commander';
import { messageOf } from '../base/errors.ts';
import { demoCommand } from './demo.ts';
import { emulatorCommand } from './emulator.ts';
import { exitCodeFor } from './io.ts';
import { runCommand } from './run-command.ts';

/** Returns the commands `emulator` and `demo`. */
export function labCommands(): readonly Command[] {
  return [emulatorCommand(), demoCommand()];
}

/**
 * Runs `emulator` or `demo`. It handles their errors itself, because `lab.js` has its own copies of the error classes,
 * which the program does not recognise.
 */
export async function runLab(name: 'emulator' | 'demo', args: readonly string[]): Promise<void> {
  const command: Command = name === 'emulator' ? emulatorCommand() : demoCommand();
  command.name(`akv-csi ${name}`);
  try {
    await runCommand(command, args);
  } catch (error) {
    process.exitCode = exitCodeFor(error);
    process.stderr.write(`akv-csi: ${messageOf(error)}\n`);
  }
}
