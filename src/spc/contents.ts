/**
 * Makes the content of an object: one constructor for each kind, with what is the same for objects that do not say.
 * Called by the readers of both forms of parameters. A new field of a content gets its default value here.
 */

import type { ContentSpec } from './model.ts';

/** The official provider's one file. */
export type ValueContent = Extract<ContentSpec, { kind: 'value' }>;

/** Files made from a certificate or a chain. */
export type OutputsContent = Extract<ContentSpec, { kind: 'outputs' }>;

/** Files with parts of a value. */
export type PartsContent = Extract<ContentSpec, { kind: 'parts' }>;

/** Returns the content of one file; by default the text is unchanged, and chains are ordered. */
export function valueContent(
  given: Pick<ValueContent, 'path' | 'mode'> & Partial<Omit<ValueContent, 'kind'>>,
): ValueContent {
  return { kind: 'value', format: '', encoding: 'utf-8', split: false, orderChain: true, ...given };
}

/** Returns the content of `extract`; by default the value is text, and is not written itself. */
export function partsContent(given: Pick<PartsContent, 'parts'> & Partial<Omit<PartsContent, 'kind'>>): PartsContent {
  return { kind: 'parts', encoding: 'utf-8', whole: undefined, ...given };
}

/** Files of a certificate; by default none, for a server, without references to other objects. */
export function outputsContent(given: Partial<Omit<OutputsContent, 'kind'>> = {}): OutputsContent {
  return {
    kind: 'outputs',
    role: 'certificate',
    outputs: [],
    forClient: false,
    needsKey: false,
    chainFrom: undefined,
    passwordFrom: undefined,
    ...given,
  };
}
