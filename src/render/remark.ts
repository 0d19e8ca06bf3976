/**
 * The errors and notes that `render` prints about its input, in the form `file:line:column: error: message`. Made by
 * find.ts and remarks.ts, printed by the command.
 */

/** An error or a note about the input. If there is an error, no manifests are printed. */
export interface Remark {
  readonly severity: 'error' | 'note';
  /** The name of the text that it is about. */
  readonly source: string;
  /** From 1. */
  readonly line: number;
  /** From 1; absent if it is not known. */
  readonly column?: number;
  readonly message: string;
}

/** Returns `file:line:column: error: message`, a form that editors can open. */
export function formatRemark({ severity, source, line, column, message }: Remark): string {
  const place = [source, line, ...(column === undefined ? [] : [column])].join(':');
  return `${place}: ${severity}: ${message}`;
}
