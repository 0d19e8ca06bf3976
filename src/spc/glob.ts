/**
 * Matches names and tags against the globs of a selection: `*` is any text, `?` any one character, and the whole text has
 * to match. The reader of selections checks globs here, and each Mount matches the names of a listing. The cost is bounded
 * by the lengths: at most one comparison for each pair of a character of the glob and one of the text.
 */

import { quote } from '../base/words.ts';

/** Key Vault's limit for values of tags; its names are shorter. */
const MAX_GLOB = 256;

/** Returns the problem of a glob, or undefined. */
export function globProblem(glob: string): string | undefined {
  if (glob === '') return 'must not be empty; "*" stands for any text';
  if (glob.length > MAX_GLOB) return `is longer than ${MAX_GLOB} characters`;
  const [special] = /[[\]{}\\]/.exec(glob) ?? [];
  if (special === undefined) return undefined;
  return `${quote(glob)} holds ${quote(special)}; only "*" (any text) and "?" (one character) are special, and there are no others`;
}

/** The same for a glob of names, which have letters, digits and hyphens only. */
export function nameGlobProblem(glob: string): string | undefined {
  const problem = globProblem(glob);
  if (problem !== undefined || /^[-A-Za-z0-9*?]+$/.test(glob)) return problem;
  return `${quote(glob)} matches no name: names have letters, digits and hyphens; "*" is any text and "?" one character`;
}

/** Returns true if the whole text matches the glob. Upper and lower case differ. */
export function matchesGlob(glob: string, text: string): boolean {
  let [g, t] = [0, 0];
  // The last star, and the place in the text up to which it stands.
  let [star, end] = [-1, 0];
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++;
      end = t;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++;
      t++;
    } else if (star !== -1) {
      g = star + 1;
      t = ++end;
    } else {
      return false;
    }
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}
