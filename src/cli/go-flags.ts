/**
 * Reads arguments in the syntax of Go's flag package. `serve-flags.ts` and `webhook-flags.ts` call it. Refuses unknown flags
 * and bad values.
 */

import { ProviderError } from '../base/errors.ts';
import { DURATION_RULE, parseGoBoolean, parseGoDuration } from '../base/go.ts';
import { clip, nearest, quote } from '../base/words.ts';

/** A flag as Go's `flag` package knows it. */
export interface FlagSpec {
  readonly name: string;
  /** Another name of it. */
  readonly alias?: string;
  readonly kind: 'text' | 'boolean' | 'count' | 'port' | 'duration' | 'bytes';
  /** The default value, as a command line gives it; the help shows it. */
  readonly fallback: string;
  readonly help: string;
}

/** Checked values by flag name: texts, booleans, numbers, durations in milliseconds, and sizes in bytes. */
export type FlagValues = ReadonlyMap<string, string | number | boolean>;

/** What a command accepts besides its own flags. */
export interface FlagContext {
  /** The name of the command, for messages. Default: `serve`. */
  readonly command?: string;
  /** Flags that are accepted and ignored. */
  readonly meaningless?: readonly FlagSpec[];
}

/** The values of a command line. */
export interface ParsedFlags {
  readonly values: FlagValues;
  /** Names of the given flags that are accepted and ignored. */
  readonly ignored: readonly string[];
}

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/**
 * Reads arguments in Go's syntax: one or two dashes, `-v 5`, `-v=5`, `--flag value`, `--flag=value`, `--flag=false`.
 * commander does not read the last three with one dash, and the arguments of an existing DaemonSet must work unchanged.
 * Throws: ERR_USAGE, which names the flag and the allowed values.
 */
export function parseGoFlags(
  args: readonly string[],
  known: readonly FlagSpec[],
  { command = 'serve', meaningless = [] }: FlagContext = {},
): ParsedFlags {
  const specs = new Map([...meaningless, ...known].flatMap((spec) => namesOf(spec).map((name) => [name, spec])));
  const values = new Map(known.map((spec) => [spec.name, checked(spec, spec.fallback)]));
  const ignored = new Set<string>();
  let previous: FlagSpec | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const { name, inline } = splitFlag(arg, previous, command);
    const spec = specs.get(name);
    if (spec === undefined) throw usage(unknown(name, [...specs.keys()], command));
    const takesNext = inline === undefined && spec.kind !== 'boolean';
    const text = takesNext ? args[++i] : (inline ?? 'true');
    if (text === undefined) throw usage(`flag --${name} needs a value: ${RULE[spec.kind]}`);
    if (meaningless.includes(spec)) ignored.add(name);
    else values.set(spec.name, checked(spec, text));
    previous = inline === undefined ? spec : undefined;
  }
  return { values, ignored: [...ignored] };
}

/** Splits `--name=value`; `inline` is undefined if there is no `=`. */
function splitFlag(
  arg: string,
  previous: FlagSpec | undefined,
  command: string,
): { readonly name: string; readonly inline?: string } {
  const [, name, inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
  if (name === undefined) throw usage(unexpected(arg, previous, command));
  return { name, ...(inline === undefined ? {} : { inline }) };
}

/** Returns the flags as a table for a help text. */
export function describeFlags(known: readonly FlagSpec[]): string {
  const heads = known.map((spec) => {
    const names = namesOf(spec).map((name) => `--${name}`);
    return `  ${names.join(', ')}${spec.kind === 'boolean' ? '' : ` <${spec.kind}>`}`;
  });
  const width = Math.max(...heads.map(({ length }) => length));
  return known
    .map(({ fallback, help }, i) => {
      const head = (heads[i] ?? '').padEnd(width);
      return `${head}  ${help}${fallback === '' ? '' : ` (default ${fallback})`}`;
    })
    .join('\n');
}

/** Returns the error for a value that breaks a rule, such as `an https URL`. */
export function wrongValue(name: string, value: string, rule: string): ProviderError {
  return usage(`invalid value ${quote(value)} for flag --${name}: it must be ${rule}`);
}

const RULE: Readonly<Record<FlagSpec['kind'], string>> = {
  text: 'any text',
  boolean: 'true or false',
  count: 'a whole number from 0',
  port: 'a port from 0 to 65535',
  duration: DURATION_RULE,
  bytes: 'a size such as 24Mi or 25165824',
};

function checked(spec: FlagSpec, text: string): string | number | boolean {
  const value = read(spec.kind, text);
  if (value === undefined) throw wrongValue(spec.name, text, RULE[spec.kind]);
  return value;
}

function read(kind: FlagSpec['kind'], text: string): string | number | boolean | undefined {
  switch (kind) {
    case 'text':
      return text;
    case 'boolean':
      return parseGoBoolean(text);
    case 'count':
      return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
    case 'port':
      return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
    case 'duration':
      return parseGoDuration(text);
    case 'bytes':
      return readBytes(text);
  }
}

/** Returns a size in the form of Kubernetes in bytes, 0 for an empty text; undefined if the text is not a size. */
function readBytes(text: string): number | undefined {
  if (text === '') return 0;
  const [, amount, unit = ''] = /^(\d{1,12})(Ki|Mi|Gi)?$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNIT_BYTES[unit] ?? 1);
}

function namesOf({ name, alias }: FlagSpec): readonly string[] {
  return alias === undefined ? [name] : [name, alias];
}

function unexpected(arg: string, previous: FlagSpec | undefined, command: string): string {
  const remedy =
    previous?.kind === 'boolean'
      ? `write --${previous.name}=${arg === 'false' ? 'false' : 'true'}`
      : `${command} takes flags only`;
  return `unexpected argument ${quote(arg)}; ${remedy}`;
}

function unknown(name: string, names: readonly string[], command: string): string {
  const near = nearest(name, names);
  const hint = near === undefined ? `"akv-csi ${command} --help" lists the flags` : `did you mean --${near}?`;
  return `unknown flag --${clip(name)}; ${hint}`;
}

function usage(message: string): ProviderError {
  return new ProviderError('ERR_USAGE', message);
}
