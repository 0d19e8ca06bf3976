import { systemClock } from '../base/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../base/log.ts';

/** How log lines look and which there are. */
export interface LogOptions {
  readonly json: boolean;
  /** `-v`: details from 2, debug from 5. */
  readonly verbosity: number;
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
}

const DETAIL_VERBOSITY = 2;
const DEBUG_VERBOSITY = 5;

/** Writes log lines: warnings and errors to stderr, the rest to stdout. Fields that are undefined or empty are left out. */
export function createLogger(options: LogOptions, base: LogFields = {}): Logger {
  const { verbosity, stdout, stderr } = options;
  const format = options.json ? jsonLine : textLine;
  const line = (level: string, message: string, fields: LogFields = {}) => {
    const all = Object.entries({ ...base, ...fields }).filter(([, value]) => value !== undefined && value !== '');
    return format({ ts: new Date(systemClock.wall()).toISOString(), level, msg: message }, all);
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

/** Passes warnings on and drops every other line. */
export function warningsTo(say: (message: string, fields: LogFields) => void): Logger {
  const logger: Logger = { ...silentLogger, warn: (message, fields = {}) => say(message, fields), with: () => logger };
  return logger;
}

interface Head {
  readonly ts: string;
  readonly level: string;
  readonly msg: string;
}

type Fields = readonly (readonly [string, unknown])[];

function jsonLine(head: Head, fields: Fields): string {
  // A field of the same name must not take the place of the line's own.
  const own = fields.filter(([name]) => !(name in head)).map(([name, value]) => [name, plainOf(value)]);
  return `${JSON.stringify({ ...head, ...Object.fromEntries(own) })}\n`;
}

function textLine({ ts, level, msg }: Head, fields: Fields): string {
  const pairs = fields.map(([name, value]) => ` ${name}=${textOf(value)}`);
  return `${ts} ${level.toUpperCase().padEnd(5)} ${msg.replace(/\p{Cc}+/gu, ' ')}${pairs.join('')}\n`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string' && /^[^\s\p{Cc}"=]+$/u.test(value)) return value;
  return JSON.stringify(plainOf(value));
}

/** A field as data that JSON can hold: a log line must never be what fails. */
function plainOf(value: unknown): unknown {
  try {
    return JSON.stringify(value) === undefined ? String(value) : value;
  } catch {
    return '[not printable]';
  }
}
