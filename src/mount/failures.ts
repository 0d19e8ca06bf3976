/**
 * Combines the failures of a Mount's objects into one error. `fetch.ts` and `convert/convert.ts` call it. The message
 * names every failed object, its cause and the next step, within the length that events show.
 */

import { type ErrorCode, ProviderError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { clip } from '../base/words.ts';
import type { ObjectSpec } from '../spc/model.ts';

/** One object that could not be delivered. */
export interface FailedObject {
  readonly label: string;
  /** Its shortest unambiguous name, for long lists. Default: the label. */
  readonly name?: string;
  readonly error: ProviderError;
  /** Label of the object that needs it, if another object needs its value. */
  readonly neededBy?: string;
  /** The place of its content, if it is a certificate that the operator should inspect. */
  readonly content?: ContentPlace;
}

/** A secret of a vault; `version` is empty for the current one. */
export interface ContentPlace {
  readonly vaultName: string;
  readonly name: string;
  readonly version: string;
}

/**
 * Codes in the order in which an operator acts on them. An error that combines several failures has the first of their
 * codes.
 */
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
 * Returns one error that names every failed object. Objects that failed for the same cause share its text. The most
 * important parts come first, since viewers of events cut the text: names, cause and next step of each cause, then the
 * names that did not fit, then the texts of the servers. The order is that of the manifest, so that the same failures
 * have the same text.
 */
export function failuresError(failed: readonly FailedObject[], total: number): ProviderError {
  const causes = causesOf(failed);
  const objects = new Set(failed.flatMap(({ label, neededBy }) => [label, neededBy ?? label]));
  const begin = `failed to mount objects, error: ${total > 1 ? `${objects.size} of ${total} objects: ` : ''}`;
  const errors = failed.map(({ error }) => error);
  const leading = leadingError(errors);
  return new ProviderError(leading?.code ?? 'ERR_INTERNAL', `${begin}${causesText(causes, begin)}`, {
    errors,
    failed: failed.map(({ label }) => label),
    details: leading?.details ?? {},
  });
}

/**
 * Returns the name of an object in a list, such as `db-password`, `key/signer` or `db-password/<version>`, with its vault
 * if that is not the volume's own: `kv-other/secret/db-password`.
 */
export function shortNameOf({ type, name, version, vault }: NamedParts): string {
  const place = vault === undefined ? '' : `${vault.name}/`;
  return `${place}${type === 'secret' && place === '' ? '' : `${type}/`}${clip(name)}${version === '' ? '' : `/${clip(version)}`}`;
}

type NamedParts = Pick<ObjectSpec, 'type' | 'name' | 'version' | 'vault'>;

/** Objects that failed in the same way. */
interface Cause {
  readonly reason: string;
  /** The server's text for the first of them. */
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

/** The next step of a single cause is within so many bytes, unless its own text is longer. */
const DECISIVE_BYTES = 700;
/** Number of causes that come before the remaining names. */
const MAX_FIRST = 4;

function causesText(causes: readonly Cause[], begin: string): string {
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

/**
 * Returns the failed objects of one cause. The first is named in full, the others within `room` bytes; `rest` did not
 * fit.
 */
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

/** Returns a command that inspects a content. It writes nothing to disk and prints no key. */
function inspectionOf({ content }: FailedObject): string {
  if (content === undefined) return '';
  const { vaultName, name, version } = content;
  // The operator pastes the command into a shell.
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
 * Returns the error that a Mount ends with. Its message is printable and on one line, even if it quotes manifest, vault
 * or Entra ID. Other thrown values are defects of the provider; their text might quote a secret, so it is kept as the
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
