/**
 * Replaces `keyVault` in broker resources by the `secretName` of a synced Secret. Called by `render --secret-names`. The
 * rest of a document stays byte for byte. Refuses places where no `secretName` is known.
 */

import { quote } from '../../base/words.ts';
import { readStream, type StreamDocument } from '../../spc/yaml/stream.ts';
import type { Source } from '../find.ts';
import type { RenderedVolume } from '../volume.ts';

/** A mistake, and the field that it is about. */
export interface SecretNameMistake {
  readonly rendered: RenderedVolume;
  /** Follows the origin of the field. */
  readonly problem: string;
}

/** The documents that hold the fields, changed, each ending in a line break; or what prevents it. */
export interface SecretNames {
  readonly documents: readonly string[];
  readonly mistakes: readonly SecretNameMistake[];
}

/** Replaces the fields of all sources. `volumes` are all that were rendered of them. */
export function withSecretNames(sources: readonly Source[], volumes: readonly RenderedVolume[]): SecretNames {
  const documents: string[] = [];
  const mistakes: SecretNameMistake[] = [];
  for (const { name, text } of sources) {
    const own = volumes.filter(({ found }) => found.source === name);
    mistakes.push(...own.flatMap(placeMistakes));
    for (const document of readStream(text)) {
      const inside = own.filter(({ found: { span } }) => span !== undefined && isInside(span.start, document));
      if (inside.length === 0 || mistakes.length > 0) continue;
      const changed = replaced(text, document, inside);
      const [first] = inside;
      if (changed !== undefined) documents.push(changed);
      else if (first !== undefined) mistakes.push({ rendered: first, problem: ANCHORED });
    }
  }
  return { documents, mistakes };
}

const ANCHORED =
  'cannot be replaced by secretName, because another part of the document has an alias of an anchor in it; write the alias out';

function placeMistakes(rendered: RenderedVolume): readonly SecretNameMistake[] {
  const { found, role } = rendered;
  const problem = (words: string) => [{ rendered, problem: words }];
  const name = nameBeside(rendered);
  if (found.resource.isArm === true || found.resource.kind === '')
    return problem('is not in a Kubernetes resource; --secret-names changes manifests of broker resources');
  if (role.kind === 'unknown')
    return problem('is at a place that is not in the schema of the broker, so no secretName is known that replaces it');
  if (found.beside.includes(name))
    return problem(`has ${quote(name)} next to it; remove one of the two, since both name the Secret`);
  if (found.span === undefined) return problem('is an alias; write the field out, so that secretName can replace it');
  return [];
}

/** The name that stands in place of `keyVault`. A listener has `keyVault` and `manual` next to one another. */
function nameBeside({ found: { path } }: RenderedVolume): string {
  return path.at(-1) === 'tls' ? 'manual' : 'secretName';
}

function isInside(offset: number, { start, end }: StreamDocument): boolean {
  return offset >= start && offset < end;
}

/** Returns the text of a document with the fields replaced; undefined if it cannot be read any more. */
function replaced(text: string, { start, end }: StreamDocument, inside: readonly RenderedVolume[]): string | undefined {
  let result = '';
  let next = start;
  for (const rendered of inside) {
    const { span } = rendered.found;
    if (span === undefined || span.start < next) continue;
    const isJson = text[span.start] === '"';
    result += text.slice(next, span.start) + entryOf(rendered, isJson);
    next = span.end;
    // A block text ends behind its line break.
    if (text[next - 1] === '\n') next -= text[next - 2] === '\r' ? 2 : 1;
  }
  result = (result + text.slice(next, end)).replace(/^\uFEFF?(---[ \t]*\r?\n)?/, '');
  const [again, ...others] = readStream(result);
  if (again?.read.ok !== true || others.length > 0) return undefined;
  return result.endsWith('\n') ? result : `${result}\n`;
}

function entryOf(rendered: RenderedVolume, isJson: boolean): string {
  const name = !isJson && /^[a-z].*-/.test(rendered.name) ? rendered.name : JSON.stringify(rendered.name);
  const isManual = nameBeside(rendered) === 'manual';
  if (isJson) return isManual ? `"manual": {"secretName": ${name}}` : `"secretName": ${name}`;
  return isManual ? `manual: {secretName: ${name}}` : `secretName: ${name}`;
}
