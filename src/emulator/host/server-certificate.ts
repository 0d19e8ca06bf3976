/**
 * Issues the TLS certificate of the emulator's listener. The emulator calls it. Refuses a CA that cannot sign it.
 */

import type { KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { Secret } from '../../base/secret.ts';
import { ISSUER_HOST, LOGIN_HOST, VAULT_SUFFIX } from '../http/routing.ts';
import { type Authority, createAuthority, defaultValidity, uploadedMaterial } from '../world/certificates.ts';
import { canCertify, DEFAULT_EKUS, issueCertificate } from '../world/issue.ts';
import { DEFAULT_KEY, generateKey } from '../world/key-material.ts';

/** The key and certificates of a TLS listener, and the root that its clients must trust; all PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
  readonly caPem: string;
  /** The root with its private key, for the next emulator. */
  readonly caWithKeyPem: string;
}

type Ca = Pick<Authority, 'key'> & { readonly certificate: X509Certificate };

const DAY_MS = 24 * 3600 * 1000;

/**
 * Issues a certificate for the emulator's names. The CA is given as PEM with its private key; if absent, a new CA is
 * made. `now` is in milliseconds since 1970. Throws: ERR_BAD_PARAMETERS for a CA that cannot be used.
 */
export async function createServerCertificate(
  names: { vaults: readonly string[]; hosts: readonly string[]; listen: string },
  { now, ca: given }: { now: number; ca: string | undefined },
): Promise<ServerCertificate> {
  const validity = defaultValidity(now);
  const ca = given === undefined ? await createCa(validity.from) : await readCa(given, now);
  const key = await generateKey(DEFAULT_KEY);
  if (key === undefined) throw new Error('no key for the emulator');
  const hosts = [
    `*.${VAULT_SUFFIX}`,
    ...names.vaults.map((vault) => `${vault.toLowerCase()}.${VAULT_SUFFIX}`),
    LOGIN_HOST,
    ISSUER_HOST,
    'localhost',
    '127.0.0.1',
    '::1',
    names.listen,
    ...names.hosts,
  ];
  const unique = [...new Set(hosts)];
  const certificate = await issueCertificate({
    subject: `CN=${LOGIN_HOST}`,
    key,
    issuer: ca,
    notBefore: validity.from,
    notAfter: Math.min(validity.to, Date.parse(ca.certificate.validTo)),
    authority: false,
    names: { dns: unique.filter((name) => isIP(name) === 0), ip: unique.filter((name) => isIP(name) !== 0), email: [] },
    ekus: DEFAULT_EKUS,
  });
  const caPem = ca.certificate.toString();
  return { key: pemOf(key), cert: `${certificate}${caPem}`, caPem, caWithKeyPem: `${pemOf(ca.key)}${caPem}` };
}

async function createCa(from: number): Promise<Ca> {
  const validity = { from, to: from + 10 * 365 * DAY_MS };
  const subject = 'CN=akv-csi emulator CA';
  const { key, chain } = await createAuthority({ name: 'emulator', subject, key: DEFAULT_KEY, validity }, undefined);
  return { key, certificate: chain[0] };
}

async function readCa(pem: string, now: number): Promise<Ca> {
  const { key, leaf: certificate } = await uploadedMaterial(new Secret(pem), undefined).catch((error: unknown) => {
    throw badCa(messageOf(error));
  });
  if (key === undefined) throw badCa('it contains no private key');
  if (!certificate.ca) throw badCa('the certificate is not a CA certificate');
  if (!canCertify(key)) throw badCa('its key is not RSA, P-256, P-384 or P-521');
  if (Date.parse(certificate.validTo) < now + DAY_MS) throw badCa(`it is valid only until ${certificate.validTo}`);
  return { key, certificate };
}

function badCa(reason: string): ProviderError {
  return new ProviderError(
    'ERR_BAD_PARAMETERS',
    `The CA of --ca-key-file cannot be used: ${reason}; remove the file to create a new CA`,
  );
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}
