/**
 * Makes the files whose content is in the manifest itself, such as a user name. `mount.ts` calls it. No vault is asked,
 * and the content is not treated as secret.
 */

import { createHash } from 'node:crypto';
import type { LiteralFile } from '../spc/model.ts';
import type { MadeFile } from './response.ts';

/** Hexadecimal digits of a version, as many as versions of Key Vault have. */
const VERSION_LENGTH = 32;

/**
 * Returns the file of a literal. Its version is a digest of the text, so that a driver that compares versions sees a
 * change.
 */
export function fileOfLiteral({ label, path, mode, text }: LiteralFile): MadeFile {
  const version = createHash('sha256').update(text).digest('hex').slice(0, VERSION_LENGTH);
  const source = { id: `literal/${path}`, version };
  return { file: { path, mode, contents: Buffer.from(text) }, source, owner: label };
}
