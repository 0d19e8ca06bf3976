/**
 * Makes the files whose content is in the manifest itself, such as a user name. `mount.ts` calls it. No vault is asked,
 * and the content is not treated as secret.
 */

import type { LiteralFile } from '../spc/model.ts';
import { contentVersionOf } from './content-version.ts';
import type { MadeFile } from './response.ts';

/** Returns the file of a literal. Its version is a digest of the text. */
export function fileOfLiteral({ label, path, mode, text }: LiteralFile): MadeFile {
  const source = { id: `literal/${path}`, version: contentVersionOf(text) };
  return { file: { path, mode, contents: Buffer.from(text) }, source, owner: label };
}
