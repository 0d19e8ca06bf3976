/**
 * Sends one HTTP request over the shared connections, with bounds on time and size. All clients of the SDK end
 * here. Confidential parts of a request are taken out of answers that fail.
 */

import http from 'node:http';
import https from 'node:https';
import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import { Redactor } from '../../base/redact.ts';
import { nextTurn } from '../../base/turns.ts';
import { addressesOf } from './addresses.ts';
import type { AgentSource } from './agents.ts';
import { coded, type FailedPlace } from './network-error.ts';

/** Settings of a transport. */
export interface TransportOptions {
  readonly agents: AgentSource;
  /** Stands in front of the SDK's own. */
  readonly userAgent: string;
  /** Bound of one request, from its start to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Bound of the first byte over a connection that was kept, in milliseconds. */
  readonly keptTimeoutMs?: number;
  /** Bound of the body of an answer. */
  readonly maxAnswerBytes?: number;
}

/**
 * Bound of the first byte over a connection that was kept: a firewall or a moved private endpoint drops those without a
 * word, and Azure answers in less than a second.
 */
const KEPT_TIMEOUT_MS = 8_000;
/** Many times what Key Vault, Entra or IMDS answer with. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * The HTTP client of all SDK clients: shared connections, our user agent, bounds on time and size. An `HttpClient`
 * and no pipeline policy, because the SDK drops the policies of managed-identity credentials; and not the SDK's own one,
 * which takes as much CPU time for a request as everything else in front of the socket.
 * Throws: `RestError` with Node's code, `NO_ANSWER` past the bound, or `LARGE_ANSWER`; `AbortError`. Where a kept
 * connection fails, the others of its host go too, so that another try takes a fresh one.
 */
export function createTransport({
  agents,
  userAgent,
  timeoutMs,
  keptTimeoutMs = KEPT_TIMEOUT_MS,
  maxAnswerBytes = MAX_ANSWER_BYTES,
}: TransportOptions): HttpClient {
  return {
    async sendRequest(request) {
      const url = new URL(request.url);
      const { agent, proxy } = agents.for(url);
      const { headers } = request;
      const sdk = headers.get('user-agent') ?? '';
      if (!sdk.startsWith(userAgent)) headers.set('user-agent', `${userAgent} ${sdk}`.trim());
      // Nothing here unpacks an answer.
      headers.delete('accept-encoding');
      try {
        const response = await exchange(request, { url, agent, timeoutMs, keptTimeoutMs, maxAnswerBytes });
        // The answers of many requests come in one turn of the event loop: each is worked on in a separate turn. A
        // refusal does not wait for its turn: it may concern requests that would start meanwhile.
        if (response.status === 200) await nextTurn();
        else removeEcho(request, response);
        return response;
      } catch (error) {
        // The message about the failure names the proxy.
        if (proxy !== '' && error instanceof RestError) Object.assign(error, { proxy });
        throw error;
      }
    },
  };
}

/** Confidential fields of a login's form. */
const CONFIDENTIAL_FIELDS = ['client_secret', 'client_assertion', 'assertion', 'password', 'refresh_token'];

/** Removes the confidential parts of a request from its answer. Later, texts are cut, and parts could not be found. */
function removeEcho({ headers, body }: PipelineRequest, response: PipelineResponse): void {
  const form = new URLSearchParams(typeof body === 'string' ? body : '');
  const redactor = new Redactor();
  redactor.learn(() => [
    headers.get('authorization')?.replace(/^\w+ /, '') ?? '',
    ...CONFIDENTIAL_FIELDS.flatMap((field) => form.getAll(field)),
  ]);
  response.bodyAsText = redactor.text(response.bodyAsText ?? '');
  // Claims of a challenge look like a token.
  const told = [...response.headers].filter(([name]) => name !== 'www-authenticate');
  for (const [name, value] of told) response.headers.set(name, redactor.text(value));
}

interface Sending {
  readonly url: URL;
  readonly agent: http.Agent;
  readonly timeoutMs: number;
  readonly keptTimeoutMs: number;
  readonly maxAnswerBytes: number;
}

