/**
 * The logger that all rooms write to. `cli/logging.ts` makes the real one; tests and short commands use the silent one.
 */

/**
 * Fields of a log line. Values are plain data or `Secret`s, which print redacted. The message of a line is short and
 * always the same, and variable text is a field: `error` holds the text of a failure, `detail` that of a warning or a
 * note.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Receives log lines. Levels follow the official provider's `-v`: `info` is always on, `detail` from `-v 2`,
 * `debug` from `-v 5`.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  detail(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  with(fields: LogFields): Logger;
}

/** Drops every line. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  detail() {},
  debug() {},
  with: () => silentLogger,
};
