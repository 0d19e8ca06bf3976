/**
 * Recognises texts that documentation or a template language leaves to be filled in: `<tenant>`, `$X`, `${X}`, `{{
 * .Values.x }}`. Called for each value of a manifest that a message is about. No form is one that the name of a vault
 * or object can have.
 */

import { isGuid } from '../base/guid.ts';
import { quote } from '../base/words.ts';

/** Longer texts are not searched for placeholders. */
const MAX_CHARS = 1000;

/** Forms in brackets, anywhere in a text: no path or user name has them by chance. */
const BRACKETED = /<[^<>]*>|\$\{[^{}]*\}|\$\([^()]*\)|\$\[[^[\]]*\]|\{\{[^{}]*\}\}|#\{[^{}]*\}#?/;
/** Those, and signs around a word. */
const ANYWHERE = new RegExp(
  `${BRACKETED.source}|\\$[A-Za-z_]\\w*|__[A-Za-z]\\w*?__|##[\\w.-]+##|\\{\\w+\\}|%[A-Za-z]\\w*%|@[A-Za-z]\\w*@`,
);
/** Words that are a placeholder if they are the whole text. */
const WORDS =
  /^((YOUR|REPLACE|CHANGE|INSERT|ENTER|FILL|PUT)_[A-Z0-9_]+|your_\w+|change_me|(replace|insert|put)_(me|with|this|your)\w*|\[[^[\]]+\]|\.\.\.|…)$/;
/** The same for IDs, which are GUIDs or domains: with hyphens, and with digits as placeholders. */
const ID_WORDS = /^((your|replace|change|insert|enter|put|fill)[-_ ]?[a-z _-]+|([a-z]+[-_ ])+id)$/i;
const SAMPLE_GUID = /^(0{8}(-0{4}){3}-0{12}|x{8}(-x{4}){3}-x{12})$/i;

/** Returns the placeholder in a name, an ID or a word of a manifest; undefined if there is none. */
export function placeholderIn(text: string): string | undefined {
  if (text.length > MAX_CHARS) return undefined;
  return ANYWHERE.exec(text)?.[0] ?? WORDS.exec(text.trim())?.[0];
}

/** Returns the placeholder in a text that may contain anything, such as a path or a user name. */
export function bracketedPlaceholderIn(text: string): string | undefined {
  return text.length > MAX_CHARS ? undefined : BRACKETED.exec(text)?.[0];
}

/** Adds to a message about a text that the text holds a placeholder, unless the message says so already. */
export function withPlaceholder(message: string, text: string): string {
  const placeholder = message.includes('placeholder') ? undefined : placeholderIn(text);
  return placeholder === undefined
    ? message
    : `${message}; ${quote(placeholder)} is a placeholder that was not replaced`;
}

/**
 * Does the same for a message about line `line` (from 0) of a YAML text; the placeholder is there or on the line
 * before.
 */
export function withPlaceholderAt(message: string, text: string, line: number): string {
  const lines = text.split('\n').slice(Math.max(0, line - 1), line + 1);
  const placeholder = lines
    .toReversed()
    .map(bracketedPlaceholderIn)
    .find((found) => found !== undefined);
  return placeholder === undefined ? message : withPlaceholder(message, placeholder);
}

/** True for a text that is nothing but a placeholder, such as `<AKV directory ID>`. */
export function isPlaceholder(text: string): boolean {
  return placeholderIn(text) === text.trim();
}

/** Returns a warning about a client ID that is not a placeholder, or undefined. */
export function clientIdDoubt(text: string): string | undefined {
  if (SAMPLE_GUID.test(text) || ID_WORDS.test(text)) return SAMPLE;
  const rule = 'it takes the client ID (application ID) of the identity, not its name, object ID or resource ID';
  return isGuid(text) ? undefined : `is not a GUID; ${rule}`;
}

/** Returns a warning about a tenant ID that is not a placeholder, or undefined. */
export function tenantDoubt(text: string): string | undefined {
  return SAMPLE_GUID.test(text) || ID_WORDS.test(text) ? SAMPLE : undefined;
}

const SAMPLE = 'is a sample of documentation; put the real ID there';
