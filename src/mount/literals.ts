// Makes the files whose content stands in the manifest itself, such as a user name. Called by the pipeline; asks no
// vault. What a manifest says is no secret, so nothing is hidden here.

import { createHash } from 'node:crypto';
import type { LiteralFile } from '../spc/model.ts';
import type { MadeFile } from './response.ts';

/** As long as the versions of Key Vault are, in hexadecimal digits. */
const VERSION_LENGTH = 32;

/**
 * The file of a literal. Its version is a digest of the text, which is no secret: equal texts have equal versions, and a
 * driver that compares versions sees a change.
 */
export function fileOfLiteral({ label, path, mode, text }: LiteralFile): MadeFile {
  const version = createHash('sha256').update(text).digest('hex').slice(0, VERSION_LENGTH);
  const source = { id: `literal/${path}`, version };
  return { file: { path, mode, contents: Buffer.from(text) }, source, owner: label };
}
