import { ProviderError } from '../base/errors.ts';
import { nearest } from '../base/words.ts';

/** A flag as Go's `flag` package knows it. */
export interface FlagSpec {
  readonly name: string;
  readonly kind: 'text' | 'boolean' | 'count' | 'port' | 'duration';
  /** As it would be written; shown in the help. */
  readonly fallback: string;
  readonly help: string;
}

/** Values by flag name, checked: booleans and counts as such, durations in milliseconds. */
export type FlagValues = ReadonlyMap<string, string | number | boolean>;

/** What a command line held. */
export interface ParsedFlags {
  readonly values: FlagValues;
  /** Names of flags that were given and have no meaning here. */
  readonly ignored: readonly string[];
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads arguments in Go's syntax: one or two dashes, `-v 5`, `-v=5`, `--flag value`, `--flag=value`, `--flag=false`.
 * commander reads none of the last with one dash, and a DaemonSet's arguments have to be taken as they are.
 * Errors: ERR_USAGE, saying which flag and what is allowed.
 */
export function parseGoFlags(
  args: readonly string[],
  known: readonly FlagSpec[],
  meaningless: readonly FlagSpec[],
): ParsedFlags {
  const specs = new Map([...meaningless, ...known].map((spec) => [spec.name, spec]));
  const values = new Map(known.map((spec) => [spec.name, checked(spec, spec.fallback)]));
  const ignored: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const [, name, inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) throw usage(`unexpected argument "${arg}"; serve takes flags only`);
    const spec = specs.get(name);
    if (spec === undefined) throw usage(unknown(name, [...specs.keys()]));
    let text = inline;
    if (text === undefined && spec.kind !== 'boolean') {
      text = args[++i];
      if (text === undefined) throw usage(`flag --${name} needs a value: ${RULE[spec.kind]}`);
    }
    if (meaningless.includes(spec)) ignored.push(name);
    else values.set(name, checked(spec, text ?? 'true'));
  }
  return { values, ignored };
}

/** The flags as a table for a help text. */
export function describeFlags(known: readonly FlagSpec[]): string {
  const width = Math.max(...known.map(({ name, kind }) => name.length + kind.length)) + 6;
  return known
    .map(({ name, kind, fallback, help }) => {
      const head = `  --${name}${kind === 'boolean' ? '' : ` <${kind}>`}`.padEnd(width);
      return `${head}  ${help}${fallback === '' ? '' : ` (default ${fallback})`}`;
    })
    .join('\n');
}

const RULE: Readonly<Record<FlagSpec['kind'], string>> = {
  text: 'any text',
  boolean: 'true or false',
  count: 'a whole number from 0',
  port: 'a port from 0 to 65535',
  duration: 'a duration such as 500ms, 30s, 2m or 1h',
};

function checked(spec: FlagSpec, text: string): string | number | boolean {
  const value = read(spec.kind, text);
  if (value === undefined)
    throw usage(`invalid value "${text}" for flag --${spec.name}: it must be ${RULE[spec.kind]}`);
  return value;
}

function read(kind: FlagSpec['kind'], text: string): string | number | boolean | undefined {
  switch (kind) {
    case 'text':
      return text;
    case 'boolean':
      if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
      return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
    case 'count':
      return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
    case 'port':
      return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
    case 'duration':
      return readDuration(text);
  }
}

/** Go's duration syntax, in milliseconds; undefined where it is none. */
function readDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total;
}

function unknown(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return `unknown flag --${name}; ${near === undefined ? '"akv-csi serve --help" lists the flags' : `did you mean --${near}?`}`;
}

function usage(message: string): ProviderError {
  return new ProviderError('ERR_USAGE', message);
}
