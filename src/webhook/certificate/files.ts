/**
 * Reads the files of the webhook's certificate, which the kubelet mounts and renews. Called by `keeper.ts` again and
 * again. Refuses files that are too large, that are no PEM, and a certificate and key that do not belong together.
 */

import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { messageOf, systemCodeOf } from '../../base/errors.ts';
import { readMountedFile } from '../../base/regular-file.ts';
import type { Authority } from './issue.ts';
import { type KeyPair, periodOf } from './key-pair.ts';

/** Where the certificate comes from. */
export type CertificateSource =
  /** A directory with `tls.crt` and `tls.key`, such as a Secret of cert-manager. */
  | { readonly kind: 'files'; readonly directory: string }
  /** A directory with `ca.crt` and `ca.key`, from which this process issues certificates for the names. */
  | { readonly kind: 'authority'; readonly directory: string; readonly dnsNames: readonly string[] };

/** A chain of a few certificates takes ten kilobytes. */
const MAX_FILE_BYTES = 256 * 1024;

/** Reads `tls.crt` and `tls.key`. Throws: an `Error` with the file, the reason and the remedy. */
export async function readKeyPair(directory: string): Promise<KeyPair> {
  const certificate = await readIn(directory, 'tls.crt');
  const key = await readIn(directory, 'tls.key');
  try {
    createSecureContext({ cert: certificate, key });
    return { certificate, key, period: periodOf(certificate) };
  } catch (error) {
    const code = systemCodeOf(error) || 'they cannot be read';
    const reason = code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'they do not belong together' : code;
    throw new Error(`${join(directory, 'tls.crt')} and tls.key: ${reason}; write a PEM certificate and its key there`);
  }
}

/** Reads `ca.crt` and `ca.key`. Throws: an `Error` with the file, the reason and the remedy. */
export async function readAuthority(directory: string): Promise<Authority> {
  const certificate = await readIn(directory, 'ca.crt');
  const key = await readIn(directory, 'ca.key');
  try {
    return { certificate, key, period: periodOf(certificate) };
  } catch {
    throw new Error(`${join(directory, 'ca.crt')} holds no PEM certificate; mount the Secret of the chart there`);
  }
}

async function readIn(directory: string, name: string): Promise<string> {
  const file = join(directory, name);
  try {
    return await readMountedFile(file, MAX_FILE_BYTES);
  } catch (error) {
    throw new Error(`open ${file}: ${messageOf(error)}; mount the Secret of the webhook's certificate there`);
  }
}
