import { type ErrorCode, ProviderError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';
import type { ObjectSpec } from '../spc/model.ts';

/** One object that could not be delivered. */
export interface FailedObject {
  readonly label: string;
  /** Its name as short as it is unmistakable, for long lists; default: the label. */
  readonly name?: string;
  readonly error: ProviderError;
  /** Label of the object that cannot be delivered without it, where it is not asked for by itself. */
  readonly neededBy?: string;
  /** Where its content stands, if it is a certificate's and somebody should look into it. */
  readonly content?: ContentPlace;
}

/** A secret of a vault; `version` is empty for the current one. */
export interface ContentPlace {
  readonly vaultName: string;
  readonly name: string;
  readonly version: string;
}

/** Codes by how much they say of what has to be done first; one error that stands for several takes the first of these. */
const PRECEDENCE: readonly ErrorCode[] = [
  'ERR_INTERNAL',
  'ERR_BAD_REQUEST',
  'ERR_BAD_PARAMETERS',
  'ERR_NO_CREDENTIALS',
  'ERR_SETUP',
  'ERR_AUTHENTICATION',
  'ERR_FORBIDDEN',
  'ERR_DISABLED',
  'ERR_NOT_FOUND',
  'ERR_BAD_CONTENT',
  'ERR_TOO_LARGE',
];

/**
 * One error that names every failed object. Objects that failed by the same cause share its text. What decides comes
 * first, since viewers of events cut: names, cause and next step of each cause; then the names that found no room, and
 * then the words of the servers. The order is that of the manifest, so that the same failures have the same text.
 */
export function failuresError(failed: readonly FailedObject[], total: number): ProviderError {
  const causes = causesOf(failed);
  const objects = new Set(failed.flatMap(({ label, neededBy }) => [label, neededBy ?? label]));
  const begin = `failed to mount objects, error: ${total > 1 ? `${objects.size} of ${total} objects: ` : ''}`;
  const errors = failed.map(({ error }) => error);
  const leading = leadingError(errors);
  return new ProviderError(leading?.code ?? 'ERR_INTERNAL', `${begin}${textOf(causes, begin)}`, {
    errors,
    failed: failed.map(({ label }) => label),
    details: leading?.details ?? {},
  });
}

/** The name of an object in a list, such as `db-password`, `key/signer` or `db-password/<version>`. */
export function shortNameOf({ type, name, version }: Pick<ObjectSpec, 'type' | 'name' | 'version'>): string {
  return `${type === 'secret' ? '' : `${type}/`}${clip(name)}${version === '' ? '' : `/${clip(version)}`}`;
}

/** Objects that failed in the same way. */
interface Cause {
  readonly reason: string;
  /** Of the first of them. */
  readonly said: string;
  /** Short names by label. */
  readonly names: Map<string, string>;
  readonly neededBy: Set<string>;
  pointer: string;
}

function causesOf(failed: readonly FailedObject[]): readonly Cause[] {
  const causes = new Map<string, Cause>();
  for (const one of failed) {
    const { reason, said, code } = one.error;
    const key = `${code} ${reason}`;
    const cause = causes.get(key) ?? { reason, said, names: new Map(), neededBy: new Set(), pointer: '' };
    causes.set(key, cause);
    cause.names.set(one.label, one.name ?? one.label);
    if (one.neededBy !== undefined) cause.neededBy.add(one.neededBy);
    if (cause.pointer === '') cause.pointer = inspectionOf(one);
  }
  return [...causes.values()];
}

/** Bytes within which the next step of a single cause stands, unless its own text is longer. */
const DECISIVE_BYTES = 700;
/** Causes that are told before the rest of the names. */
const MAX_FIRST = 4;

function textOf(causes: readonly Cause[], begin: string): string {
  const first = causes.slice(0, MAX_FIRST);
  const bare = first.map((cause) => headOf(cause, 0).text).join('; ');
  const room = Math.max(0, DECISIVE_BYTES - Buffer.byteLength(begin + bare)) / first.length;
  const number = (index: number) => (causes.length === 1 ? '' : `(${index + 1}) `);
  const heads = first.map((cause) => headOf(cause, room));
  const later = causes.slice(MAX_FIRST);
  const laterNames = later.flatMap(({ names }) => [...names.values()]);
  return [
    ...heads.map(({ text }, index) => `${number(index)}${text}`),
    ...heads.flatMap(({ rest }, index) =>
      rest.length === 0 ? [] : [`${number(index)}the other ${rest.length}: ${rest.join(',')}`],
    ),
    ...(laterNames.length === 0 ? [] : [`and for other reasons: ${laterNames.join(',')}`]),
    ...first.flatMap(({ said }, index) => (said === '' ? [] : [`${number(index)}the server says: ${said}`])),
    ...later.map((cause, index) => `${number(MAX_FIRST + index)}${headOf(cause, 0).text}`),
  ].join('; ');
}

/** Which objects failed, and why. The first is named in full, the others within `room` bytes; `rest` are those that found none. */
function headOf({ names, neededBy, reason, pointer }: Cause, room: number): { text: string; rest: readonly string[] } {
  const [[label] = [''], ...others] = [...names];
  const inFull = others.map(([other]) => ` and ${other}`).join('');
  const needed = neededBy.size === 0 ? '' : ` (needed by ${[...neededBy].join(' and ')})`;
  const tell = (who: string) => `failed to get ${who}${needed}: ${reason}${pointer}`;
  if (Buffer.byteLength(inFull) <= room) return { text: tell(`${label}${inFull}`), rest: [] };
  const short = others.map(([, name]) => name);
  let used = 0;
  const cut = short.findIndex((name) => {
    used += Buffer.byteLength(name) + 2;
    return used > room;
  });
  const shown = cut === -1 ? short : short.slice(0, cut);
  const rest = short.slice(shown.length);
  const list = [...shown, ...(rest.length === 0 ? [] : ['…'])].join(', ');
  return { text: tell(`${label} and ${others.length} more${shown.length === 0 ? '' : ` (${list})`}`), rest };
}

/** How to see what is wrong with a content: nothing of it touches a disk, and no key is printed. */
function inspectionOf({ content }: FailedObject): string {
  if (content === undefined) return '';
  const { vaultName, name, version } = content;
  // They go into somebody's shell.
  if (![vaultName, name, `${version}-`].every((word) => /^[-0-9A-Za-z]+$/.test(word))) return '';
  const pinned = version === '' ? '' : ` --version ${version}`;
  const read = `az keyvault secret show --vault-name ${vaultName} --name ${name}${pinned} --query value -o tsv`;
  return `; to see what is in "${name}": ${read} | akv-csi inspect -`;
}

function leadingError(errors: readonly ProviderError[]): ProviderError | undefined {
  for (const code of PRECEDENCE) {
    const error = errors.find((one) => one.code === code);
    if (error !== undefined) return error;
  }
  return errors[0];
}

/**
 * The error that a Mount ends with; its message is printable and stands on one line, whatever manifest, vault and Entra
 * put into it. What is no `ProviderError` is a defect of ours; its own text might quote a value, so it is kept as the
 * cause only.
 */
export function asProviderError(reason: unknown): ProviderError {
  if (reason instanceof ProviderError) {
    const message = printable(reason.message);
    if (message === reason.message) return reason;
    const { code, details, errors, failed, cause } = reason;
    const parts = { reason: printable(reason.reason), said: printable(reason.said) };
    return new ProviderError(code, message, { details, errors, failed, cause, ...parts });
  }
  return new ProviderError('ERR_INTERNAL', 'the provider failed unexpectedly; its log says more', { cause: reason });
}
