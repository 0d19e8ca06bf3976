/**
 * Looks up the references of templates among the objects of a volume. Called by the reader of parameters after both are
 * read. Refuses references that nothing fits, keys that a format cannot have, files that collide with those of objects,
 * and objects that are read for templates and that no template uses.
 */

import { nearest, quote } from '../base/words.ts';
import { type ClaimedPath, pathConflicts } from './file-path.ts';
import type { Findings } from './finding.ts';
import { globProblem, matchesGlob } from './glob.ts';
import type { LiteralFile, ObjectSpec, TemplateRef, TemplateSpec, TemplateToken } from './model.ts';
import { type NamedTemplate, TEMPLATE_ONLY_FIELD, TEMPLATES, type TextChoice } from './templates.ts';
import { filesOf } from './volume-files.ts';

/** Names that a message lists. */
const MAX_LISTED = 8;
/** Names that a wrong one is compared with. */
const MAX_COMPARED = 500;
/** Limit of the comparisons of characters that globs may take. */
const MAX_GLOB_WORK = 16 * 1024 * 1024;
const SHELL_NAME = /^[A-Za-z_]\w*$/;

/** The other files of the volume. */
export interface TemplateSurroundings {
  readonly objects: readonly ObjectSpec[];
  readonly literals: readonly LiteralFile[];
}

/** Returns the templates with their references; what is wrong becomes a finding. */
export function resolveTemplates(
  named: readonly NamedTemplate[],
  { objects, literals }: TemplateSurroundings,
  findings: Findings,
): readonly TemplateSpec[] {
  if (named.length === 0 && !objects.some(({ templateOnly }) => templateOnly)) return [];
  const texts = new References(objects);
  const templates = named.map((template) => resolveOne(template, texts, findings));
  for (const [index, { templateOnly, label }] of objects.entries()) {
    if (templateOnly && !texts.used.has(index))
      findings.error(
        TEMPLATES,
        `${TEMPLATES}: no template uses ${label}, which has ${TEMPLATE_ONLY_FIELD}; remove the object, or remove ${TEMPLATE_ONLY_FIELD}`,
      );
  }
  reportConflicts(named, { objects, literals }, findings);
  return templates;
}

/** The texts that templates can refer to: by file, or by the name of an object. */
class References {
  /** Indexes of the objects that templates refer to. */
  readonly used = new Set<number>();
  readonly #byPath = new Map<string, TemplateRef[]>();
  readonly #byName = new Map<string, TemplateRef[]>();
  readonly #others = new Set<string>();
  readonly #names: readonly string[];
  readonly #chars: number;
  #all: TemplateSpec['entries'] | undefined;
  #globWork = 0;

  constructor(objects: readonly ObjectSpec[]) {
    for (const [object, spec] of objects.entries()) {
      const { type, name, content } = spec;
      const paths = type === 'secret' ? pathsOf(spec) : [];
      for (const path of paths) add(this.#byPath, path, { object, path });
      const own = content.kind === 'value' ? content.path : content.kind === 'parts' ? content.whole?.path : undefined;
      if (type === 'secret' && own !== undefined) add(this.#byName, name, { object, path: own });
      else this.#others.add(name);
    }
    this.#names = [...this.#byPath.keys()];
    this.#chars = this.#names.reduce((sum, name) => sum + name.length, 0);
  }

  /** All texts, by the names of their files. */
  get all(): TemplateSpec['entries'] {
    this.#all ??= [...this.#byPath].flatMap(([name, [ref, other]]) => {
      if (ref === undefined || other !== undefined) return [];
      this.used.add(ref.object);
      return [{ name, key: shellName(name), ref }];
    });
    return this.#all;
  }

  /** Returns the names that fit a glob; undefined: all globs together would take too long. */
  matching(glob: string): readonly string[] | undefined {
    this.#globWork += glob.length * this.#chars;
    return this.#globWork > MAX_GLOB_WORK ? undefined : this.#names.filter((name) => matchesGlob(glob, name));
  }

  /** Returns what a name stands for, or the problem with it. */
  find(name: string): TemplateRef | string {
    const found = this.#byPath.get(name) ?? this.#byName.get(name) ?? [];
    const [first, second] = found;
    if (first === undefined) return this.#unknown(name);
    if (second !== undefined) return `${quote(name)} fits two objects; write the file of one of them (objectAlias)`;
    this.used.add(first.object);
    return first;
  }

