/**
 * Reads the cluster's CA and the service account's token, which the kubelet mounts into the provider's pod. Called for
 * each request to the API server and each login by identity binding, because the kubelet renews both files. Refuses
 * files that are too large, not regular, or have other contents.
 */

import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { readMountedFile } from '../../base/regular-file.ts';
import { Secret } from '../../base/secret.ts';

/** The directory of these files in every pod. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

const MAX_CA_BYTES = 1024 * 1024;
/** A token has about one kilobyte. */
const MAX_TOKEN_BYTES = 16 * 1024;

/** Returns the path of the cluster's CA in a directory. */
export function caFileIn(directory: string): string {
  return join(directory, 'ca.crt');
}

/** Returns the path of the token in a directory. */
export function tokenFileIn(directory: string): string {
  return join(directory, 'token');
}

/** Returns the certificates of the cluster's CA in PEM. Throws: an `Error` with file, reason and remedy. */
export async function readClusterCa(file: string): Promise<string> {
  try {
    const text = await readMountedFile(file, MAX_CA_BYTES);
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate');
    return text;
  } catch (error) {
    const remedy = 'mount the ConfigMap kube-root-ca.crt there, as the chart does';
    throw new Error(`the cluster's CA cannot be read: open ${file}: ${messageOf(error)}; ${remedy}`);
  }
}

/** Returns the token of the provider's own service account. Throws: an `Error` with file, reason and remedy. */
export async function readServiceAccountToken(file: string): Promise<Secret> {
  try {
    const text = (await readMountedFile(file, MAX_TOKEN_BYTES)).trim();
    if (!/^[\w.~+/=-]+$/.test(text)) throw new Error('it holds no token');
    return new Secret(text);
  } catch (error) {
    const remedy = 'mount a projected serviceAccountToken there, as the chart does';
    throw new Error(
      `the token of the provider's service account cannot be read: open ${file}: ${messageOf(error)}; ${remedy}`,
    );
  }
}
