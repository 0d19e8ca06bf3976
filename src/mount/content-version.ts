/**
 * Makes the version under which a file is reported to the driver if no version of an object says when it changes. The
 * makers of literals, metadata and templates call it.
 */

import { createHash } from 'node:crypto';

/** Hexadecimal digits of a version, as many as versions of Key Vault have. */
const VERSION_LENGTH = 32;

/** Returns a digest of what the file is made of, so that a driver that compares versions sees a change. */
export function contentVersionOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, VERSION_LENGTH);
}
