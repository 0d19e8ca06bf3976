/**
 * Sends one HTTP request over the shared connections, with bounds on time and size. All clients of the SDK end
 * here. Confidential parts of a request are taken out of answers that fail.
 */

import { type HttpClient, type PipelineRequest, type PipelineResponse, RestError } from '@azure/core-rest-pipeline';
import { Redactor } from '../../base/redact.ts';
import { silentTelemetry, type Telemetry } from '../../base/telemetry.ts';
import type { RequestSpan, Tracer } from '../../base/trace.ts';
import { nextTurn } from '../../base/turns.ts';
import type { AgentSource, Route } from './agents.ts';
import { BoundedHttpsAgent } from './bounded-agents.ts';
import { directExchange } from './direct-exchange.ts';
import { closeIdle, type Exchange, exchange, restError, type Stage } from './exchange.ts';
import { coded } from './network-error.ts';
import { HEDGE_MS, isRepeatable, SecondTries } from './second-tries.ts';

/** Settings of a transport. */
export interface TransportOptions {
  readonly agents: AgentSource;
  /** The beginning of the user agent; the SDK's own follows. */
  readonly userAgent: string;
  /** Bound of one request, from its start to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Bound of the first byte over a connection that was kept, in milliseconds. */
  readonly keptTimeoutMs?: number;
  /** Bound of the body of an answer. */
  readonly maxAnswerBytes?: number;
  /** How long a connection or an answer hangs before the request is sent a second time, in milliseconds. */
  readonly hedgeMs?: number;
  readonly telemetry?: Pick<Telemetry, 'secondRequest'>;
  /** Makes a span of each request whose signal a span carries. Default: there is none. */
  readonly tracer?: Pick<Tracer, 'request'> | undefined;
}

/**
 * Bound of the first byte over a connection that was kept: a firewall or a moved private endpoint drops those without
 * notice, and Azure answers in less than a second.
 */
const KEPT_TIMEOUT_MS = 8_000;
/** Much more than any answer of Key Vault, Entra ID or IMDS. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * Creates the HTTP client of all SDK clients: shared connections, our user agent, bounds on time and size. It is an
 * `HttpClient` and not a pipeline policy, because the SDK drops the policies of managed-identity credentials. The SDK's
 * own client is not used: it takes as much CPU time for a request as all other code above the socket.
 * Throws: `RestError` with Node's code, `NO_ANSWER` past the bound, or `LARGE_ANSWER`; `AbortError`. If a kept
 * connection fails, the others to its host are closed too, so that another try uses a new one.
 */
