/**
 * Makes the loggers of the commands. `serve`, `mount` and `check --fetch` call it.
 */

import { systemClock } from '../base/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../base/log.ts';
import { logLine } from './log-line.ts';

/** Format and level of the log. */
export interface LogOptions {
  readonly json: boolean;
  /** `-v`: details from 2, debug from 5. */
  readonly verbosity: number;
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
}

const DETAIL_VERBOSITY = 2;
const DEBUG_VERBOSITY = 5;

/**
 * Returns a logger that writes warnings and errors to stderr, and the rest to stdout. Fields that are undefined or
 * empty are left out. The fields of the logger come first, and long texts last.
 */
export function createLogger(options: LogOptions, base: LogFields = {}): Logger {
  const { json, verbosity, stdout, stderr } = options;
  const line = (level: string, msg: string, fields: LogFields = {}) => {
    const { detail, error, stack, ...short } = { ...base, ...fields };
    const head = { ts: new Date(systemClock.wall()).toISOString(), level, msg };
    // A field of the same name must not replace `ts`, `level` or `msg` of the line.
    const all = Object.entries({ ...head, ...short, ...head, detail, error, stack });
    return logLine(
      all.filter(([, value]) => value !== undefined && value !== ''),
      json,
    );
  };
  return {
    error: (message, fields) => stderr(line('error', message, fields)),
    warn: (message, fields) => stderr(line('warn', message, fields)),
    info: (message, fields) => stdout(line('info', message, fields)),
    detail: (message, fields) => {
      if (verbosity >= DETAIL_VERBOSITY) stdout(line('info', message, fields));
    },
    debug: (message, fields) => {
      if (verbosity >= DEBUG_VERBOSITY) stdout(line('debug', message, fields));
    },
    with: (fields) => createLogger(options, { ...base, ...fields }),
  };
}

/**
 * Returns a logger that passes the whole text of each warning, and its message, to `say`, and drops every other line. The
 * whole text is the detail of a line, or else its message with its fields.
 */
export function warningsTo(say: (text: string, message: string) => void): Logger {
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields = {}) => say(String(fields.detail ?? withFields(message, fields)), message),
    with: () => logger,
  };
  return logger;
}

function withFields(message: string, fields: LogFields): string {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return present.length === 0 ? message : `${message}: ${logLine(present, false).trimEnd()}`;
}
