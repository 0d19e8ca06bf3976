/**
 * Makes the `secretObjects` of a SecretProviderClass, from which the driver creates Kubernetes Secrets. Called by
 * `render` with `--sync-secrets`. Leaves out files that may be missing, since the driver then syncs nothing.
 */

import type { ExpectedFile, ReadField } from './field.ts';

/** An entry of `secretObjects` in a SecretProviderClass: a Kubernetes Secret that the driver creates. */
export interface SecretObject {
  readonly secretName: string;
  readonly type: 'Opaque' | 'kubernetes.io/tls';
  readonly data: readonly { readonly key: string; readonly objectName: string }[];
}

const TLS_PAIR = ['tls.crt', 'tls.key'];

/**
 * Returns the Secrets that replace the one that `secretName` named. A `kubernetes.io/tls` Secret gets its two keys and
 * no more: the driver refuses any other key in it, so a CA goes into a second, Opaque Secret `<name>-ca`.
 * Files that may be missing are left out: the driver syncs nothing of a Secret that names a file that it cannot find.
 */
export function secretObjectsOf(name: string, { files, names }: ReadField): readonly SecretObject[] {
  const hasChain = names.some((field) => field.startsWith('vaultCaChain'));
  const certain = files.filter(({ presence }) => presence !== 'if-present' || hasChain);
  const isPair = ({ path }: ExpectedFile) => TLS_PAIR.includes(path);
  const pair = certain.filter(isPair);
  if (pair.length < TLS_PAIR.length) return opaque(name, certain);
  const tls: SecretObject = { secretName: name, type: 'kubernetes.io/tls', data: pair.map(entryOf) };
  return [
    tls,
    ...opaque(
      `${name}-ca`,
      certain.filter((file) => !isPair(file)),
    ),
  ];
}

function opaque(secretName: string, files: readonly ExpectedFile[]): readonly SecretObject[] {
  return files.length === 0 ? [] : [{ secretName, type: 'Opaque', data: files.map(entryOf) }];
}

function entryOf({ path }: ExpectedFile): { key: string; objectName: string } {
  return { key: path.replaceAll('/', '.'), objectName: path };
}
