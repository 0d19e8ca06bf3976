/**
 * Paths with a word in braces, such as `tls/{key}`, that stand for several files. The readers of objects call it, what
 * makes the files, and the checks of files; `name-pattern.ts` does for the paths of selections. Refuses other words in
 * braces.
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

/** Returns the text that gives the path in place of the word; empty if there is none. */
export function textInPattern(path: string, pattern: string, word: string): string {
  const [start = '', ...rest] = pattern.split(`{${word}}`);
  const length = (path.length - start.length - rest.join('').length) / rest.length;
  const text = length > 0 ? path.slice(start.length, start.length + length) : '';
  return fillPattern(pattern, word, text) === path ? text : '';
}

/** True if a text without "/" in place of the word gives the path. */
export function fitsPattern(path: string, pattern: string, word: string): boolean {
  const text = textInPattern(path, pattern, word);
  return text !== '' && !text.includes('/');
}
