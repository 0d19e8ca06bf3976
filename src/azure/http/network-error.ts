/**
 * Explains failures of the network by their codes: the layer, whether another try can help, and what to check. Callers
 * that explain an error or decide on a retry use it. Codes that are not of the network have no explanation here.
 */

import { addressesOf } from './addresses.ts';

/** The layer at which a host did not answer. */
export type NetworkLayer = 'DNS' | 'TCP' | 'TLS' | 'HTTP';

/** The meaning of a network failure, for the operator. */
export interface NetworkFailure {
  readonly layer: NetworkLayer;
  /** Node's or OpenSSL's code, such as `ENOTFOUND`. */
  readonly code: string;
  readonly explanation: string;
  /** True if another try may succeed. */
  readonly transient: boolean;
  /** The proxy that failed in place of the host; absent: the host itself. */
  readonly proxy?: string;
}

type Meaning = readonly [NetworkLayer, 'transient' | 'lasting', string];

const CUT: Meaning = ['HTTP', 'transient', 'the connection was cut; check firewalls and proxies between node and host'];
const NO_TLS: Meaning = [
  'TLS',
  'lasting',
  'the host does not speak TLS as expected; check proxies between node and host',
];
const UNTRUSTED: Meaning = [
  'TLS',
  'lasting',
  "the certificate of the host is not trusted; if a proxy or a private cloud signs it, give its CA by the chart's value caBundle, or by SSL_CERT_FILE, SSL_CERT_DIR or NODE_EXTRA_CA_CERTS",
];
const NO_DESCRIPTOR: Meaning = [
  'TCP',
  'transient',
  'no file descriptor is left for the connection; raise the limit of open files of the provider, or of the node',
];
const GARBLED: Meaning = ['HTTP', 'lasting', 'the answer is not complete HTTP; check proxies between node and host'];
const SILENT: Meaning = [
  'HTTP',
  'transient',
  'the host took the request and did not answer in time; check the service, and proxies between node and host',
];

const MEANINGS: Readonly<Record<string, Meaning>> = {
  // All other URLs were checked before.
  ERR_INVALID_URL: [
    'HTTP',
    'lasting',
    'the proxy that the environment of the provider names is no URL; correct HTTPS_PROXY, or except the host in NO_PROXY',
  ],
  ENOTFOUND: [
    'DNS',
    'lasting',
    "the name does not exist; check the name, and the DNS that the provider's pod uses (private endpoints need their private DNS zone)",
  ],
  EAI_NODATA: [
    'DNS',
    'lasting',
    "the name exists and has no address; check the DNS that the provider's pod uses (private endpoints need their record in the private DNS zone)",
  ],
  // Ours: `name-servers.ts`. After such a wait, little time is left for another try.
  EAI_AGAIN: [
    'DNS',
    'lasting',
    "the name server did not answer for this name; check the DNS that the provider's pod uses, and the forwarders behind it",
  ],
  ESERVFAIL: [
    'DNS',
    'transient',
    'the name server answers that it cannot resolve this name; check its forwarders, and the private DNS zone of the name',
  ],
  EREFUSED: [
    'DNS',
    'transient',
    'the name server refuses to resolve this name; check which clients and zones it serves',
  ],
  NO_NAME_SERVER: [
    'DNS',
    'transient',
    "no name server can be reached; check that it runs, and the DNS that the provider's pod uses",
  ],
  // Ours: `lookups.ts`.
  TOO_MANY_LOOKUPS: [
    'DNS',
    'transient',
    "too many other names wait for the name server; check the DNS that the provider's pod uses, and the forwarders behind it",
  ],
  ECONNREFUSED: ['TCP', 'transient', 'the host refuses the connection; check address, port and firewall'],
  // After such a wait, little time is left for another try.
  ETIMEDOUT: [
    'TCP',
    'lasting',
    'the host does not answer; check routes, network security groups and firewalls between node and host',
  ],
  EHOSTUNREACH: ['TCP', 'transient', 'there is no route to the host; check routes and firewalls of the node'],
  ENETUNREACH: ['TCP', 'transient', 'there is no route to the network; check routes and the uplink of the node'],
  EMFILE: NO_DESCRIPTOR,
  ENFILE: NO_DESCRIPTOR,
  EADDRNOTAVAIL: ['TCP', 'transient', 'the node has no free address or port for the connection'],
  ECONNRESET: CUT,
  EPIPE: CUT,
  // The codes of the SDK for an incomplete answer, and for a proxy that closes the connection.
  PARSE_ERROR: CUT,
  REQUEST_SEND_ERROR: CUT,
  // Ours: `createTransport` and `bounded-agents.ts`.
  NO_ANSWER: SILENT,
  LARGE_ANSWER: [
    'HTTP',
    'lasting',
    'the answer is larger than any of Azure; check address and proxies between node and host',
  ],
  BAD_REQUEST_TEXT: [
    'HTTP',
    'lasting',
    'the token, or what the manifest names, contains characters that are not allowed in a request; nothing was sent',
  ],
  TLS_TIMEOUT: [
    'TLS',
    'lasting',
    'the host took the connection and did not answer the TLS handshake; check firewalls and proxies between node and host',
  ],
  EPROTO: NO_TLS,
  CERT_HAS_EXPIRED: [
    'TLS',
    'lasting',
    'the certificate of the host has expired; check the clock of the node and proxies in between',
  ],
  CERT_NOT_YET_VALID: ['TLS', 'lasting', 'the certificate of the host is not yet valid; check the clock of the node'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'TLS',
    'lasting',
    'the certificate is for another host; use the public name of the vault (a privatelink name has no certificate)',
  ],
};

