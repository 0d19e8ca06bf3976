import { createDefaultHttpClient, type HttpClient, isRestError, RestError } from '@azure/core-rest-pipeline';
import { abortable } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { RecentlyUsed } from '../base/recently-used.ts';
import type { AgentSource } from './agents.ts';

/** What every request goes out with. */
export interface TransportOptions {
  readonly agents: AgentSource;
  /** Stands in front of the SDK's own. */
  readonly userAgent: string;
  /** Bound of one request, from its start to the last byte of the answer. */
  readonly timeoutMs: number;
}

/**
 * Where all requests of all SDK clients end: shared connections, our user agent, a bound on time. An `HttpClient` and no
 * pipeline policy, because the SDK drops the policies of managed-identity credentials.
 * Errors: `RestError` with Node's code, or `NO_ANSWER` past the bound; `AbortError`.
 */
export function createTransport({ agents, userAgent, timeoutMs }: TransportOptions): HttpClient {
  const wire = createDefaultHttpClient();
  return {
    async sendRequest(request) {
      const { agent, proxy } = agents.for(request.url);
      // The SDK may have put an agent of its own here, for a proxy.
      request.agent = agent;
      const sdk = request.headers.get('user-agent') ?? '';
      if (!sdk.startsWith(userAgent)) request.headers.set('user-agent', `${userAgent} ${sdk}`.trim());
      const { abortSignal } = request;
      const bound = boundBy(abortSignal, timeoutMs);
      // The SDK's own timeout ends with the headers of the answer.
      request.abortSignal = bound.signal;
      try {
        return await abortable(wire.sendRequest(request), bound.signal);
      } catch (error) {
        // Which host the failure is about, for whoever explains it.
        if (proxy !== '' && isRestError(error)) Object.assign(error, { proxy });
        throw error;
      } finally {
        bound.dispose();
        if (abortSignal === undefined) delete request.abortSignal;
        else request.abortSignal = abortSignal;
      }
    },
  };
}

const METADATA_PATH = '/.well-known/openid-configuration';
/** Answers of metadata that are kept. */
const MAX_METADATA = 100;
const METADATA_TTL_MS = 24 * 60 * 60 * 1000;

/**
 * Asks for a login host's OpenID metadata once a day. Every credential object would ask anew, which for clouds that the
 * SDK does not know by heart is a round trip more at each login.
 */
export function rememberMetadata(client: HttpClient, clock: Clock): HttpClient {
  const known = new RecentlyUsed<{ readonly response: ReturnType<HttpClient['sendRequest']>; readonly until: number }>({
    entries: MAX_METADATA,
  });
  return {
    async sendRequest(request) {
      const { url } = request;
      if (request.method !== 'GET' || !url.includes(METADATA_PATH)) return client.sendRequest(request);
      const kept = known.get(url);
      if (kept !== undefined && kept.until > clock.now()) {
        const response = await kept.response.catch(() => undefined);
        // The one who asked may have gone, which is no reason for the others to fail.
        return response === undefined ? client.sendRequest(request) : { ...response, request };
      }
      const response = client.sendRequest(request);
      const entry = { response, until: clock.now() + METADATA_TTL_MS };
      known.set(url, entry);
      const forget = () => {
        if (known.peek(url) === entry) known.delete(url);
      };
      response.then(({ status, bodyAsText }) => {
        if (status !== 200 || !isObject(bodyAsText)) forget();
      }, forget);
      return response;
    },
  };
}

type SignalLike = NonNullable<Parameters<HttpClient['sendRequest']>[0]['abortSignal']>;

/** A signal that aborts with another, or after `ms` milliseconds with NO_ANSWER. */
function boundBy(signal: SignalLike | undefined, ms: number): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController();
  const leave = () => controller.abort(new DOMException('The operation was aborted', 'AbortError'));
  const timer = setTimeout(
    () => controller.abort(new RestError(`no answer within ${ms / 1000} s`, { code: 'NO_ANSWER' })),
    ms,
  );
  if (signal?.aborted === true) leave();
  else signal?.addEventListener('abort', leave);
  return {
    signal: controller.signal,
    dispose() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    },
  };
}

function isObject(text: string | null | undefined): boolean {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
