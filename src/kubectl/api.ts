/**
 * Sends requests to the API server of a cluster. All commands of the kubectl plugin use it. Answers are bounded in size,
 * number and time. Refuses answers that are not what was asked for; an error names the request and the next step.
 */

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { type ErrorCode, messageOf, ProviderError, systemCodeOf } from '../base/errors.ts';
import { isJsonObject, type JsonLimits, parseJson } from '../base/json.ts';
import { printable } from '../base/printable.ts';
import type { KubeAccess } from './kubeconfig.ts';
import { at, type KubeObject, objectsAt, textAt } from './objects.ts';

/** Objects in one answer to a list. */
const PAGE = 250;
const MAX_PAGES = 400;
/** Characters of a refusal that are shown. Those of rights, conflicts and admission name their reason at the end. */
const MAX_REFUSAL = 2_000;
const ANSWER_LIMITS: JsonLimits = { bytes: 32 * 1024 * 1024, entries: 4_000_000, depth: 128 };

/** One request. */
export interface KubeRequest {
  /** Path with query, from `/api` or `/apis` on. */
  readonly path: string;
  /** Default: GET. */
  readonly method?: 'GET' | 'PATCH' | 'POST';
  /** Default: `application/json`. */
  readonly accept?: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Default: that of a JSON answer. */
  readonly maxBytes?: number;
  /** A shorter time limit than that of the client, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Which objects of a list are wanted. */
export interface KubeListOptions {
  /** The most objects that are kept. */
  readonly max: number;
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>>;
  /** Says of an object whether it is kept. Default: all are. */
  readonly keep?: (object: KubeObject) => boolean;
}

/** The objects of a list. `cut` is true if there are more than were asked for. */
export interface KubeList {
  readonly items: readonly KubeObject[];
  readonly cut: boolean;
}

/** The API server of the chosen context. */
export class KubeApi {
  readonly access: KubeAccess;
  readonly #timeoutMs: number;

  constructor(access: KubeAccess, { timeoutMs }: { readonly timeoutMs: number }) {
    this.access = access;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the JSON object that answers a request. Throws: ERR_UNREACHABLE, ERR_AUTHENTICATION (401), ERR_FORBIDDEN
   * (403), ERR_NOT_FOUND (404), ERR_BAD_PARAMETERS (409, 422 and other refusals), ERR_TOO_LARGE, ERR_VAULT.
   */
  async json(request: KubeRequest): Promise<KubeObject> {
    const parsed = parseJson(await this.text(request), ANSWER_LIMITS);
    if (parsed.ok && isJsonObject(parsed.value)) return parsed.value;
    const reason = parsed.ok ? 'it is no JSON object' : parsed.reason;
    throw this.#error('ERR_VAULT', `the answer to ${pathOf(request)} cannot be read: ${reason}`);
  }

  /** Returns the objects at a path, page by page. Throws: as {@link json}. */
  async list(path: string, { max, query = {}, keep = () => true }: KubeListOptions): Promise<KubeList> {
    const items: KubeObject[] = [];
    let next = '';
    for (let pages = 0; pages < MAX_PAGES && items.length < max; pages++) {
      const limit = String(Math.min(PAGE, max - items.length));
      const search = new URLSearchParams({ ...query, limit, ...(next === '' ? {} : { continue: next }) });
      const page = await this.json({ path: `${path}?${search}` });
      items.push(
        ...objectsAt(page, 'items')
          .filter(keep)
          .slice(0, max - items.length),
      );
      next = textAt(page, 'metadata', 'continue');
      if (next === '') return { items, cut: false };
    }
    return { items, cut: true };
  }

  /** Returns the text that answers a request. Throws: as {@link json}. */
  async text(request: KubeRequest): Promise<string> {
    const { status, body } = await this.#send(request);
    if (status >= 200 && status < 300) return body;
    throw this.#refusal(request, status, body);
  }

  async #send(request: KubeRequest): Promise<{ readonly status: number; readonly body: string }> {
    const { path, method = 'GET', accept = 'application/json', body, maxBytes = ANSWER_LIMITS.bytes } = request;
    const url = new URL(`${this.access.server}${path}`);
    const options = await this.access.requestOptions();
    const headers = {
      ...options.headers,
      accept,
      'user-agent': 'kubectl-akv',
      ...(body === undefined ? {} : { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
    };
    const timeoutMs = Math.min(this.#timeoutMs, request.timeoutMs ?? this.#timeoutMs);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const send = url.protocol === 'http:' ? http.request : https.request;
      const sent = send(url, { ...options, method, headers, signal });
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        sent.once('response', resolve).once('error', reject).end(body?.text);
      });
      return { status: answer.statusCode ?? 0, body: await bodyOf(answer, maxBytes) };
    } catch (error) {
      if (error instanceof ProviderError) throw this.#error(error.code, `${error.message}: ${pathOf(request)}`);
      const reason = signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error);
      throw this.#error('ERR_UNREACHABLE', `${reason}; check that kubectl get pods works`);
    }
  }

  #refusal(request: KubeRequest, status: number, body: string): ProviderError {
    const parsed = parseJson(body, ANSWER_LIMITS);
    const message = parsed.ok ? textAt(parsed.value, 'message') : '';
    const said = printable(message.length > MAX_REFUSAL ? `${message.slice(0, MAX_REFUSAL)}…` : message);
    const reason = said === '' ? `${pathOf(request)} was answered ${status}` : said;
    const details = { httpStatus: status, remoteCode: parsed.ok ? textAt(parsed.value, 'reason') : '' };
    switch (status) {
      case 401:
        return this.#error(
          'ERR_AUTHENTICATION',
          `${reason}; log in again, and check that kubectl get pods works`,
          details,
        );
      case 403:
        return this.#error(
          'ERR_FORBIDDEN',
          `${reason}; docs/kubectl.md lists the rights that each command needs`,
          details,
        );
      case 404:
        return this.#error('ERR_NOT_FOUND', reason, details);
      default:
        return this.#error(status >= 500 ? 'ERR_VAULT' : 'ERR_BAD_PARAMETERS', `${reason} (${status})`, details);
    }
  }

  #error(
    code: ErrorCode,
    message: string,
    details: { readonly httpStatus?: number; readonly remoteCode?: string } = {},
  ): ProviderError {
    const { server, context } = this.access;
    const place = context === '' ? '' : `, context "${context}"`;
    return new ProviderError(code, `API server ${server}${place}: ${message}`, { details });
  }
}

/** Reads an answer to its end. Throws: ERR_TOO_LARGE. */
async function bodyOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      answer.destroy();
      throw new ProviderError('ERR_TOO_LARGE', `the answer has more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function pathOf({ path, method = 'GET' }: KubeRequest): string {
  return `${method} ${path.replace(/\?.*$/s, '')}`;
}

/** Returns the reason of Node, with the remedy for those that people meet. */
function reasonOf(error: unknown): string {
  const code = systemCodeOf(error);
  const cause = at(error, 'cause') ?? error;
  const text = `cannot be reached: ${messageOf(cause)}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return `${text} (${code}); its certificate is not of the CA in the kubeconfig`;
  return code === '' || text.includes(code) ? text : `${text} (${code})`;
}
