/**
 * Runs the shell blocks of a document as a reader pastes them into one shell. The programs of a cluster and of Azure are
 * stand-ins that write down how they were called; `akv-csi` is the built program.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtProgram } from './e2e.ts';

const STAND_INS = ['az', 'curl', 'docker', 'helm', 'kubectl', 'npm'];

/** How a page ran. */
export interface PastedPage {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The calls of the stand-ins: name and arguments, one a line. */
  readonly calls: readonly string[];
}

/**
 * Runs blocks in one shell, which ends at the first failure and at a variable that is not set. `answers` maps a part of a
 * call to what the stand-in prints.
 */
export function paste(
  blocks: readonly string[],
  { directory, answers = {} }: { readonly directory: string; readonly answers?: Readonly<Record<string, string>> },
): PastedPage {
  const bin = join(directory, 'bin');
  const log = join(directory, 'calls');
  mkdirSync(bin, { recursive: true });
  const cases = Object.entries(answers).map(([part, text]) => `*'${part}'*) echo '${text}' ;;`);
  const standIn = `#!/bin/sh\necho "\${0##*/} $*" >>'${log}'\ncase "$*" in ${cases.join(' ')} esac\n`;
  for (const name of STAND_INS) writeFileSync(join(bin, name), standIn, { mode: 0o755 });
  const program = `#!/bin/sh\nexec '${process.execPath}' '${builtProgram()}' "$@"\n`;
  writeFileSync(join(bin, 'akv-csi'), program, { mode: 0o755 });
  writeFileSync(log, '');
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', blocks.join('\n')], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: `${bin}:${process.env.PATH}` },
  });
  return { status, stdout, stderr, calls: readFileSync(log, 'utf8').trim().split('\n') };
}
