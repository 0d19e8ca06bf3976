/**
 * The faults of outbound calls, one per row: what the host does in place of its answer. Lanes put each of them on a call.
 */
import { STATUS_CODES } from 'node:http';
import { setInterval } from 'node:timers';
import type { DnsAnswer } from '../support/name-server.ts';
import type { Exchange, Mode } from '../support/relay.ts';
import type { HostName } from './calls.ts';

/** The rows of the tables in docs/faults.md. */
export type FaultGroup =
  | 'no answer in time'
  | 'broken HTTP'
  | '200 that cannot be read'
  | 'refusals'
  | 'other statuses'
  | '429'
  | '5xx'
  | 'no connection';

/** One fault of a host. */
export interface Fault {
  readonly name: string;
  readonly group: FaultGroup;
  /** Deadline of the Mounts in milliseconds. It is long unless the fault lasts for as long as the Mounts wait. */
  readonly deadlineMs: number;
  /** True if the host asks for a pause that outlasts the test, so that the Mounts after it may fail too. */
  readonly pauses?: boolean;
  /** Codes of which a Mount ends with any: whether the last try or a pause meets the deadline is a matter of chance. */
  readonly either?: readonly string[];
  readonly does:
    | { readonly kind: 'bytes'; readonly answer: (exchange: Exchange) => void }
    | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    | { readonly kind: 'connection'; readonly mode: Exclude<Mode, 'up'> }
    | { readonly kind: 'name'; readonly answer: DnsAnswer };
}

/** Every try of the provider ends before it. */
const LONG_MS = 60_000;
/** Far from all bounds of the provider, and long enough for a margin of two seconds before the end. */
const HANGING_MS = 20_000;
/** The pauses of a vault outlast it soon. */
const THROTTLED_MS = 6_000;

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
/** Members of all answers, each of a wrong type. */
const WRONG_TYPES = {
  value: 5,
  id: 7,
  key: 5,
  cer: 5,
  attributes: 'x',
  access_token: 5,
  expires_in: 'never',
  expires_on: [],
  token: 5,
  clientid: {},
  issuer: 5,
  token_endpoint: 7,
  authorization_endpoint: 7,
  jwks_uri: 9,
  keys: 5,
  metadata: 5,
  spec: 'x',
};

/** Answers with a status and a text, as a server of HTTP does. */
const answers =
  (status: number, type: string, body: (exchange: Exchange) => string | Buffer, headers: object = {}) =>
  (exchange: Exchange): void => {
    exchange.response.writeHead(status, { 'content-type': type, ...headers }).end(body(exchange));
  };
/** Writes bytes, and closes the connection unless it `stays`. */
const writes =
  (bytes: string, stays = false) =>
  ({ socket }: Exchange): void => {
    if (stays) socket.write(bytes);
    else socket.end(bytes);
  };
/** Repeats a text until the client goes. */
const drips =
  (head: string, text: string, everyMs: number) =>
  ({ socket }: Exchange): void => {
    socket.write(head);
    const timer = setInterval(() => socket.write(text), everyMs);
    socket.once('close', () => clearInterval(timer));
  };
/** The page of a proxy that shows what it was sent, confidential parts too. */
const page = ({ request, body }: Exchange): string =>
  `<html><body><h1>Access denied</h1><pre>${request.rawHeaders.join('\n')}\n\n${body}</pre></body></html>`;

const bytes = (group: FaultGroup, name: string, answer: (exchange: Exchange) => void, deadlineMs = LONG_MS): Fault => ({
  name,
  group,
  deadlineMs,
  does: { kind: 'bytes', answer },
});
const json = (name: string, body: string): Fault =>
  bytes(
    '200 that cannot be read',
    name,
    answers(200, 'application/json', () => body),
  );
const status = (group: FaultGroup, code: number, headers?: Readonly<Record<string, string>>, suffix = ''): Fault => ({
  name: `${code}${suffix}`,
  group,
  deadlineMs: LONG_MS,
  does: { kind: 'status', status: code, ...(headers && { headers }) },
});
const throttled = (suffix: string, retryAfter?: string): Fault => ({
  ...status('429', 429, retryAfter === undefined ? {} : { 'retry-after': retryAfter }, suffix),
  deadlineMs: THROTTLED_MS,
  pauses: true,
  ...((retryAfter ?? '').length < 3 && { either: ['ERR_THROTTLED', 'ERR_TIMEOUT'] }),
});
const connection = (name: string, mode: Exclude<Mode, 'up'>, deadlineMs = LONG_MS): Fault => ({
  name,
  group: 'no connection',
  deadlineMs,
  does: { kind: 'connection', mode },
});

