/**
 * Sends one HTTP request over one connection and reads the answer, with a bound on its size. The transport starts one
 * or two of them for a request. Reports when the connection gets further, so that the transport can tell which step
 * hangs. The bytes of an answer, which may be a token or a value, are overwritten when it is read, and also if it fails.
 */

import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { type HttpHeaders, type PipelineRequest, type PipelineResponse, RestError } from '@azure/core-rest-pipeline';
import { discard } from '../../base/discard.ts';
import { addressesOf } from './addresses.ts';
import { AnswerHeaders } from './answer-headers.ts';
import { MAX_OTHER_BYTES } from './answer-reader.ts';
import { BoundedHttpsAgent, connectingOf } from './bounded-agents.ts';
import { JoinedBytes } from './joined-bytes.ts';
import { coded, type FailedPlace } from './network-error.ts';
import { keyOf, targetOf } from './target.ts';

/**
 * The step that an exchange waits for: the lookup of the host, its connection, the beginning or the rest of the answer.
 */
export type Stage = 'name' | 'connection' | 'answer' | 'rest';

/** How a request is sent. */
export interface Sending {
  readonly url: URL;
  readonly agent: http.Agent;
  /** Bound of the first byte over a connection that was kept, in milliseconds. */
  readonly keptTimeoutMs: number;
  readonly maxAnswerBytes: number;
  /** Called when the exchange comes to another stage. */
  readonly onStage: (stage: Stage) => void;
}

/** One HTTP exchange. */
export interface Exchange {
  /** The answer, read to its end. Throws: `RestError`. Stays pending after `cancel`. */
  readonly answer: Promise<PipelineResponse>;
  /** True if it goes over a connection that was used before. */
  readonly reused: () => boolean;
  /** Returns the address that the connection is tried with, or was made to. */
  readonly address: () => string | undefined;
  /** Ends it and closes its connection. */
  cancel(): void;
}

/** Starts an exchange. The caller listens to the signal of the request, and cancels the exchange if it aborts. */
export function exchange(
  request: PipelineRequest,
  { url, agent, keptTimeoutMs, maxAnswerBytes, onStage }: Sending,
): Exchange {
  const { body } = request;
  // The SDK sets null if there is none.
  if (typeof (body ?? '') !== 'string') throw new Error('a request with a body that is no text');
  let wire: http.ClientRequest;
  try {
    wire = start(request, { url, agent });
  } catch {
    // A header contains an invalid character, and the error may quote it.
    return failedExchange(new RestError('a request that cannot be written', { code: 'BAD_REQUEST_TEXT' }));
  }
  let cancel = () => {};
  const answer = new Promise<PipelineResponse>((resolve, reject) => {
    let kept: NodeJS.Timeout | undefined;
    let settled = false;
    const received = new Received(maxAnswerBytes, (error) => fail(error));
    const settle = () => {
      settled = true;
      clearTimeout(kept);
      received.discard();
    };
    const fail = (error: Error) => {
      if (settled) return;
      settle();
      reject(restError(error));
      wire.destroy();
      if (wire.reusedSocket) closeIdle(agent, url);
    };
    cancel = () => {
      if (settled) return;
      settle();
      wire.destroy();
    };
    // This listener stays after the end: the connection of a cancelled request fails.
    wire.on('error', fail);
    // Node ends some requests without an error, such as after an answer of 101.
    const unanswered = () => fail(coded('ECONNRESET', 'the connection was closed without an answer'));
    wire.on('close', unanswered);
    wire.on('socket', (socket) => {
      if (settled) return;
      received.readFrom(socket);
      reportStages(socket, onStage);
      if (!wire.reusedSocket) return;
      const silent = () =>
        fail(coded('ECONNRESET', `no answer over a kept connection within ${keptTimeoutMs / 1000} s`));
      kept = setTimeout(silent, keptTimeoutMs);
    });
    wire.on('response', (response) => {
      clearTimeout(kept);
      wire.off('close', unanswered);
      onStage('rest');
      response.on('error', fail);
      response.on('data', (part: Buffer) => received.add(part));
      response.on('end', () => {
        const bodyAsText = received.text();
        settle();
        resolve({ request, ...headOf(response), bodyAsText });
      });
    });
    wire.end(body ?? undefined);
  });
  return {
    answer,
    reused: () => wire.reusedSocket,
    address: () => addressOf(wire.socket),
    cancel: () => cancel(),
  };
}

