import type { Command } from 'commander';
import { demoCommand } from './demo.ts';
import { emulatorCommand } from './emulator.ts';

/** Runs `emulator` or `demo`: what a node needs none of, kept in a file of its own beside the program. */
export async function runLab(name: 'emulator' | 'demo', args: readonly string[]): Promise<void> {
  const command: Command = name === 'emulator' ? emulatorCommand() : demoCommand();
  command.name(`akv-csi ${name}`);
  await command.parseAsync([...args], { from: 'user' });
}
