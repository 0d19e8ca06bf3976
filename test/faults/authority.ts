/** The certificates of all relays of a test process. */
import { issue, keyPem } from '../support/pki.ts';
import type { RelayTls, ServerPem } from '../support/relay.ts';

/** Certificates of the hosts below `faults.test`, and the PEM of their authority. */
export interface Authority extends RelayTls {
  readonly ca: string;
}

const NAMES = [
  '*.vault.faults.test',
  'login.faults.test',
  'proxy.faults.test',
  'api.faults.test',
  'oidc.localhost',
] as const;

let made: Promise<Authority> | undefined;

/** Returns the certificates, which are made once. */
export function authority(): Promise<Authority> {
  made ??= make();
  return made;
}

async function make(): Promise<Authority> {
  const [ca, other] = [await issue({ name: 'faults', ca: true }), await issue({ name: 'unknown', ca: true })];
  const server = async (issuer: typeof ca, dnsNames: readonly string[]): Promise<ServerPem> => {
    const { certificate, key } = await issue({ name: 'server', dnsNames, issuer });
    return { cert: certificate.toString(), key: keyPem(key) };
  };
  return {
    ca: ca.certificate.toString(),
    right: await server(ca, NAMES),
    untrusted: await server(other, NAMES),
    wrongName: await server(ca, ['elsewhere.faults.test']),
  };
}
