/**
 * The kinds of objects that Key Vault holds. Every room that names one uses this type. Imports nothing.
 */

/** A kind of object, by the words of the official provider's `objectType`. */
export type ObjectType = 'secret' | 'key' | 'cert';