export function createTransport({
  agents,
  userAgent,
  timeoutMs,
  keptTimeoutMs = KEPT_TIMEOUT_MS,
  maxAnswerBytes = MAX_ANSWER_BYTES,
  hedgeMs = HEDGE_MS,
  telemetry = silentTelemetry,
  tracer,
}: TransportOptions): HttpClient {
  const line: Line = { agents, timeoutMs, keptTimeoutMs, maxAnswerBytes, hedgeMs, telemetry, tries: new SecondTries() };
  return {
    async sendRequest(request) {
      const url = new URL(request.url);
      const { agent, proxy } = agents.for(url);
      const { headers } = request;
      const sdk = headers.get('user-agent') ?? '';
      if (!sdk.startsWith(userAgent)) headers.set('user-agent', `${userAgent} ${sdk}`.trim());
      // Nothing here unpacks an answer.
      headers.delete('accept-encoding');
      const { method, requestId, abortSignal: signal } = request;
      const span = tracer?.request({ method, url, requestId, signal });
      try {
        const response = await new Delivery(line, { request, url, agent, proxy, span }).answer;
        if (response.status !== 200) removeEcho(request, response);
        span?.answered(response.status, (name) => response.headers.get(name));
        // The answers of many requests arrive in one turn of the event loop: each is processed in a separate turn. A
        // refusal does not wait for its turn: it may concern requests that would start meanwhile.
        if (response.status === 200) await nextTurn();
        return response;
      } catch (error) {
        span?.end(error);
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

/** The wait for a second try has so many parts: if this process itself is blocked, at most one of them passes. */
const HEDGE_STEPS = 2;

/** The common part of all requests of a transport. */
interface Line extends Required<Omit<TransportOptions, 'userAgent' | 'tracer'>> {
  readonly tries: SecondTries;
}

/** A request and its route. */
interface Parcel extends Route {
  readonly request: PipelineRequest;
  readonly url: URL;
  readonly span: RequestSpan | undefined;
}

/** The causes of a second try. */
type Cause = Parameters<Telemetry['secondRequest']>[0];

/** One request, which is sent at most twice: the first answer counts, and the other try is closed. */
class Delivery {
  /** Throws: the error of the first try, if none is answered. */
  readonly answer: Promise<PipelineResponse>;
  readonly #line: Line;
  readonly #parcel: Parcel;
  readonly #exchanges: Exchange[] = [];
  readonly #errors: unknown[] = [];
  #open = 0;
  #isOver = false;
  #stage: Stage = 'name';
  #cause: Cause | undefined;
  #endSecond = () => {};
  #hedge: NodeJS.Timeout | undefined;
  #bound: NodeJS.Timeout | undefined;
  #settle: { resolve(response: PipelineResponse): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  readonly #abort = () => {
    if (this.#stage === 'connection') this.#doubt();
    this.#end(() => this.#settle.reject(aborted()));
  };

  constructor(line: Line, parcel: Parcel) {
    this.#line = line;
    this.#parcel = parcel;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { abortSignal } = parcel.request;
    if (abortSignal?.aborted === true) {
      this.#settle.reject(aborted());
      return;
    }
    // One listener for both tries, which is removed when the request ends.
    abortSignal?.addEventListener('abort', this.#abort);
    this.#send();
    const late = () => restError(coded('NO_ANSWER', `no answer within ${line.timeoutMs / 1000} s`));
    this.#bound = setTimeout(() => this.#end(() => this.#settle.reject(late())), line.timeoutMs);
    // The progress of a proxy cannot be observed.
    if (parcel.proxy !== '') this.#comesTo('connection');
  }

  #send(): void {
    const { request, url, agent } = this.#parcel;
    const { keptTimeoutMs, maxAnswerBytes } = this.#line;
    const number = this.#exchanges.length;
    const onStage = number === 0 ? (stage: Stage) => this.#comesTo(stage) : () => {};
    const sending = { url, keptTimeoutMs, maxAnswerBytes, onStage };
    const isPlain = request.method === 'GET' && (request.body ?? undefined) === undefined;
    const isDirect = isPlain && url.protocol === 'https:' && agent instanceof BoundedHttpsAgent;
    const sent = isDirect ? directExchange(request, { ...sending, agent }) : exchange(request, { ...sending, agent });
    this.#exchanges.push(sent);
    this.#open++;
    sent.answer.then(
      (response) => this.#answered(response, number),
      (error: unknown) => this.#failed(error, number),
    );
  }

  /** Records that the first try waits for another step. */
  #comesTo(stage: Stage): void {
    this.#stage = stage;
    clearTimeout(this.#hedge);
    if (this.#cause !== undefined || stage === 'name' || stage === 'rest') return;
    const { hedgeMs, tries } = this.#line;
    const { url, request } = this.#parcel;
    if (url.protocol !== 'https:' || !isRepeatable(request)) return;
    const wait = (steps: number) => {
      this.#hedge = setTimeout(() => (steps > 1 ? wait(steps - 1) : setImmediate(hedge)), hedgeMs / HEDGE_STEPS);
    };
    const hedge = () => {
      // An answer may have come in the turn of the timer.
      if (this.#isOver || this.#cause !== undefined || this.#stage !== stage) return;
      if (tries.allows(url.host)) this.#sendAgain(stage);
      else wait(HEDGE_STEPS);
    };
    wait(HEDGE_STEPS);
  }

  #sendAgain(cause: Cause): void {
    const { url, agent } = this.#parcel;
    this.#cause = cause;
    this.#parcel.span?.event('second request', { 'akv_csi.cause': cause });
    this.#endSecond = this.#line.tries.begin(url.host);
    if (cause === 'connection') this.#doubt();
    // The other kept connections to the host were probably dropped too.
    else if (this.#exchanges[0]?.reused() === true) closeIdle(agent, url);
    this.#send();
  }

  /** Makes the next connection use another address of the host, if there is one. */
  #doubt(): void {
    const { url, proxy } = this.#parcel;
    if (proxy === '') this.#line.agents.doubt?.(url.hostname, this.#exchanges[0]?.address());
  }

  #answered(response: PipelineResponse, number: number): void {
    this.#parcel.span?.set({ 'network.peer.address': this.#exchanges[number]?.address() });
    this.#line.tries.answered(this.#parcel.url.host, response.status);
    this.#end(() => this.#settle.resolve(response), number === 0 ? 'first' : 'second');
  }

  #failed(error: unknown, number: number): void {
    clearTimeout(this.#hedge);
    this.#open--;
    this.#errors[number] = error;
    if (number === 0 && this.#stage === 'connection') this.#doubt();
    const isCut = this.#exchanges[0]?.reused() === true && this.#stage !== 'rest' && CUT.has(codeOf(error));
    if (isCut && this.#cause === undefined && isRepeatable(this.#parcel.request)) this.#sendAgain('cut');
    else if (this.#open === 0) this.#end(() => this.#settle.reject(this.#errors[0]));
  }

  #end(settle: () => void, winner: 'first' | 'second' | 'none' = 'none'): void {
    this.#isOver = true;
    clearTimeout(this.#hedge);
    clearTimeout(this.#bound);
    this.#parcel.request.abortSignal?.removeEventListener('abort', this.#abort);
    this.#endSecond();
    for (const one of this.#exchanges) one.cancel();
    if (this.#cause !== undefined) {
      this.#line.telemetry.secondRequest(this.#cause, winner);
      this.#parcel.span?.set({ 'akv_csi.winner': winner });
      if (winner === 'none') this.#line.tries.unanswered(this.#parcel.url.host);
    }
    settle();
  }
}

function aborted(): Error {
  return new DOMException('The operation was aborted', 'AbortError');
}

/** Codes of a kept connection that was closed under a request. */
const CUT = new Set(['ECONNRESET', 'EPIPE']);

function codeOf(error: unknown): string {
  return error instanceof RestError ? (error.code ?? '') : '';
}
