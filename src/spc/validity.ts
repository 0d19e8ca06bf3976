/**
 * Reads `validity`: what is done about an object whose dates do not hold now. Called by the readers of objects in both
 * forms, and for the parameter. Refuses `previous` for one named version, which has no previous one.
 */

import { oneOf, quote } from '../base/words.ts';
import type { Fields } from './fields.ts';
import type { ObjectSpec, Validity } from './model.ts';

/** The name of the field and of the parameter. */
export const VALIDITY_FIELD = 'validity';

const VALIDITIES: readonly Validity[] = ['ignore', 'warn', 'enforce', 'previous'];

/** Returns the value of a text, or the rule that the text breaks. An empty text says nothing. */
export function validityOf(text: string): { readonly validity?: Validity; readonly problem?: string } {
  if (text === '') return {};
  const validity = VALIDITIES.find((one) => one === text.toLowerCase());
  return validity === undefined ? { problem: `${quote(text)} must be ${oneOf(VALIDITIES)}` } : { validity };
}

/** Returns what an object says; undefined if it says nothing. */
export function parseValidity(
  fields: Fields,
  { version, history }: Pick<ObjectSpec, 'version' | 'history'>,
): Validity | undefined {
  const { validity, problem } = validityOf(fields.text(VALIDITY_FIELD));
  if (problem !== undefined) fields.error(VALIDITY_FIELD, problem);
  if (validity === 'previous' && version !== '' && history <= 1)
    fields.error(VALIDITY_FIELD, 'previous takes another version than the one that is named; write enforce');
  return validity;
}

/** Gives the value of the parameter to the objects that say nothing. */
export function withValidity(objects: readonly ObjectSpec[], validity: Validity | undefined): readonly ObjectSpec[] {
  if (validity === undefined) return objects;
  return objects.map((object) => (object.validity === undefined ? { ...object, validity } : object));
}
