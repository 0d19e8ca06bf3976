/**
 * The errors and notes that `render` prints about its input, in the form `file:line:column: error: message`. Made by
 * find.ts and remarks.ts, printed by the command.
 */

/** Something to tell the user about the input: an error keeps everything from being printed, a note does not. */
export interface Remark {
  readonly severity: 'error' | 'note';
  /** Name of the text it is about. */
  readonly source: string;
  /** From 1. */
  readonly line: number;
  /** From 1, where it is known. */
  readonly column?: number;
  readonly message: string;
}

/** `file:line:column: error: message`, the form editors know. */
export function formatRemark({ severity, source, line, column, message }: Remark): string {
  const place = [source, line, ...(column === undefined ? [] : [column])].join(':');
  return `${place}: ${severity}: ${message}`;
}
