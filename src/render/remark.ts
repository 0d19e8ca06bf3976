/**
 * The errors and notes that `render` prints about its input, in the form `file:line:column: error: message`. Made by
 * find.ts and remarks.ts, printed by the command.
 */

/** A message of `render`. Without a source it is about the command line, or about all sources. */
export interface Message {
  readonly severity: 'error' | 'warning' | 'note';
  readonly message: string;
  /** The name of the text that it is about. */
  readonly source?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1; absent if it is not known. */
  readonly column?: number;
}

/** An error or a note about the input. If there is an error, no manifests are printed. */
export interface Remark extends Message {
  readonly severity: 'error' | 'note';
  readonly source: string;
  readonly line: number;
}

/** Returns `file:line:column: error: message`, a form that editors can open. */
export function formatRemark({ severity, source, line, column, message }: Message): string {
  const place = [source, line, column].filter((part) => part !== undefined).join(':');
  return `${place === '' ? '' : `${place}: `}${severity}: ${message}`;
}