  #unknown(name: string): string {
    if (this.#others.has(name))
      return `${quote(name)} is no text of a secret: templates read secrets without files, and the files of extract by their paths`;
    const near = nearest(name, this.#names.slice(0, MAX_COMPARED));
    if (near !== undefined) return `${quote(name)} is no file or object of this volume; did you mean "${near}"?`;
    const listed = this.#names.slice(0, MAX_LISTED).map(quote).join(', ');
    const more = this.#names.length - MAX_LISTED;
    const known = listed === '' ? 'there are none' : `there are ${listed}${more > 0 ? `, and ${more} more` : ''}`;
    return `${quote(name)} is no file or object of this volume; ${known}`;
  }
}

function pathsOf({ content }: ObjectSpec): readonly string[] {
  if (content.kind === 'value') return [content.path];
  if (content.kind === 'outputs') return [];
  const parts = content.parts.filter(({ each }) => !each).map(({ path }) => path);
  return content.whole === undefined ? parts : [content.whole.path, ...parts];
}

function add(map: Map<string, TemplateRef[]>, name: string, ref: TemplateRef): void {
  map.set(name, [...(map.get(name) ?? []), ref]);
}

function resolveOne(template: NamedTemplate, texts: References, findings: Findings): TemplateSpec {
  const { field, chosen, references, line, ...spec } = template;
  const report = (message: string, at = line) => findings.error(field, `${field}: ${message}`, { line: at });
  const refs = new Map<string, TemplateRef>();
  for (const [name, at] of references) {
    if (findings.isFull('error')) break;
    const found = texts.find(name);
    if (typeof found === 'string') report(found, at);
    else refs.set(name, found);
  }
  const loops = spec.body.kind !== 'tokens' || spec.body.tokens.some(hasLoop);
  if (chosen !== undefined && !loops) report('"objects" is what {{#objects}} goes through, and the template has none');
  if (!loops) return { ...spec, entries: [], refs };
  if (chosen === undefined) return { ...spec, entries: texts.all, refs };
  return { ...spec, entries: chosenEntries(chosen, { kind: spec.body.kind, texts, findings, report }), refs };
}

function hasLoop(token: TemplateToken): boolean {
  return token.kind === 'loop' || (token.kind === 'if' && token.tokens.some(hasLoop));
}

interface Resolving {
  readonly kind: TemplateSpec['body']['kind'];
  readonly texts: References;
  readonly findings: Findings;
  readonly report: (message: string, line?: number) => void;
}

/** Returns what a template takes, each text once. */
function chosenEntries(chosen: readonly TextChoice[], resolving: Resolving): TemplateSpec['entries'] {
  const entries = new Map<string, TemplateSpec['entries'][number]>();
  const keys = new Map<string, TemplateRef>();
  for (const choice of chosen) {
    if (resolving.findings.isFull('error')) break;
    for (const name of namesOf(choice, resolving)) {
      const entry = entryOf(name, choice, { ...resolving, keys });
      if (entry !== undefined) entries.set(JSON.stringify([entry.ref.object, entry.ref.path, entry.key]), entry);
    }
  }
  return [...entries.values()];
}

function entryOf(
  name: string,
  choice: TextChoice,
  { kind, texts, report, keys }: Resolving & { readonly keys: Map<string, TemplateRef> },
): TemplateSpec['entries'][number] | undefined {
  const ref = texts.find(name);
  if (typeof ref === 'string') {
    report(ref, choice.line);
    return undefined;
  }
  const key = choice.key ?? (kind === 'json' || kind === 'properties' ? name : shellName(name));
  const problem = keyProblem(key, { kind, ref, other: keys.get(key) });
  if (problem !== undefined) report(problem, choice.line);
  keys.set(key, ref);
  return { name, key, ref };
}

/** Returns the names that a reference or glob stands for. */
function namesOf({ key, reference, line }: TextChoice, { texts, report }: Resolving): readonly string[] {
  if (!/[*?]/.test(reference)) return [reference];
  const problem = globProblem(reference);
  const names = problem === undefined ? texts.matching(reference) : [];
  if (problem !== undefined) report(problem, line);
  else if (names === undefined) report('the globs of this volume are too long for its files; write references', line);
  else if (names.length === 0) report(`${quote(reference)} fits no file of this volume`, line);
  else if (key !== undefined)
    report(`${quote(reference)} is a glob, and the key ${quote(key)} can have one text`, line);
  else return names;
  return [];
}

function shellName(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}

function keyProblem(
  key: string,
  {
    kind,
    ref,
    other,
  }: Pick<Resolving, 'kind'> & { readonly ref: TemplateRef; readonly other: TemplateRef | undefined },
): string | undefined {
  if (kind === 'tokens') return undefined;
  if (other !== undefined && other !== ref)
    return `two secrets get the key ${quote(key)}; write objects as a map from keys to references`;
  if (kind === 'dotenv' && !SHELL_NAME.test(key))
    return `${quote(key)} cannot be the name of a variable: letters, digits and "_", no digit first; write objects as a map`;
  return kind === 'properties' && /\s/.test(key) ? `${quote(key)} cannot be a key: it holds a blank` : undefined;
}

function reportConflicts(
  named: readonly NamedTemplate[],
  { objects, literals }: TemplateSurroundings,
  findings: Findings,
): void {
  const fixed = [
    ...literals.map(({ path, label }) => ({ path, owner: label })),
    ...objects.flatMap((object) => filesOf(object).map(({ path }) => ({ path, owner: object.label }))),
  ];
  const own = named.map(({ path, label, field, line }) => ({ path, owner: label, field, line }));
  const claims: (ClaimedPath & { readonly field?: string; readonly line?: number })[] = [...fixed, ...own];
  for (const { claim, other, message } of pathConflicts(claims)) {
    const { field, line } = claim.field === undefined ? other : claim;
    if (field !== undefined) findings.error(field, `${field}: ${message}`, { line });
  }
}
