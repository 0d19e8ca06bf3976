/**
 * The command `inspect`: prints what a PFX, PEM or DER file contains. Never prints a key. `program.ts` adds it.
 */

import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { type BundleOptions, MAX_CONTENT_BYTES, readBundle } from '../pki/bundle.ts';
import { formatInspection } from '../pki/format-inspection.ts';
import { inspectBundle } from '../pki/inspect.ts';
import { exitCodeOf, type Io, processIo, readBytes } from './io.ts';

/** The arguments of `inspect`. */
export interface InspectCommandOptions {
  readonly json?: boolean;
  readonly passwordFile?: string;
}

/** The limit of a content and one byte more, which shows that a file is too long. */
const READ_LIMIT = { maxBytes: MAX_CONTENT_BYTES + 1 };

const HELP = `
Reads PKCS#12 (PFX), PEM, PKCS#7 and DER, also in base64, the encoding in which Key Vault returns certificates.

Example:
  az keyvault secret show --vault-name VAULT --name NAME --query value -o tsv | akv-csi inspect -

Keys are shown by their kind only.

Exit codes: 0 read, with or without warnings; 1 no key or certificate can be read from the file; 2 wrong command line
or unreadable file.`;

/**
 * Makes the command `akv-csi inspect FILE|-`. It prints the contents of a certificate file, and the possible outputs.
 */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show the contents of a PFX, PEM or DER file, and the files that the provider would make of it')
    .argument('<file>', 'the file; - is standard input')
    .option('--json', 'print the result as JSON')
    .option('--password-file <file>', 'file with the password of a PFX or an encrypted key; - is standard input')
    .addHelpText('after', HELP)
    .action(async (file: string, options: InspectCommandOptions) => {
      process.exitCode = await runInspect(file, options, processIo);
    });
}

/** Reads the file and prints its contents, without values of keys. Returns the exit code. */
export function runInspect(
  file: string,
  { json = false, passwordFile }: InspectCommandOptions,
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    if (file === '-' && passwordFile === '-') {
      throw new ProviderError('ERR_USAGE', 'stdin cannot be both the file and its password; name one of them');
    }
    const content = await readBytes(file, io, READ_LIMIT);
    const password = passwordFile === undefined ? {} : { password: await readPassword(passwordFile, io) };
    const passwordRemedy = 'give the password with --password-file FILE';
    const bundle = await readNamed(content, { ...password, passwordRemedy });
    const inspection = await inspectBundle(bundle, { now: systemClock.wall() });
    io.stdout(json ? `${JSON.stringify(inspection, undefined, 2)}\n` : formatInspection(inspection));
    return 0;
  });
}

async function readPassword(file: string, io: Io): Promise<Secret> {
  const { bytes } = await readBytes(file, io, READ_LIMIT);
  return new Secret(bytes.toString('utf8'));
}

async function readNamed({ name, bytes }: { name: string; bytes: Buffer }, options: BundleOptions) {
  try {
    return await readBundle(bytes, options);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    throw new ProviderError(error.code, `${name}: ${messageOf(error)}`, { cause: error });
  }
}
