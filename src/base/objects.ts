/**
 * The kinds of objects that Key Vault holds. Every room that names such a kind uses this type.
 */

/** A kind of object, by the words of the official provider's `objectType`. */
export type ObjectType = 'secret' | 'key' | 'cert';

/** Stands for the name of an object in a request for all objects of a type. */
export const ALL_OBJECTS = '*';
