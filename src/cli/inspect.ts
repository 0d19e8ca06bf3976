import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { messageOf, ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { readBundle } from '../pki/bundle.ts';
import { formatInspection } from '../pki/format-inspection.ts';
import { inspectBundle } from '../pki/inspect.ts';
import { exitCodeOf, type Io, processIo } from './io.ts';

/** What `inspect` is asked for. */
export interface InspectCommandOptions {
  readonly json?: boolean;
  readonly passwordFile?: string;
}

/** `akv-csi inspect FILE|-`: what is inside a PFX, PEM or DER, and what the provider would write of it. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show what is inside a PFX, PEM or DER file, and what the provider would write of it')
    .argument('<file>', 'the file; - is stdin')
    .option('--json', 'print it as JSON')
    .option('--password-file <file>', 'file with the password of a PFX or an encrypted key')
    .action(async (file: string, options: InspectCommandOptions) => {
      process.exitCode = await runInspect(file, options, processIo);
    });
}

/** Reads the file and prints what is inside; never a key's value. Returns the exit code. */
export function runInspect(
  file: string,
  { json = false, passwordFile }: InspectCommandOptions,
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    const content = file === '-' ? await buffer(process.stdin) : await read(file);
    const password =
      passwordFile === undefined
        ? undefined
        : new Secret((await read(passwordFile)).toString('utf8').replace(/\r?\n$/, ''));
    let bundle: Awaited<ReturnType<typeof readBundle>>;
    try {
      bundle = await readBundle(content, password === undefined ? {} : { password });
    } catch (error) {
      throw new ProviderError('ERR_BAD_CONTENT', `${file === '-' ? '<stdin>' : file}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    const inspection = await inspectBundle(bundle, { now: Date.now() });
    io.stdout(json ? `${JSON.stringify(inspection, undefined, 2)}\n` : formatInspection(inspection));
    return 0;
  });
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ProviderError('ERR_USAGE', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}
