/**
 * Sends one GET over a direct HTTPS connection, without Node's HTTP, which takes more than half of the CPU time of a small
 * request. The transport starts one or two of them for a request; those with a body, through a proxy or over plain HTTP go
 * by `exchange.ts`. Refuses headers that could end early.
 */

import { type PipelineRequest, type PipelineResponse, RestError } from '@azure/core-rest-pipeline';
import { discard } from '../../base/discard.ts';
import { AnswerHeaders } from './answer-headers.ts';
import { AnswerReader } from './answer-reader.ts';
import type { BoundedHttpsAgent } from './bounded-agents.ts';
import type { Carried, DirectConnection } from './direct-connections.ts';
import { addressOf, type Exchange, failedExchange, reportStages, restError, type Sending } from './exchange.ts';
import { coded } from './network-error.ts';
import { type Target, targetOf } from './target.ts';

const HEADER = /^[!#$%&'*+\-.^_`|~\w]+: [\t\x20-\x7e\x80-\xff]*$/;

/** How a GET is sent. */
interface DirectSending extends Sending {
  readonly agent: BoundedHttpsAgent;
}

/** Starts a GET. The caller listens to the signal of the request, and cancels the exchange if it aborts. */
export function directExchange(request: PipelineRequest, sending: DirectSending): Exchange {
  const text = textOf(request, sending.url);
  if (text === undefined)
    return failedExchange(new RestError('a request that cannot be written', { code: 'BAD_REQUEST_TEXT' }));
  return new DirectExchange(request, text, sending);
}

function textOf({ headers }: PipelineRequest, { host, pathname, search }: URL): string | undefined {
  let text = `GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of headers) {
    const header = `${name}: ${value}`;
    if (!HEADER.test(header)) return undefined;
    text += `${header}\r\n`;
  }
  return `${text}connection: keep-alive\r\n\r\n`;
}

class DirectExchange implements Exchange, Carried {
  readonly answer: Promise<PipelineResponse>;
  readonly #request: PipelineRequest;
  readonly #sending: DirectSending;
  readonly #target: Target;
  readonly #text: string;
  readonly #reader: AnswerReader;
  #connection: DirectConnection | undefined;
  #kept: NodeJS.Timeout | undefined;
  #isOver = false;
  #resolve: (response: PipelineResponse) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(request: PipelineRequest, text: string, sending: DirectSending) {
    const { url, agent, maxAnswerBytes } = sending;
    this.#request = request;
    this.#text = text;
    this.#sending = sending;
    this.#target = targetOf(url);
    this.#reader = new AnswerReader(maxAnswerBytes);
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    agent.direct.take(this.#target, this);
  }

  reused(): boolean {
    return this.#connection?.isReused === true;
  }

  address(): string | undefined {
    return addressOf(this.#connection?.socket ?? null);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#end();
    this.#sending.agent.direct.leave(this.#target, this);
    this.#connection?.socket.destroy();
  }

  begin(connection: DirectConnection): void {
    const { onStage, keptTimeoutMs } = this.#sending;
    this.#connection = connection;
    if (connection.isReused) {
      const silent = () =>
        this.#fail(coded('ECONNRESET', `no answer over a kept connection within ${keptTimeoutMs / 1000} s`));
      this.#kept = setTimeout(silent, keptTimeoutMs);
      onStage('answer');
    } else reportStages(connection.socket, onStage);
    connection.socket.write(this.#text, 'latin1');
  }

  data(chunk: Buffer): void {
    if (this.#isOver) {
      discard(chunk);
      return;
    }
    const reader = this.#reader;
    try {
      const before = reader.head;
      const isComplete = reader.add(chunk);
      if (before === undefined && reader.head !== undefined) {
        clearTimeout(this.#kept);
        this.#sending.onStage('rest');
      }
      if (isComplete) this.#complete();
    } catch (error) {
      discard(chunk);
      this.#fail(error as Error);
    }
  }

  closed(error: Error | undefined): void {
    if (this.#isOver) return;
    if (error === undefined && this.#reader.end()) this.#complete();
    else this.#fail(error ?? coded('ECONNRESET', 'the connection was closed without a complete answer'));
  }

  #complete(): void {
    const { head } = this.#reader;
    if (head === undefined) return;
    const bodyAsText = this.#reader.text();
    this.#end();
    this.#release();
    this.#resolve({
      request: this.#request,
      status: head.status,
      headers: new AnswerHeaders(head.headers),
      bodyAsText,
    });
  }

  /** Gives the connection back, or closes it if it cannot carry another request. */
  #release(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { keepsOpen, keptMs } = this.#reader;
    if (keepsOpen) this.#sending.agent.direct.keep(this.#target, connection, keptMs);
    else connection.socket.destroy();
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(restError(error));
    this.#connection?.socket.destroy();
    if (this.reused()) this.#sending.agent.direct.closeIdle(this.#target);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#kept);
    this.#reader.discard();
  }
}