function start(
  { method, headers, body }: PipelineRequest,
  { url, agent }: Pick<Sending, 'url' | 'agent'>,
): http.ClientRequest {
  const { request } = url.protocol === 'http:' ? http : https;
  const isPlain = method === 'GET' && (body ?? undefined) === undefined;
  return request({ ...optionsOf(url), agent, method, headers: isPlain ? listOf(url, headers) : headers.toJSON() });
}

export function failedExchange(error: Error): Exchange {
  return { answer: Promise.reject(error), reused: () => false, address: () => undefined, cancel() {} };
}

/** Reports the stage of the connection, which may be up, or may have been begun before the request. */
export function reportStages(socket: Socket, onStage: (stage: Stage) => void): void {
  const isUp =
    connectingOf(socket) === undefined && !('secureConnecting' in socket && socket.secureConnecting === true);
  if (isUp) {
    onStage('answer');
    return;
  }
  const isNamed = connectingOf(socket)?.awaited !== 'lookup';
  if (isNamed) onStage('connection');
  else socket.once('lookup', (error: Error | null) => error ?? onStage('connection'));
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => onStage('answer'));
}

/** Returns the address of a connection that is up, or else the last one that was tried. */
export function addressOf(socket: Socket | null): string | undefined {
  if (socket === null) return undefined;
  return socket.remoteAddress ?? connectingOf(socket)?.tried.at(-1)?.address;
}

/** Returns the options for a URL. Node would copy each field of a URL that it is given. */
function optionsOf(url: URL): http.RequestOptions {
  const { protocol, pathname, search } = url;
  return { protocol, ...targetOf(url), path: pathname + search };
}

/** Returns the headers as a list, which Node writes as it is: it adds no `Host`, nor the length of a body. */
function listOf({ host }: URL, headers: HttpHeaders): string[] {
  const list = ['host', host];
  for (const [name, value] of headers) list.push(name, value);
  return list;
}

function headOf({ statusCode: status = 0, headers }: http.IncomingMessage): Omit<PipelineResponse, 'request'> {
  return { status, headers: new AnswerHeaders(headers) };
}

/** The bytes of an answer that Node's parser reads. */
class Received {
  readonly #body = new JoinedBytes();
  readonly #maxBytes: number;
  readonly #fail: (error: Error) => void;
  #bytes = 0;
  #stop = () => {};
  #isOver = false;

  /** `maxBytes`: bound of the body. `fail` is called for an answer that is too large. */
  constructor(maxBytes: number, fail: (error: Error) => void) {
    this.#maxBytes = maxBytes;
    this.#fail = fail;
  }

  /** Counts all bytes of a connection. The parser has copied those of the body before, so that they are overwritten. */
  readFrom(socket: Socket): void {
    const count = (chunk: Buffer) => {
      this.#bytes += chunk.length;
      discard(chunk);
      if (this.#bytes > this.#maxBytes + MAX_OTHER_BYTES) this.#fail(this.#tooLarge());
    };
    socket.on('data', count);
    this.#stop = () => socket.off('data', count);
  }

  /** Adds a part of the body, which belongs to this object from now on. */
  add(part: Buffer): void {
    const isTooLarge = this.#body.length + part.length > this.#maxBytes;
    if (this.#isOver || isTooLarge) discard(part);
    else this.#body.add(part);
    if (isTooLarge) this.#fail(this.#tooLarge());
  }

  /** Returns the body. */
  text(): string {
    return this.#body.view().toString('utf8');
  }

  /** Overwrites the body, and the parts that still come. */
  discard(): void {
    this.#isOver = true;
    this.#stop();
    this.#body.discard();
  }

  #tooLarge(): Error {
    return coded('LARGE_ANSWER', `an answer of over ${this.#maxBytes} bytes`);
  }
}

/** Closes the idle connections to a URL's host, by the names that Node's agents give them. */
export function closeIdle(agent: http.Agent, url: URL): void {
  const target = targetOf(url);
  if (agent instanceof BoundedHttpsAgent) agent.direct.closeIdle(target);
  const prefix = `${keyOf(target)}:`;
  for (const [name, sockets = []] of Object.entries(agent.freeSockets)) {
    if (name.startsWith(prefix)) for (const socket of [...sockets]) socket.destroy();
  }
}

/** Returns a failure of the network as the SDK expects it: it distinguishes them by this class and their codes. */
export function restError(error: Error): RestError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : RestError.REQUEST_SEND_ERROR;
  const addresses = addressesOf(error);
  const { atProxy = false } = error as Error & FailedPlace;
  return Object.assign(new RestError(error.message, { code }), { atProxy, ...(addresses.length > 0 && { addresses }) });
}
