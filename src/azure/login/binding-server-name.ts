/**
 * Finds the TLS server name under which a cluster's API server takes connections for the token proxy of identity
 * binding. Called by `TokenProxy`. Refuses an API server whose certificate the cluster's CA did not sign.
 */

import { createHash } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { type ApiServerAddress, CLUSTER_HOST, targetOf } from '../cluster/address.ts';
import { Lookups } from '../http/lookups.ts';
import { networkFailure } from '../http/network-error.ts';

/** Settings of the connection to the API server. */
export interface ApiServerConnection {
  readonly timeoutMs: number;
  /** Resolves host names. */
  readonly lookup: LookupFunction;
}

const TIMEOUT_MS = 10_000;
/** The certificate of an AKS API server has this name for its cluster. */
const CLUSTER_NAME = /^DNS:hcp-kubernetes\.(.+)\.svc\.cluster\.local$/;
const REMEDY = 'set --sni-name to skip this request';

/** Returns the server name under which the API server forwards connections to the token proxy of the cluster. */
function bindingServerName(clusterId: string): string {
  const digest = createHash('sha256').update(`identity-binding${clusterId}`).digest();
  return `a${base32Hex(digest)}.ests.aks`;
}

/**
 * Reads the cluster's id from the API server's certificate and computes the server name.
 * Throws: ERR_UNREACHABLE if the API server does not answer; ERR_AUTHENTICATION if its certificate names no cluster.
 */
export async function findServerName(
  address: ApiServerAddress,
  ca: string,
  { timeoutMs = TIMEOUT_MS, lookup = new Lookups().lookup }: Partial<ApiServerConnection> = {},
): Promise<string> {
  const target = targetOf(address);
  const who = `the API server at ${target.shown}`;
  if (target.port === 0) {
    throw new ProviderError('ERR_AUTHENTICATION', `${who}: KUBERNETES_SERVICE_PORT is not a port number; ${REMEDY}`);
  }
  let names: string;
  try {
    names = await alternativeNames(target, ca, { timeoutMs, lookup });
  } catch (error) {
    const failure = networkFailure(error);
    const reason = failure === undefined ? messageOf(error) : `${failure.layer} ${failure.code}: ${messageOf(error)}`;
    throw new ProviderError('ERR_UNREACHABLE', `${who} did not give the cluster's id: ${reason}; ${REMEDY}`);
  }
  const [id] = names.split(', ').flatMap((name) => CLUSTER_NAME.exec(name)?.[1] ?? []);
  if (id !== undefined) return bindingServerName(id);
  const expected = 'a name hcp-kubernetes.<id>.svc.cluster.local, as it has on AKS';
  throw new ProviderError('ERR_AUTHENTICATION', `the certificate of ${who} does not have ${expected}; ${REMEDY}`);
}

/**
 * Returns the alternative names in the server's certificate, which the CA has to have signed. OpenSSL bounds its size.
 */
function alternativeNames(
  { host, port }: { readonly host: string; readonly port: number },
  ca: string,
  { timeoutMs, lookup }: ApiServerConnection,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host,
      port,
      ca,
      lookup,
      servername: isIP(host) === 0 ? host : CLUSTER_HOST,
      // The host may be a name or address that is not in the certificate. Only the certificate of an API server has the
      // cluster's name.
      checkServerIdentity: () => undefined,
    });
    const late = Object.assign(new Error(`no TLS handshake within ${timeoutMs / 1000} s`), { code: 'TLS_TIMEOUT' });
    const timer = setTimeout(() => socket.destroy(late), timeoutMs);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '');
      socket.destroySoon();
    });
    socket.on('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('it closed the connection'));
    });
  });
}

/** Encodes bytes in base32hex (RFC 4648 section 7), in lower case and without padding. */
function base32Hex(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? []).map((group) => Number.parseInt(group.padEnd(5, '0'), 2).toString(32)).join('');
}
