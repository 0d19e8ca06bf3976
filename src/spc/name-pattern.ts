/**
 * Makes the paths of a selection's files: `{name}` in a path stands for the name of each object. The reader of selections
 * checks patterns here, each Mount fills them, and `check` asks which paths they can give.
 */

import { quote } from '../base/words.ts';
import { filePathProblem } from './file-path.ts';
import type { ContentSpec, ObjectSpec } from './model.ts';
import { fillPattern, hasPattern, textInPattern } from './path-pattern.ts';

/** The word in a path that stands for the name of each object of a selection. */
const WORD = 'name';
/** The path that is this name alone; in messages, the placeholder that paths need. */
export const NAME_PATTERN = `{${WORD}}`;

/** Returns the problem of a path in a selection, or undefined. */
export function namePatternProblem(path: string): string | undefined {
  if (!hasPattern(path, WORD)) return `${quote(path)} is the same for all objects`;
  const [brace] = /[{}]/.exec(fill(path, '')) ?? [];
  if (brace !== undefined) return `${quote(path)} holds another brace; nothing else is replaced`;
  return filePathProblem(fill(path, 'n'))?.text;
}

/** Returns the paths that the files of an object have. */
export function pathsOf({ content, metadata }: Pick<ObjectSpec, 'content' | 'metadata'>): readonly string[] {
  const paths = content.kind === 'value' ? [content.path] : listed(content).map(({ path }) => path);
  return metadata === undefined ? paths : [...paths, metadata.path];
}

/** Returns the object of this name: the pattern with its paths filled. */
export function objectNamed(pattern: ObjectSpec, name: string): ObjectSpec {
  const { content, metadata } = pattern;
  return {
    ...pattern,
    name,
    content: filledContent(content, name),
    ...(metadata !== undefined && { metadata: { ...metadata, path: fill(metadata.path, name) } }),
  };
}

/** Returns the name with which a pattern gives a path, or undefined. */
export function nameInPath(pattern: string, path: string): string | undefined {
  const name = textInPattern(path, pattern, WORD);
  return /^[-A-Za-z0-9]{1,127}$/.test(name) ? name : undefined;
}

function filledContent(content: ContentSpec, name: string): ContentSpec {
  if (content.kind === 'value') return { ...content, path: fill(content.path, name) };
  // A selection has no parts.
  if (content.kind === 'parts') return content;
  return { ...content, outputs: content.outputs.map((output) => ({ ...output, path: fill(output.path, name) })) };
}

function listed(content: Exclude<ContentSpec, { kind: 'value' }>): readonly { readonly path: string }[] {
  if (content.kind === 'outputs') return content.outputs;
  return content.whole === undefined ? content.parts : [content.whole, ...content.parts];
}

function fill(pattern: string, name: string): string {
  return fillPattern(pattern, WORD, name);
}
