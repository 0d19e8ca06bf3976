/**
 * Finds processes in /proc and sends them signals. `steps.ts` calls it. Refuses a signal that would end a process
 * which does not handle it.
 */

import { open, opendir, readlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { ProviderError, systemCodeOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';

/** A process that is to get a signal. */
export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  readonly name: string;
  /** The signals that the process handles, one bit each, from 1; undefined if the system does not tell. */
  readonly handled: bigint | undefined;
}

/** Limits of a search: processes, and bytes of one file. */
const MAX_PROCESSES = 4_096;
const MAX_BYTES = 8_192;
/** The kernel keeps this many characters of a name. */
const NAME_LENGTH = 15;
const MAX_NAMES_SHOWN = 10;
/** Signals that a caller sends to end a process. */
const ENDING: readonly string[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGABRT'];

/**
 * Sends a signal to the processes of a name. Of a process and its children of the same name, such as the workers of nginx,
 * only the parent gets it. Returns the processes.
 * Throws: ERR_SETUP if there is none, if one may not be signalled, or if the signal would end one.
 */
export async function signalByName(
  name: string,
  signal: NodeJS.Signals,
  proc = '/proc',
): Promise<readonly FoundProcess[]> {
  const { found, others } = await findProcesses(name, proc);
  if (found.length === 0) throw new ProviderError('ERR_SETUP', noProcess(name, others));
  const pids = new Set(found.map(({ pid }) => pid));
  const tops = found.filter(({ parent }) => !pids.has(parent));
  for (const process of tops) requireHandled(process, signal);
  for (const process of tops) sendSignal(process, signal);
  return tops;
}

/**
 * Sends a signal to one process. Returns it.
 * Throws: ERR_SETUP if it has ended, if it may not be signalled, or if the signal would end it.
 */
export async function signalByPid(pid: number, signal: NodeJS.Signals): Promise<FoundProcess> {
  const found = (await readProcess(`/proc/${pid}`, pid))?.process;
  if (found === undefined) throw new ProviderError('ERR_SETUP', `the process ${pid} has ended`);
  requireHandled(found, signal);
  sendSignal(found, signal);
  return found;
}

/**
 * Returns the processes of a name, and the names of others. A process has the name if the kernel calls it so, or if its
 * program or the first word of its command line ends in it. A name with `/` is a whole path. This process is left out.
 */
export async function findProcesses(
  name: string,
  proc = '/proc',
): Promise<{ readonly found: readonly FoundProcess[]; readonly others: readonly string[] }> {
  const found: FoundProcess[] = [];
  const others = new Set<string>();
  let left = MAX_PROCESSES;
  for await (const { name: entry } of await opendir(proc)) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    if (left-- === 0) break;
    const one = await readProcess(`${proc}/${entry}`, Number(entry));
    if (one === undefined) continue;
    if (one.names.includes(name) || one.process.name === name.slice(0, NAME_LENGTH)) found.push(one.process);
    else if (one.hasProgram && others.size < MAX_NAMES_SHOWN) others.add(one.process.name);
  }
  return { found, others: [...others].sort() };
}

/** Throws: ERR_SETUP if the process would not handle the signal, and the caller does not want to end it. */
export function requireHandled({ name, pid, handled }: FoundProcess, signal: NodeJS.Signals): void {
  if (handled === undefined || ENDING.includes(signal)) return;
  if ((handled >> BigInt(constants.signals[signal] - 1)) & 1n) return;
  throw new ProviderError(
    'ERR_SETUP',
    `${name} (process ${pid}) does not handle ${signal}, which would end it or do nothing: it was not sent. ` +
      'The process may just be starting; otherwise use a signal that makes it reload, or --signal TERM to restart it',
  );
}

/** Sends a signal. Throws: ERR_SETUP if it is not permitted, or if the process has ended. */
export function sendSignal(
  { name, pid, uid }: Pick<FoundProcess, 'name' | 'pid' | 'uid'>,
  signal: NodeJS.Signals,
): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const code = systemCodeOf(error);
    const reason =
      code === 'EPERM'
        ? `user ${process.getuid?.()} may not signal a process of user ${uid}: set securityContext.runAsUser of the ` +
          `container of akv-csi watch to ${uid}, or run it as user 0 with the capability KILL`
        : 'the process has ended';
    throw new ProviderError('ERR_SETUP', `cannot send ${signal} to ${name} (process ${pid}): ${reason}`, {
      cause: error,
    });
  }
}

function noProcess(name: string, others: readonly string[]): string {
  const start = `there is no process "${printable(name)}"`;
  if (others.length === 0) {
    return `${start}, and no other one that this container can see: set shareProcessNamespace: true in the pod`;
  }
  return `${start}; this container sees: ${others.map(printable).join(', ')}`;
}

async function readProcess(directory: string, pid: number) {
  const status = await head(`${directory}/status`);
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const name = field('Name');
  // A process without a name has ended, and Z has no memory any more.
  if (name === '' || field('State').startsWith('Z')) return undefined;
  const program = (await head(`${directory}/cmdline`)).split('\0', 1)[0] ?? '';
  const file = await readlink(`${directory}/exe`).catch(() => '');
  const mask = field('SigCgt');
  const found: FoundProcess = {
    pid,
    name,
    parent: Number(field('PPid')),
    uid: Number(field('Uid').split('\t')[0] ?? 0),
    handled: /^[0-9a-f]+$/.test(mask) ? BigInt(`0x${mask}`) : undefined,
  };
  // A thread of the kernel has no program.
  return {
    process: found,
    names: [name, program, basename(program), file, basename(file)],
    hasProgram: program !== '',
  };
}

/** Returns the first bytes of a file; empty if it cannot be read. */
async function head(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}
