/**
 * Reads lines of the provider's log, in both of its formats. `why` calls it. A line that is in neither format gives no
 * fields.
 */

import { jsonValue, membersOf } from '../base/json.ts';

/** The fields of a line by name, such as `msg`, `level`, `pod` and `code`. */
export type LogFields = Readonly<Record<string, string>>;

/** Returns the fields of a line of logfmt or JSON. */
export function fieldsOf(line: string): LogFields {
  return line.startsWith('{') ? jsonFields(line) : logfmtFields(line);
}

function jsonFields(line: string): LogFields {
  return Object.fromEntries(Object.entries(membersOf(jsonValue(line))).map(([name, one]) => [name, textOf(one)]));
}

function logfmtFields(line: string): LogFields {
  const fields: Record<string, string> = {};
  for (const [, name = '', value = ''] of line.matchAll(/(?:^| )([\w.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)/g))
    fields[name] = value.startsWith('"') ? unquoted(value) : value;
  return fields;
}

function unquoted(quoted: string): string {
  return textOf(jsonValue(quoted) ?? quoted);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
