/**
 * Completes words of `kubectl akv` in a shell: kubectl runs `kubectl_complete-akv` with the words so far, and reads one
 * candidate a line and the directive of its shell scripts. `kubectl.ts` adds it. What fails gives no candidates.
 */

import { Command } from 'commander';
import { printable } from '../../base/printable.ts';
import { textAt } from '../../kubectl/objects.ts';
import { type Io, processIo } from '../io.ts';
import { type ClusterOptions, openCluster } from './cluster-options.ts';

/** Tells the shell not to complete files. */
const NO_FILES = ':4';
const MAX_PODS = 500;
/** A person waits for it: for a request, and for a login plugin. */
const TIMEOUT_MS = 2_000;

/** Makes the command that kubectl calls. It is not in the help. */
export function completeCommand(program: Command): Command {
  return new Command('__complete')
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) => complete(words, program, processIo));
}

/** Prints the candidates for the last word. */
export async function complete(words: readonly string[], program: Command, io: Io): Promise<void> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const command = program.commands.find((one) => one.name() === before[0]);
  const all = command === undefined ? commandsOf(program) : await candidatesFor(command, { before, last }, io);
  for (const one of all.filter((candidate) => candidate.startsWith(last))) io.stdout(`${printable(one)}\n`);
  io.stdout(`${NO_FILES}\n`);
}

function commandsOf(program: Command): readonly string[] {
  return program.commands.map((one) => one.name()).filter((name) => !name.startsWith('_'));
}

async function candidatesFor(
  command: Command,
  { before, last }: { readonly before: readonly string[]; readonly last: string },
  io: Io,
): Promise<readonly string[]> {
  const previous = before.at(-1) ?? '';
  const option = command.options.find(({ long, short }) => previous === long || previous === short);
  if (option?.required) return option.argChoices ?? [];
  if (last.startsWith('-')) return command.options.map(({ long }) => long ?? '');
  return command.name() === 'why' ? podsOf(command, before.slice(1), io) : [];
}

/** Returns the pods of the cluster and the namespace that the words choose, if they name no pod yet. */
async function podsOf(command: Command, words: readonly string[], io: Io): Promise<readonly string[]> {
  try {
    const { operands } = command
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseOptions([...words]);
    if (operands.length > 0) return [];
    const options = { ...command.opts<ClusterOptions>(), requestTimeout: `${TIMEOUT_MS}ms` };
    const api = await openCluster(options, { ...io, stderr: () => {} }, { loginMs: TIMEOUT_MS });
    const path = `/api/v1/namespaces/${api.access.namespace}/pods`;
    const { items } = await api.list(path, { max: MAX_PODS });
    return items.map((pod) => textAt(pod, 'metadata', 'name'));
  } catch {
    return [];
  }
}
