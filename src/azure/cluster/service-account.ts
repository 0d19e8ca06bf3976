/**
 * Reads what the kubelet mounts into the provider's pod for talking to the API server: the cluster's CA and the token of
 * the service account. Called for every request or login that needs them, since the kubelet renews both. Refuses files
 * that are large, no regular ones, or hold something else.
 */

import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { Secret } from '../../base/secret.ts';
import { readRegularFile, realPathOf } from '../http/regular-file.ts';

/** Where the kubelet mounts them in every pod. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

const MAX_CA_BYTES = 1024 * 1024;
/** A token has about one kilobyte. */
const MAX_TOKEN_BYTES = 16 * 1024;
/** The kubelet renews files by a link to another directory: a file may go between finding it and opening it. */
const TRIES = 2;

/** The file of the cluster's CA in a directory. */
export function caFileIn(directory: string): string {
  return join(directory, 'ca.crt');
}

/** The file of the token in a directory. */
export function tokenFileIn(directory: string): string {
  return join(directory, 'token');
}

/** The certificates of the cluster's CA, PEM. Throws: an `Error` with file, reason and remedy. */
export async function readClusterCa(file: string): Promise<string> {
  try {
    const text = await readMounted(file, MAX_CA_BYTES);
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate');
    return text;
  } catch (error) {
    const remedy = 'mount the ConfigMap kube-root-ca.crt there, as the chart does';
    throw new Error(`the cluster's CA cannot be read: open ${file}: ${messageOf(error)}; ${remedy}`);
  }
}

/** The token of the provider's own service account. Throws: an `Error` with file, reason and remedy. */
export async function readServiceAccountToken(file: string): Promise<Secret> {
  try {
    const text = (await readMounted(file, MAX_TOKEN_BYTES)).trim();
    if (!/^[\w.~+/=-]+$/.test(text)) throw new Error('it holds no token');
    return new Secret(text);
  } catch (error) {
    const remedy = 'mount a projected serviceAccountToken there, as the chart does';
    throw new Error(
      `the token of the provider's service account cannot be read: open ${file}: ${messageOf(error)}; ${remedy}`,
    );
  }
}

async function readMounted(file: string, maxBytes: number): Promise<string> {
  let failure: unknown;
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      return (await readRegularFile(await realPathOf(file), maxBytes)).text;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
