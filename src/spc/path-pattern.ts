/**
 * Paths with a word in braces, such as `tls/{key}`, that stand for several files. The readers of objects call it, what
 * makes the files, and the checks of files. Refuses other words in braces.
 */

import { quote } from '../base/words.ts';
import { filePathProblem } from './file-path.ts';

/** Returns the problem of a path that may hold `{word}`, or undefined. */
export function patternProblem(path: string, word: string): string | undefined {
  const rest = path.replaceAll(`{${word}}`, '');
  const brace = /[{}]/.exec(rest);
  if (brace !== null) return `only {${word}} may stand in braces, and ${quote(path)} holds another ${quote(brace[0])}`;
  return filePathProblem(fillPattern(path, word, 'x'))?.text;
}

/** True if the path stands for several files. */
export function hasPattern(path: string, word: string): boolean {
  return path.includes(`{${word}}`);
}

/** Returns the path with the word replaced. */
export function fillPattern(path: string, word: string, by: string): string {
  return path.split(`{${word}}`).join(by);
}

/** True if a text without "/" in place of the word gives the path. */
export function fitsPattern(path: string, pattern: string, word: string): boolean {
  const [start = '', ...rest] = pattern.split(`{${word}}`);
  const end = rest.at(-1) ?? '';
  if (!path.startsWith(start)) return false;
  const length = Math.floor((path.length - start.length - rest.join('').length) / rest.length);
  const name = path.slice(start.length, start.length + length);
  return length > 0 && !name.includes('/') && path.endsWith(end) && fillPattern(pattern, word, name) === path;
}
