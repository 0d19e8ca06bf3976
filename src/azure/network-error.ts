/** The layer at which a host did not answer. */
export type NetworkLayer = 'DNS' | 'TCP' | 'TLS' | 'HTTP';

/** What a network failure means, for the person on call. */
export interface NetworkFailure {
  readonly layer: NetworkLayer;
  /** Node's or OpenSSL's code, such as `ENOTFOUND`. */
  readonly code: string;
  readonly explanation: string;
}

const FAILURES: Readonly<Record<string, readonly [NetworkLayer, string]>> = {
  ENOTFOUND: [
    'DNS',
    'the name does not exist; check the name, and the DNS that the node uses (private endpoints need their private DNS zone)',
  ],
  EAI_AGAIN: ['DNS', 'the name server did not answer; check the DNS that the node uses'],
  EAI_NODATA: ['DNS', 'the name has no address; check the DNS that the node uses'],
  ECONNREFUSED: ['TCP', 'the host refuses the connection; check address, port and firewall'],
  ETIMEDOUT: [
    'TCP',
    'the host does not answer; check routes, network security groups and firewalls between node and host',
  ],
  EHOSTUNREACH: ['TCP', 'there is no route to the host; check routes and firewalls of the node'],
  ENETUNREACH: ['TCP', 'there is no route to the network; check routes and the uplink of the node'],
  EADDRNOTAVAIL: ['TCP', 'the node has no free address or port for the connection'],
  ECONNRESET: ['HTTP', 'the connection was cut; check firewalls and proxies between node and host'],
  EPIPE: ['HTTP', 'the connection was cut; check firewalls and proxies between node and host'],
  EPROTO: ['TLS', 'the host does not speak TLS as expected; check proxies between node and host'],
  CERT_HAS_EXPIRED: [
    'TLS',
    'the certificate of the host has expired; check the clock of the node and proxies in between',
  ],
  CERT_NOT_YET_VALID: ['TLS', 'the certificate of the host is not yet valid; check the clock of the node'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'TLS',
    'the certificate is for another host; use the public name of the vault (a privatelink name has no certificate)',
  ],
};
const UNTRUSTED =
  'the certificate of the host is not trusted; if a proxy or a private cloud signs it, give its CA by SSL_CERT_FILE, SSL_CERT_DIR or NODE_EXTRA_CA_CERTS';

/** Reads what `node:net`, `node:dns`, `node:tls` and `node:http` throw; undefined for any other failure. */
export function networkFailure(error: unknown): NetworkFailure | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    const code = 'code' in current && typeof current.code === 'string' ? current.code : '';
    const known = FAILURES[code];
    if (known !== undefined) return { layer: known[0], code, explanation: known[1] };
    if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/.test(code)) return { layer: 'TLS', code, explanation: UNTRUSTED };
    if (/^ERR_(SSL|TLS)_/.test(code)) return { layer: 'TLS', code, explanation: FAILURES.EPROTO?.[1] ?? '' };
    if (/^HPE_/.test(code) || code === 'ERR_STREAM_PREMATURE_CLOSE') {
      return {
        layer: 'HTTP',
        code,
        explanation: 'the answer is not complete HTTP; check proxies between node and host',
      };
    }
  }
  return undefined;
}
