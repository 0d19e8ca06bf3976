import { isIP } from 'node:net';
import { createAuthority, defaultValidity } from './certificates.ts';
import { DEFAULT_EKUS, issueCertificate } from './issue.ts';
import { DEFAULT_KEY, generateKey } from './key-material.ts';
import { LOGIN_HOST, VAULT_SUFFIX } from './routing.ts';

/** What a TLS listener needs, and the root its clients trust; all PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
  readonly caPem: string;
}

/** Makes a CA of its own and a certificate for the emulator's names. `now` in milliseconds since 1970. */
export async function createServerCertificate(
  names: { vaults: readonly string[]; hosts: readonly string[]; listen: string },
  now: number,
): Promise<ServerCertificate> {
  const validity = defaultValidity(now);
  const subject = 'CN=akv-csi emulator CA';
  const authority = await createAuthority({ name: 'emulator', subject, key: DEFAULT_KEY, validity }, undefined);
  const key = await generateKey(DEFAULT_KEY);
  if (key === undefined) throw new Error('no key for the emulator');
  const hosts = [
    `*.${VAULT_SUFFIX}`,
    ...names.vaults.map((vault) => `${vault.toLowerCase()}.${VAULT_SUFFIX}`),
    LOGIN_HOST,
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
    issuer: { certificate: authority.chain[0], key: authority.key },
    notBefore: validity.from,
    notAfter: validity.to,
    authority: false,
    names: { dns: unique.filter((name) => isIP(name) === 0), ip: unique.filter((name) => isIP(name) !== 0), email: [] },
    ekus: DEFAULT_EKUS,
  });
  const caPem = authority.chain[0].toString();
  return { key: String(key.export({ type: 'pkcs8', format: 'pem' })), cert: `${certificate}${caPem}`, caPem };
}
