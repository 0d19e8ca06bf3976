/**
 * Makes the words of Entra ID, Key Vault or IMDS fit for an error message: on one line, short, and the same each time.
 * Called when an answer is explained. Kubernetes counts equal events of a pod and repeats those that differ: request
 * ids, times and waits are therefore taken out. The log has the request id.
 */

import { clip } from '../../base/words.ts';

/**
 * Patterns that differ from one answer to the next although the cause is the same, with their replacements. Separators
 * before them are bounded: without a bound, a long row of them is looked at again from each of its characters.
 */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [
    /[\s,;.([-]{0,9}\b(?:(?:(?:client[-_ ]?)?request|trace|correlation|activity|tracking|session)[-_ ]?id|reference)\b["']?\s*[:=]?\s*["']?[0-9a-f][-0-9a-f]{7,}\b["')\]]*/gi,
    '',
  ],
  [/[\s,;.([-]{0,9}\btimestamp\b["']?\s*[:=]\s*["']?[-0-9:/.]+(?:[T ][0-9:.]+)?\s?Z?["')\]]*/gi, ''],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:Z|UTC|[-+]\d\d:?\d\d)?/g, '…'],
  [/\b\d{1,2}\/\d{1,2}\/\d{4},? \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?/gi, '…'],
  [/\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*, \d{1,2} [a-z]{3} \d{4} \d\d:\d\d:\d\d(?: GMT)?/gi, '…'],
  [/\b\d+(?:\.\d+)?(?= ?(?:ms|milliseconds?|s|sec|secs|seconds?|minutes?)\b)/gi, '…'],
  [/\b1\d{9}(?:\d{3})?\b/g, '…'],
  // The port of a client is another one for each connection.
  [/((?:client|source|caller|remote)[- ]?(?:ip)?[- ]?(?:address)?\s*[:=]?\s*\d{1,3}(?:\.\d{1,3}){3}):\d+/gi, '$1'],
];

/** No answer of Azure needs more for its first 200 characters to be complete. */
const MAX_READ = 4000;

/** Returns a server's own text for a message, or an empty text if it said nothing. */
export function serverWords(text: string): string {
  let words = text.slice(0, MAX_READ);
  for (const [pattern, replacement] of VOLATILE) words = words.replace(pattern, replacement);
  return clip(words.replace(/\s+/g, ' ').trim());
}
