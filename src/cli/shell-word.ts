/**
 * Writes a text as one word of a shell, for the commands that `emulator-text.ts` and `demo/keep-running.ts` print to be
 * pasted. It refuses nothing.
 */

/** Returns the text as it is if it has no special characters, else in single quotes. */
export function shellWord(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