function exchange(
  request: PipelineRequest,
  { url, agent, timeoutMs, keptTimeoutMs, maxAnswerBytes }: Sending,
): Promise<PipelineResponse> {
  const { method, headers, abortSignal } = request;
  // The SDK puts null where there is none.
  const body = request.body ?? undefined;
  if (body !== undefined && typeof body !== 'string') throw new Error('a request with a body that is no text');
  return new Promise((resolve, reject) => {
    if (abortSignal?.aborted === true) {
      reject(aborted());
      return;
    }
    const { request: start } = url.protocol === 'http:' ? http : https;
    let wire: http.ClientRequest;
    try {
      wire = start(url, { agent, method, headers: headers.toJSON() });
    } catch {
      // It holds what cannot stand in a header, and the error may quote it.
      reject(new RestError('a request that cannot be written', { code: 'BAD_REQUEST_TEXT' }));
      return;
    }
    const abort = () => end(aborted());
    const timer = setTimeout(() => end(coded('NO_ANSWER', `no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    abortSignal?.addEventListener('abort', abort);
    let kept: NodeJS.Timeout | undefined;
    let settled = false;
    const settle = () => {
      settled = true;
      clearTimeout(timer);
      clearTimeout(kept);
      abortSignal?.removeEventListener('abort', abort);
    };
    const end = (error: Error) => {
      if (settled) return;
      settle();
      reject(error.name === 'AbortError' ? error : restError(error));
      wire.destroy();
      if (wire.reusedSocket && error.name !== 'AbortError') closeIdle(agent, url);
    };
    wire.on('error', end);
    // Node ends some requests without a word, as for an answer of 101.
    const unanswered = () => end(coded('ECONNRESET', 'the connection was closed without an answer'));
    wire.on('close', unanswered);
    wire.on('socket', () => {
      if (settled || !wire.reusedSocket || timeoutMs <= keptTimeoutMs) return;
      const silent = () =>
        end(coded('ECONNRESET', `no answer over a kept connection within ${keptTimeoutMs / 1000} s`));
      kept = setTimeout(silent, keptTimeoutMs);
    });
    wire.on('response', (response) => {
      clearTimeout(kept);
      wire.off('close', unanswered);
      readText(response, { maxBytes: maxAnswerBytes, fail: end }, (bodyAsText) => {
        settle();
        const { statusCode: status = 0 } = response;
        // Cookies, which are not used, are the only header that comes as a list.
        const { 'set-cookie': _, ...given } = response.headers;
        resolve({ request, status, headers: createHttpHeaders(given as Record<string, string>), bodyAsText });
      });
    });
    wire.end(body);
  });
}

/** Reads an answer to its end. */
function readText(
  response: http.IncomingMessage,
  { maxBytes, fail }: { readonly maxBytes: number; readonly fail: (error: Error) => void },
  done: (text: string) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('error', fail);
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) fail(coded('LARGE_ANSWER', `an answer of over ${maxBytes} bytes`));
  });
  response.on('end', () => {
    const whole = Buffer.concat(chunks);
    const text = whole.toString('utf8');
    // They hold values and tokens.
    for (const part of [whole, ...chunks]) part.fill(0);
    done(text);
  });
}

/** Closes the idle connections to a URL's host, by the names that Node's agents give them. */
function closeIdle(agent: http.Agent, { hostname, port, protocol }: URL): void {
  const prefix = `${hostname}:${port === '' ? (protocol === 'http:' ? 80 : 443) : port}:`;
  for (const [name, sockets = []] of Object.entries(agent.freeSockets)) {
    if (name.startsWith(prefix)) for (const socket of [...sockets]) socket.destroy();
  }
}

function aborted(): Error {
  return new DOMException('The operation was aborted', 'AbortError');
}

/** The SDK tells failures of the network from others by this class and their codes. */
function restError(error: Error): RestError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : RestError.REQUEST_SEND_ERROR;
  const addresses = addressesOf(error);
  const { atProxy = false } = error as Error & FailedPlace;
  return Object.assign(new RestError(error.message, { code }), { atProxy, ...(addresses.length > 0 && { addresses }) });
}
