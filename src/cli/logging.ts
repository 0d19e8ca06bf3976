import type { LogFields, Logger } from '../base/log.ts';

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
  const { json, verbosity, stdout, stderr } = options;
  const line = (level: string, message: string, fields: LogFields = {}) => {
    const all = Object.fromEntries(
      Object.entries({ ...base, ...fields }).filter(([, value]) => value !== undefined && value !== ''),
    );
    const ts = new Date().toISOString();
    if (json) return `${JSON.stringify({ ts, level, msg: message, ...all })}\n`;
    const pairs = Object.entries(all).map(([key, value]) => ` ${key}=${plain(value)}`);
    return `${ts} ${level.toUpperCase().padEnd(5)} ${message.replace(/\r?\n/g, ' ')}${pairs.join('')}\n`;
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

function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text ?? '') ? (text ?? '') : JSON.stringify(value);
}
