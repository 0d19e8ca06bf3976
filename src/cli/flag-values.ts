/**
 * Checks values of flags by more than their kind. `serve-flags.ts` and `webhook-flags.ts` call it. Refuses a value with
 * its flag and the rule.
 */

import { isIP } from 'node:net';
import { oneOf } from '../base/words.ts';
import { type FlagValues, wrongValue } from './go-flags.ts';

/** Reads values by the name of the flag, each in the type of its kind. */
export interface FlagReader {
  text(name: string): string;
  number(name: string): number;
  flag(name: string): boolean;
}

/** Returns a reader of the values of a command line. */
export function flagReader(values: FlagValues): FlagReader {
  return {
    text: (name) => String(values.get(name)),
    number: (name) => Number(values.get(name)),
    flag: (name) => values.get(name) === true,
  };
}

/** Returns the known word that the value is, without regard to case. Throws: ERR_USAGE. */
export function knownWord<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one.toLowerCase() === value.toLowerCase());
  if (found === undefined) throw wrongValue(name, value, oneOf(known));
  return found;
}

/** Returns the words of a list with commas. */
export function wordsOf(value: string): readonly string[] {
  return value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** Returns an IP address, or an empty text for every interface. Throws: ERR_USAGE. */
export function hostOf(name: string, value: string): string {
  if (value !== '' && isIP(value) === 0) throw wrongValue(name, value, 'an IP address such as 127.0.0.1');
  return value;
}

/** Returns a path of HTTP, which begins with `/`. */
export function pathOf(value: string): string {
  return value.startsWith('/') ? value : `/${value}`;
}
