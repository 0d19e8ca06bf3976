/**
 * Makes notes and warnings about files of certificates that can be foreseen from the manifest alone, such as a private
 * key that every user may read. Called by the readers of objects. It refuses nothing.
 */

import { type OutputKind, outputsThat, traitsOf } from '../pki/outputs.ts';
import type { Fields } from './fields.ts';
import type { NamedOutput } from './outputs.ts';

/** The permission bits of users that are neither owner nor group. */
const OTHERS = 0o007;

/** Makes the notes on a `files` map that need no look at the certificate. */
export function noteOutputs(object: Fields, outputs: readonly NamedOutput[]): void {
  const files = object.value('files')?.kind === 'map' ? object.map('files') : undefined;
  if (files === undefined) return;
  for (const { output, mode, passwordFrom } of outputs) {
    const { holdsKey, takesPassword } = traitsOf(output);
    if (holdsKey && (mode & OTHERS) !== 0 && isChosen('filePermission', output, [object, files])) {
      const octal = mode.toString(8).padStart(4, '0');
      files.note(output, `holds the private key, and ${octal} opens it to every user; "0640" or "0600" does not`);
    }
    if (passwordFrom === '' && holdsKey && takesPassword) {
      files.note(output, 'is written with the empty password; if its reader wants one, name a secret by passwordFrom');
    }
  }
  if (object.has('keyFormat') && !outputs.some(({ output }) => traitsOf(output).takesKeyFormat)) {
    object.note('keyFormat', `has no effect: none of the files is ${outputsThat('takesKeyFormat').join(' or ')}`);
  }
}

/** The official provider's fields about an object's one file. */
export interface ValueFileTexts {
  readonly objectAlias: string;
  readonly objectType: string;
  readonly objectFormat: string;
  readonly objectEncoding: string;
}

/** Makes notes on a file in the official provider's way that will not be what its name or format promises. */
export function noteValueFile(object: Fields, path: string, texts: ValueFileTexts): void {
  const { objectAlias, objectType: type, objectFormat: format, objectEncoding: encoding } = texts;
  const field = objectAlias === '' ? 'objectName' : 'objectAlias';
  const extension = /\.(key|pfx|p12|jks)$/i.exec(path)?.[1]?.toLowerCase();
  if (type === 'cert' && extension !== undefined) {
    object.note(
      field,
      'names a file of the certificate alone, in PEM and without private key; objectType: secret reads both',
    );
  } else if (type === 'secret' && format === '' && encoding === '' && extension !== undefined && extension !== 'key') {
    object.note(
      field,
      'names a file that a certificate is written to in PEM; for a keystore use files with pfx or truststore',
    );
  } else if (type === 'secret' && format.toLowerCase() === 'pfx' && encoding === '') {
    object.note(
      'objectFormat',
      'gives the PFX as base64 text; objectEncoding: base64 next to it makes the file binary',
    );
  }
}

/** True if the manifest itself sets the field, for this output or for all of the object's. */
function isChosen(name: string, output: OutputKind, [object, files]: readonly [Fields, Fields]): boolean {
  const own = files.value(output);
  return object.has(name) || (own?.kind === 'map' && own.entries.has(name));
}