/** Families of codes, for codes that are not in the table above. */
const FAMILIES: readonly (readonly [RegExp, Meaning])[] = [
  // Ours: `TunnelAgent`, with the status of the proxy.
  [/^PROXY_(429|5\d\d)$/, ['HTTP', 'transient', 'the proxy cannot open the way to the host at the moment']],
  [
    /^PROXY_\d+$/,
    [
      'HTTP',
      'lasting',
      'the proxy refuses the way to the host; check its rules, and its user and password in HTTPS_PROXY',
    ],
  ],
  [/^EAI_/, ['DNS', 'transient', "the name cannot be resolved; check the DNS that the provider's pod uses"]],
  [/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/, UNTRUSTED],
  [/^ERR_(SSL|TLS)_/, NO_TLS],
  [/^HPE_|^ERR_STREAM_PREMATURE_CLOSE$/, GARBLED],
  // All other errors of the system.
  [/^E(?!RR_)[A-Z0-9]+$/, ['TCP', 'transient', 'the connection failed; check network and limits of the node']],
];

/** The next step if a connection ended at a proxy, before the tunnel to the host was open; by layer. */
const PROXY_REMEDIES: Readonly<Record<NetworkLayer, string>> = {
  DNS: "correct the proxy in HTTPS_PROXY, or check the DNS that the provider's pod uses",
  TCP: 'check that the proxy runs, its address and port in HTTPS_PROXY, and firewalls between node and proxy',
  TLS: "check that the proxy itself speaks TLS, as https:// in HTTPS_PROXY says; if its certificate is not trusted, give its CA by the chart's value caBundle, or by NODE_EXTRA_CA_CERTS",
  HTTP: 'check the proxy and its log',
};

/** For layers whose errors carry addresses: the provider has tried hosts, or asked name servers. */
const ADDRESSED: Readonly<Partial<Record<NetworkLayer, string>>> = { TCP: 'tried', DNS: 'asked' };

/** Reads what `node:net`, `node:dns`, `node:tls` and `node:http` throw; undefined for any other failure. */
export function networkFailure(error: unknown): NetworkFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  // A time limit that was exceeded. The callers handle an abort by their own signal before.
  const timedOut = error.name === 'AbortError' || error.name === 'TimeoutError';
  const code = timedOut ? 'NO_ANSWER' : 'code' in error && typeof error.code === 'string' ? error.code : '';
  const meaning = MEANINGS[code] ?? FAMILIES.find(([pattern]) => pattern.test(code))?.[1];
  if (meaning === undefined) return undefined;
  const [layer, lasts, text] = meaning;
  const transient = lasts === 'transient';
  const { proxy, atProxy, addresses } = placeOf(error);
  const verb = ADDRESSED[layer];
  const tried = verb === undefined || addresses.length === 0 ? '' : ` (${verb} ${addresses.join(', ')})`;
  const [cause = '', ...remedies] = text.split('; ');
  if (proxy !== undefined && atProxy) {
    const explanation = `${cause.replace('the host', 'it')}${tried}; ${PROXY_REMEDIES[layer]}`;
    return { layer, code, explanation, transient, proxy };
  }
  const way = proxy === undefined ? '' : ` (the way is through the proxy ${proxy})`;
  return { layer, code, explanation: `${[`${cause}${tried}`, ...remedies].join('; ')}${way}`, transient };
}

/** Returns the part of a message that says that a host, or the proxy before it, did not answer. */
export function noAnswer(host: string, { proxy, layer, code, explanation }: NetworkFailure): string {
  const who = proxy === undefined ? host : `the proxy ${proxy}, which is before ${host},`;
  return `${who} did not answer: ${layer} failed, ${code}: ${explanation}`;
}

/** The place where a connection ended, in errors that name it. */
export interface FailedPlace {
  /** Host and port of the proxy in between. */
  readonly proxy?: string;
  /** True if it ended before the proxy had opened the tunnel to the host. */
  readonly atProxy?: boolean;
  /** Addresses and ports that were tried, or name servers that were asked; sorted. */
  readonly addresses?: readonly string[];
}

/** Addresses that are shown: those of one host are few. */
const MAX_ADDRESSES = 4;

function placeOf(error: Error & Partial<FailedPlace>) {
  const { proxy, atProxy } = error;
  return { proxy, atProxy: atProxy === true, addresses: addressesOf(error).slice(0, MAX_ADDRESSES) };
}

/** Returns an error as Node's network throws it. */
export function coded(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}
