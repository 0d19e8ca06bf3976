/**
 * The command `inspect`: prints what PFX, PEM and DER files contain. Never prints a key. `program.ts` adds it.
 */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { printable, printableJson } from '../base/printable.ts';
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

/** Files of a directory at most; the driver mounts fewer. */
const MAX_FILES = 1000;

const HELP = `
Reads PKCS#12 (PFX), PEM, PKCS#7 and DER, also in base64, the encoding in which Key Vault returns certificates.

Example:
  az keyvault secret show --vault-name VAULT --name NAME --query value -o tsv | akv-csi inspect -

Keys are shown by their kind only.

Exit codes: 0 read, with or without warnings; 1 no key or certificate can be read from a file; 2 wrong command line
or unreadable file.`;

/**
 * Makes the command `akv-csi inspect FILE…`. It prints the contents of certificate files, and the possible outputs.
 */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show the contents of PFX, PEM or DER files, and the files that the provider would make of them')
    .argument('<files...>', 'files, or directories of them, such as a mounted volume; - is standard input')
    .option('--json', 'print the result as JSON')
    .option('--password-file <file>', 'file with the password of a PFX or an encrypted key; - is standard input')
    .addHelpText('after', HELP)
    .action(async (files: string[], options: InspectCommandOptions) => {
      process.exitCode = await runInspect(files, options, processIo);
    });
}

/**
 * Reads the files and prints their contents, without values of keys. Returns the exit code: 1 if one of several cannot be
 * read as keys or certificates, after the others have been printed.
 */
export function runInspect(
  names: readonly string[],
  { json = false, passwordFile }: InspectCommandOptions,
  io: Io,
): Promise<number> {
  return exitCodeOf(io, async () => {
    if (names.includes('-') && passwordFile === '-') {
      throw new ProviderError('ERR_USAGE', 'stdin cannot be both the file and its password; name one of them');
    }
    const files = await filesOf(names);
    const password = passwordFile === undefined ? {} : { password: await readPassword(passwordFile, io) };
    const options = { ...password, passwordRemedy: 'give the password with --password-file FILE' };
    const [first = '', ...others] = files;
    if (others.length > 0) return inspectAll(files, { json, options }, io);
    const { inspection } = await inspectFile(first, options, io);
    io.stdout(json ? printableJson(inspection) : formatInspection(inspection));
    return 0;
  });
}

async function inspectFile(path: string, options: BundleOptions, io: Io) {
  const content = await readBytes(path, io, READ_LIMIT);
  const bundle = await readNamed(content, options);
  return { file: content.name, inspection: await inspectBundle(bundle, { now: systemClock.wall() }) };
}

/** Prints the contents of several files, and the errors of those that cannot be read. Returns the exit code. */
async function inspectAll(
  files: readonly string[],
  { json, options }: { readonly json: boolean; readonly options: BundleOptions },
  io: Io,
): Promise<number> {
  const results: object[] = [];
  for (const path of files) {
    try {
      const { file, inspection } = await inspectFile(path, options, io);
      results.push({ file, ...inspection });
      if (!json) io.stdout(`${printable(file)}:\n${formatInspection(inspection)}`);
    } catch (error) {
      if (!(error instanceof ProviderError) || error.code === 'ERR_USAGE') throw error;
      io.stderr(`error: ${messageOf(error)}\n`);
    }
  }
  if (json) io.stdout(printableJson(results));
  return results.length === files.length ? 0 : 1;
}

/** Returns the files, and those in the directories. The names of an atomic writer, which begin with "..", are left out. */
async function filesOf(names: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const name of names) {
    const found = name === '-' ? undefined : await stat(name).catch(() => undefined);
    if (!found?.isDirectory()) files.push(name);
    else files.push(...(await filesIn(name)));
  }
  return files;
}

/** Returns the files in a directory, links to files included. Throws: ERR_USAGE if there is none, or too many. */
async function filesIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('..')).sort();
  if (names.length > MAX_FILES)
    throw new ProviderError(
      'ERR_USAGE',
      `${directory} holds ${names.length} files; the limit is ${MAX_FILES}; name some`,
    );
  const paths = names.map((name) => join(directory, name));
  const isFile = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        (found) => found.isFile(),
        () => false,
      ),
    ),
  );
  const files = paths.filter((_, index) => isFile[index]);
  if (files.length === 0) throw new ProviderError('ERR_USAGE', `cannot read ${directory}: it holds no files`);
  return files;
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
