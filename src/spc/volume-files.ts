/**
 * Lists the files that a volume will hold, as far as the manifest tells: names, versions, outputs, and the layouts of
 * the `keyVault` form. Called by `check`. It asks no vault and reports nothing.
 */

import { nearest, oneOf, quote } from '../base/words.ts';
import type { ValueContent } from './contents.ts';
import { KEY_WORD } from './extract.ts';
import type { ExtractSpec, LiteralFile, ObjectSpec, OutputSpec, SelectionSpec, TemplateSpec } from './model.ts';
import { nameInPath, pathsOf } from './name-pattern.ts';
import { fitsPattern } from './path-pattern.ts';
import { selects } from './selection.ts';

/** Names that a message lists. */
const MAX_LISTED = 8;
/** Files that a wrong name is compared with. */
const MAX_COMPARED = 500;

/** A file of a volume, and its source. */
export interface VolumeFile {
  readonly path: string;
  /** Absent for a text that is in the manifest itself. */
  readonly object?: ObjectSpec;
  /** One of chosen files; absent for an object's one file. */
  readonly output?: OutputSpec;
  /** A part of the object's value. With `{key}` in its path it is a file only if the value has the key. */
  readonly part?: ExtractSpec;
  /** True for a file that is made of several secrets. */
  readonly template?: true;
  /** True for the file of the object's metadata. */
  readonly metadata?: true;
  /** True for a file of a selection: the vault decides whether it is there. */
  readonly selected?: true;
  /** True for a file that a provider writes only with `--write-cert-and-key-in-separate-files`. */
  readonly split?: true;
}

/** What a manifest says about the files of a volume. */
export interface VolumeContents {
  readonly objects: readonly ObjectSpec[];
  readonly selections: readonly SelectionSpec[];
  readonly literals: readonly LiteralFile[];
  readonly templates: readonly Pick<TemplateSpec, 'path'>[];
}

/** The files of a volume, by path. */
export class VolumeFiles {
  readonly #files = new Map<string, VolumeFile>();
  readonly #byName = new Map<string, string>();
  /** Files whose paths hold `{key}`. */
  readonly #patterns: VolumeFile[] = [];
  readonly #selections: readonly SelectionSpec[];

  constructor({ objects, selections, literals, templates }: VolumeContents) {
    this.#selections = selections;
    for (const { path } of templates) this.#files.set(path, { path, template: true });
    for (const { path } of literals) this.#files.set(path, { path });
    for (const object of objects) {
      for (const file of filesOf(object)) {
        this.#files.set(file.path, file);
        if (file.part?.each) this.#patterns.push(file);
        if (!this.#byName.has(object.name)) this.#byName.set(object.name, shownPath(file));
      }
    }
  }

  /** Returns the file at a path. Each version of a history has one: `name/0` is the newest. */
  find(path: string): VolumeFile | undefined {
    const own = this.#fileOrVersion(path) ?? this.#selected(path);
    if (own !== undefined) return own;
    const each = this.#patterns.find(({ path: pattern }) => fitsPattern(path, pattern, KEY_WORD));
    if (each !== undefined) return { ...each, path };
    const whole = /\.(crt|key)$/.test(path) ? this.#fileOrVersion(path.slice(0, -'.crt'.length)) : undefined;
    const canSplit = whole?.object?.type === 'secret' && valueContentOf(whole) !== undefined;
    return canSplit ? { ...whole, path, split: true } : undefined;
  }

  /** Returns the file that a wrong path may stand for. */
  hint(path: string): string {
    const history = this.#files.get(path);
    if (history !== undefined)
      return `its versions are files of a directory; the newest is ${quote(shownPath(history))}`;
    const renamed = this.#byName.get(path);
    if (renamed !== undefined) return `the file of the object ${quote(path)} is ${quote(renamed)}`;
    const named = [...this.#files.values()].slice(0, MAX_COMPARED).map(shownPath);
    const near = nearest(path, named);
    if (near !== undefined) return `did you mean ${quote(near)}?`;
    const patterns = this.#selections.flatMap(({ pattern }) => pathsOf(pattern));
    const paths = [...patterns, ...named];
    const more = this.#files.size + patterns.length - MAX_LISTED;
    const listed = oneOf(paths.slice(0, MAX_LISTED)).replace(/ or (?=[^ ]*$)/, ' and ');
    return `the volume holds ${listed}${more > 0 ? `, and ${more} more` : ''}`;
  }

  /** Returns the file of a selection that a path can be. */
  #selected(path: string): VolumeFile | undefined {
    const mayGive = ({ names, pattern }: SelectionSpec) =>
      pathsOf(pattern).some((one) => {
        const name = nameInPath(one, path);
        return name !== undefined && selects({ names, tags: [] }, { name });
      });
    return this.#selections.some(mayGive) ? { path, selected: true } : undefined;
  }

  #fileOrVersion(path: string): VolumeFile | undefined {
    const file = this.#files.get(path);
    if (file !== undefined && !hasHistory(file)) return file;
    const [, base = '', version = ''] = /^(.+)\/(0|[1-9]\d{0,9})$/s.exec(path) ?? [];
    const whole = this.#files.get(base);
    return whole !== undefined && hasHistory(whole) && Number(version) < (whole.object?.history ?? 1)
      ? { ...whole, path }
      : undefined;
  }
}

/** Returns the file's content if it is an object's value, and not a file made from a certificate or a part. */
export function valueContentOf({ object, metadata }: VolumeFile): ValueContent | undefined {
  return object?.content.kind === 'value' && metadata !== true ? object.content : undefined;
}

/** Returns the files of an object; a history is one directory. */
export function filesOf(object: ObjectSpec): readonly VolumeFile[] {
  const { content, metadata } = object;
  const about: readonly VolumeFile[] = metadata === undefined ? [] : [{ path: metadata.path, object, metadata: true }];
  if (object.templateOnly) return about;
  if (content.kind === 'value') return [{ path: content.path, object }, ...about];
  if (content.kind === 'parts') {
    const { parts, whole } = content;
    return [
      ...(whole === undefined ? [] : [{ path: whole.path, object }]),
      ...parts.map((part) => ({ path: part.path, object, part })),
      ...about,
    ];
  }
  return [...content.outputs.map((output) => ({ path: output.path, object, output })), ...about];
}

function hasHistory({ object, output }: VolumeFile): boolean {
  return output === undefined && object !== undefined && object.history > 1;
}

function shownPath(file: VolumeFile): string {
  return hasHistory(file) ? `${file.path}/0` : file.path;
}
