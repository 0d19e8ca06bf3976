/**
 * Reads the certification authorities that the operator's environment names beside Node's own. Called once, when the
 * provider starts. A file that cannot be read is left out, as OpenSSL does.
 */

import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { readMountedFile } from '../../base/regular-file.ts';

/** Sources of certificates beyond Node's own: `SSL_CERT_FILE`, `SSL_CERT_DIR`, `NODE_EXTRA_CA_CERTS`. */
export interface TrustSources {
  readonly certFile: string | undefined;
  /** Directories, separated by `:`. */
  readonly certDir: string | undefined;
  readonly extraCaFile: string | undefined;
}

/** A bundle of all public authorities has a twentieth of this size. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 2000;

/**
 * Returns the certificates to trust in addition to Node's own, each as PEM. Those that Node has are left out: a bundle of
 * the system has mostly the same ones, and each costs time and memory in every process.
 */
export async function readTrust({ certFile, certDir, extraCaFile }: TrustSources): Promise<readonly string[]> {
  if (!certFile && !certDir) return [];
  const files = [certFile ?? '', extraCaFile ?? '', ...(await filesIn(certDir ?? ''))].filter((file) => file !== '');
  const texts = await Promise.all([...new Set(files)].slice(0, MAX_FILES).map(textOf));
  const pems = texts.flatMap(certificatesIn);
  const own = new Set(rootCertificates.map(withoutBlanks));
  const others = new Map(pems.map((pem) => [withoutBlanks(pem), pem]));
  return [...others].filter(([text, pem]) => !own.has(text) && isCertificate(pem)).map(([, pem]) => pem);
}

/** Returns the text of a PEM file without line breaks, which differ from tool to tool. */
function withoutBlanks(pem: string): string {
  return pem.replace(/\s+/g, '');
}

async function filesIn(directories: string): Promise<readonly string[]> {
  const names = directories.split(':').filter((directory) => directory !== '');
  const lists = names.map(async (directory) => {
    const entries = await readdir(directory).catch((): string[] => []);
    return entries.map((name) => join(directory, name));
  });
  return (await Promise.all(lists)).flat();
}

async function textOf(file: string): Promise<string> {
  return readMountedFile(file, MAX_FILE_BYTES).catch(() => '');
}

/** Returns the certificates in a text of PEM. Some may be none that Node can read; see {@link isCertificate}. */
export function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** Returns true if a text in PEM is a certificate that Node can read. */
export function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
