/**
 * The command `demo`: runs the demo and removes what it made. `dev-commands.ts` runs it.
 */

import { constants } from 'node:os';
import { Command, Option } from 'commander';
import { abortable } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import { type DemoContext, openDemoContext } from './demo/context.ts';
import { EXAMPLE_SEED } from './demo/fixtures.ts';
import { runSteps } from './demo/run.ts';
import { createScreen, type Screen, wantsColour } from './demo/screen.ts';
import { exitCodeOf, type Io, processIo, readInput } from './io.ts';

/** The arguments of `demo`. */
export interface DemoCommandOptions {
  readonly keep?: boolean;
  readonly seed?: string;
  readonly broker?: 'mosquitto' | 'aedes';
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const HELP = `
Example: akv-csi demo --keep

Exit codes: 0 all steps succeeded, 1 a step failed and is named, 2 wrong command line.`;

/** Makes the command `akv-csi demo`: on the emulator, broker resources become files that an MQTT broker starts with. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'run an example on the emulator, from broker resources to a running broker; needs no network and no root',
    )
    .option('--keep', 'leave everything running until Ctrl-C, and print commands that use it')
    .option(
      '--seed <file>',
      'YAML with the state of the emulator (default: examples/emulator-seed.yaml of this project)',
    )
    .addOption(
      new Option(
        '--broker <broker>',
        'the MQTT broker (default: mosquitto where it is installed, aedes otherwise)',
      ).choices(['mosquitto', 'aedes']),
    )
    .addHelpText('after', HELP)
    .action(async (options: DemoCommandOptions) => {
      process.exitCode = await runDemo(options, processIo);
    });
}

/**
 * Runs the demo and then stops and removes everything. Returns the exit code: 0, 1 if a step failed, 2 for a seed that
 * cannot be read, 128 plus the number of the signal that interrupted it.
 */
function runDemo({ keep = false, seed, broker }: DemoCommandOptions, io: Io): Promise<number> {
  return exitCodeOf(io, async () => {
    const state = seed === undefined ? EXAMPLE_SEED : (await readInput(seed, io)).text;
    const screen = createScreen(io.stdout, { colour: wantsColour(process.stdout, io.env) });
    let context: DemoContext | undefined;
    let stopListening = () => {};
    try {
      context = await openDemoContext();
      stopListening = listenForTheEnd(context);
      await abortable(runSteps({ screen, context, seed: state, keep, broker }), context.signal);
      if (keep) await interruption(context.signal);
      return 0;
    } catch (error) {
      return report(error, screen);
    } finally {
      await context?.close();
      stopListening();
    }
  });
}

/** The error of a demo that a signal has interrupted. */
class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Ends the demo through its context when a signal comes. */
function listenForTheEnd(context: DemoContext): () => void {
  const handlers = SIGNALS.map((signal) => ({ signal, handler: () => context.fail(new Interruption(signal)) }));
  for (const { signal, handler } of handlers) process.on(signal, handler);
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}

/** Resolves when a signal comes; rejects if a part of the demo fails first. */
async function interruption(signal: AbortSignal): Promise<void> {
  try {
    await abortable(new Promise<never>(() => {}), signal);
  } catch (reason) {
    if (!(reason instanceof Interruption)) throw reason;
  }
}

function report(error: unknown, screen: Screen): number {
  const where = screen.current === '' ? '' : `at "${screen.current}": `;
  screen.failure(`${where}${messageOf(error)}`);
  return error instanceof Interruption ? error.exitCode : 1;
}
