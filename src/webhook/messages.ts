/**
 * Keeps the texts of an answer within the limits of Kubernetes. Called by `validate.ts` and `mutate.ts`. The API server
 * cuts or drops warnings above its limits without a word; here, the last text says how many are left out.
 */

import { printable } from '../base/printable.ts';

/** The API server cuts each warning to this number of characters if all together are too long. */
const MAX_WARNING_CHARACTERS = 256;
/** The API server drops warnings beyond this number of characters. */
const MAX_WARNINGS_CHARACTERS = 4096;
/** An HTTP status of the API has more room, but an event of a controller has 1024 characters, so the rest is rarely read. */
const MAX_MESSAGE_CHARACTERS = 8192;
/** Room for the text that says how many are left out. */
const RESERVED = 100;

/**
 * Returns the mistakes of an object as warnings of at most 256 characters each, and 4096 in all. Each mistake is a sentence
 * with its field.
 */
export function warningsOf(subject: string, mistakes: readonly string[]): readonly string[] {
  const texts = mistakes.map((message) => cut(printable(`${subject}: ${message}`), MAX_WARNING_CHARACTERS));
  return within(texts, MAX_WARNINGS_CHARACTERS);
}

/** Returns one message with all mistakes, a line for each. */
export function messageOfAll(subject: string, mistakes: readonly string[]): string {
  const [only] = mistakes;
  if (only !== undefined && mistakes.length === 1) return cut(printable(`${subject}: ${only}`), MAX_MESSAGE_CHARACTERS);
  const lines = mistakes.map((message) => cut(printable(message), MAX_MESSAGE_CHARACTERS / 2));
  return [`${subject} has ${mistakes.length} mistakes:`, ...within(lines, MAX_MESSAGE_CHARACTERS)].join('\n- ');
}

/** Returns the first texts that have room, and one that says how many others there are. */
function within(texts: readonly string[], maxCharacters: number): readonly string[] {
  let left = maxCharacters - RESERVED;
  const shown: string[] = [];
  for (const text of texts) {
    left -= [...text].length;
    if (left < 0) break;
    shown.push(text);
  }
  const others = texts.length - shown.length;
  return others === 0 ? shown : [...shown, `and ${others} more; "akv-csi check" or "akv-csi render" lists all`];
}

/** Cuts a text by characters, as the API server counts them. */
function cut(text: string, maxCharacters: number): string {
  const characters = [...text.slice(0, 2 * maxCharacters)];
  if (characters.length <= maxCharacters && text.length <= 2 * maxCharacters) return text;
  return `${characters.slice(0, maxCharacters - 1).join('')}…`;
}