const name = (text: string, answer: DnsAnswer, deadlineMs = LONG_MS): Fault => ({
  name: text,
  group: 'no connection',
  deadlineMs,
  does: { kind: 'name', answer },
});

/** True if a fault can come at a host. Services of the node have an address and no TLS; a name under localhost needs no DNS. */
export function canMeet({ does }: Fault, host: HostName): boolean {
  const onNode = host === 'imds' || host === 'nmi';
  if (does.kind === 'name') return !onNode && host !== 'issuer';
  return !(onNode && does.kind === 'connection' && ['untrusted', 'wrong name', 'plain'].includes(does.mode));
}

/** All faults. */
export const FAULTS: readonly Fault[] = [
  bytes('no answer in time', 'hang', () => {}, HANGING_MS),
  bytes('no answer in time', 'headers, 1 byte/s', drips('HTTP/1.1 200 OK\r\nX-', 'y', 1000), HANGING_MS),
  bytes('no answer in time', 'body, 1 byte/s', drips(`${HEAD}Content-Length: 900\r\n\r\n`, ' ', 1000), HANGING_MS),
  bytes('no answer in time', 'endless 100', drips('', 'HTTP/1.1 100 Continue\r\n\r\n', 50), HANGING_MS),
  bytes('broken HTTP', 'reset', ({ socket }) => {
    socket.destroy();
  }),
  bytes('broken HTTP', 'cut body', writes(`${HEAD}Content-Length: 900\r\n\r\n{"value":"`)),
  bytes('broken HTTP', 'bad chunk', writes(`${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n`, true)),
  bytes(
    'broken HTTP',
    '3,000 headers',
    writes(
      `${HEAD}${Array.from({ length: 3000 }, (_, i) => `X-${i}: y\r\n`).join('')}Content-Length: 2\r\n\r\n{}`,
      true,
    ),
  ),
  bytes(
    'broken HTTP',
    '101',
    writes('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', true),
  ),
  bytes(
    'broken HTTP',
    '6 MB',
    answers(200, 'application/json', () => `{"value":"${'x'.repeat(6_000_000)}"}`),
  ),
  bytes('200 that cannot be read', 'HTML', answers(200, 'text/html', page)),
  json('truncated JSON', '{"value":"half of i'),
  json('other JSON', '{"hello":"world"}'),
  json('null', 'null'),
  json('[]', '[]'),
  json('wrong types', JSON.stringify(WRONG_TYPES)),
  json('empty', ''),
  bytes('200 that cannot be read', '204', ({ response }) => {
    response.writeHead(204).end();
  }),
  bytes(
    '200 that cannot be read',
    'gzip',
    answers(200, 'application/json', () => Buffer.from('1f8b08000000000000ffabae050043bfa6a302000000', 'hex'), {
      'content-encoding': 'gzip',
    }),
  ),
  ...[400, 401, 403, 404].map((code) => status('refusals', code)),
  bytes('refusals', '403 HTML', answers(403, 'text/html', page)),
  ...[408, 409].map((code) => status('other statuses', code)),
  status('other statuses', 302, { location: 'https://elsewhere.faults.test/' }),
  throttled(''),
  throttled(', Retry-After: 1', '1'),
  throttled(', Retry-After: 600', '600'),
  throttled(', Retry-After: -5', '-5'),
  throttled(', Retry-After in 2098', 'Fri, 01 Aug 2098 00:00:00 GMT'),
  status('5xx', 500),
  bytes('5xx', '502 HTML', answers(502, 'text/html', page)),
  status('5xx', 503),
  {
    ...status('5xx', 503, { 'retry-after': '1' }, ', Retry-After: 1'),
    deadlineMs: THROTTLED_MS,
    either: ['ERR_VAULT', 'ERR_TIMEOUT'],
  },
  status('5xx', 504),
  connection('untrusted certificate', 'untrusted'),
  connection('certificate for another name', 'wrong name'),
  connection('plain HTTP', 'plain'),
  connection('connection is closed at once', 'closing'),
  connection('connection refused', 'refused'),
  { ...connection('silent after TCP', 'silent', HANGING_MS), either: ['ERR_UNREACHABLE', 'ERR_TIMEOUT'] },
  name('name does not exist', 'NXDOMAIN'),
  name('name server fails', 'SERVFAIL'),
  name('name server is silent', 'silent'),
];

/** Returns the words of a status, for hosts that have no body of their own. */
export function statusText(code: number): string {
  return STATUS_CODES[code] ?? 'Unknown';
}
