/**
 * Marks failures that the host itself answered, so that `SilentHosts` does not count them as silence. The vault client
 * throws its own kinds of it.
 */

/** A failure of a request that its host did answer. */
export class AnsweredError extends Error {}
