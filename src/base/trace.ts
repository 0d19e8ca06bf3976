/**
 * The spans of a Mount, without a tracing library. `tracing/` makes them for OpenTelemetry, and server, mount and azure
 * report through the interface. Without a tracer there is no span, and a read costs nothing more. An attribute never holds
 * a value, a token, a credential, or the text of an error.
 */

/** The spans, except those of HTTP requests, which are named by their method. docs/traces.md lists them. */
export const SPAN_NAMES = [
  'v1alpha1.CSIDriverProvider/Mount',
  'parse manifest',
  'check overrides',
  'wait for memory',
  'complete identity',
  'log in',
  'read object',
  'list versions',
  'list objects',
  'convert',
  'render templates',
  'answer',
] as const;

/** One of {@link SPAN_NAMES}. */
export type SpanName = (typeof SPAN_NAMES)[number];

/** The attributes of all spans and events. Those without the prefix `akv_csi` are OpenTelemetry's and the Azure SDK's. */
export const SPAN_ATTRIBUTES = [
  'rpc.system.name',
  'rpc.method',
  'rpc.response.status_code',
  'error.type',
  'k8s.namespace.name',
  'k8s.pod.name',
  'k8s.pod.uid',
  'http.request.method',
  'http.response.status_code',
  'server.address',
  'server.port',
  'url.full',
  'network.peer.address',
  'azure.service.request.id',
  'az.client_request_id',
  'akv_csi.secret_provider_class',
  'akv_csi.objects',
  'akv_csi.files',
  'akv_csi.identity',
  'akv_csi.vault',
  'akv_csi.object.type',
  'akv_csi.object.name',
  'akv_csi.source',
  'akv_csi.cause',
  'akv_csi.winner',
] as const;

/** Attributes of a span or an event; those that are undefined are left out. */
export type SpanAttributes = Readonly<
  Partial<Record<(typeof SPAN_ATTRIBUTES)[number], string | number | boolean | undefined>>
>;

/** The events of a span. */
export const SPAN_EVENTS = ['retry', 'second request'] as const;

/** A piece of work that takes time. */
export interface Span {
  /** The span of the Mount. */
  readonly mount: Span;
  /** Names the trace: 32 hexadecimal digits. */
  readonly traceId: string;
  /** Starts a span below this one. */
  start(name: SpanName): Span;
  set(attributes: SpanAttributes): void;
  event(name: (typeof SPAN_EVENTS)[number], attributes?: SpanAttributes): void;
  /** Begins a request that other Mounts may share: the HTTP requests that are sent with the signal are below this span. */
  lead(signal: object): void;
  /** Shares the request of another span, and links to it. */
  follow(leader: Span): void;
  /** Ends the span. `error`: why the work failed; its class becomes the attribute `error.type`. */
  end(error?: unknown): void;
}

/** The headers that name the caller's span, as the W3C Trace Context defines them. */
export interface CallerTrace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** The span of one HTTP request. */
export type RequestSpan = Pick<Span, 'set' | 'event' | 'end'> & {
  /** Ends the span with an answer. `header` returns one of its headers. */
  answered(status: number, header: (name: string) => string | undefined): void;
};

/** An HTTP request as its span describes it. */
export interface TracedRequest {
  readonly method: string;
  readonly url: URL;
  /** The id by which Azure's support finds it. */
  readonly requestId: string;
  /** The object that ends it. */
  readonly signal: object | undefined;
}

/** Makes spans. */
export interface Tracer {
  /** Starts the span of a Mount; undefined if the sampler leaves it out. */
  mount(caller: CallerTrace): Span | undefined;
  /** Starts the span of a request, if a span carries its signal. */
  request(request: TracedRequest): RequestSpan | undefined;
}

/** Runs a step of a Mount in a span of its own, if the Mount has one. */
export async function inSpan<T>(
  above: Span | undefined,
  name: SpanName,
  step: (own: Span | undefined) => T | Promise<T>,
): Promise<T> {
  const span = above?.start(name);
  try {
    const result = await step(span);
    span?.end();
    return result;
  } catch (error) {
    span?.end(error);
    throw error;
  }
}
