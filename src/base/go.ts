/**
 * Values in the notation of Go, which the official provider reads from manifests and flags.
 * Called by the readers of parameters and of flags.
 */

/** A boolean as Go's `strconv.ParseBool` reads it; undefined for any other text. */
export function parseGoBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}
