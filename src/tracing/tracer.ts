/**
 * Makes the spans of Mounts with the SDK of OpenTelemetry. `startTracing` makes the tracer, and the pipeline calls it
 * through `base/trace.ts`. Attributes come from the lists there; the path of a vault's URL leaves out names of objects that
 * the operator does not want to be shown.
 */

import {
  type Attributes,
  type Context,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import { ProviderError, systemCodeOf } from '../base/errors.ts';
import type { CallerTrace, RequestSpan, Span, SpanAttributes, SpanName, TracedRequest, Tracer } from '../base/trace.ts';

const MOUNT: SpanName = 'v1alpha1.CSIDriverProvider/Mount';
/** Limits of the W3C's headers. A longer one is ignored. */
const MAX_TRACEPARENT_CHARS = 256;
const MAX_TRACESTATE_CHARS = 512;
/** The path of an object of a vault. */
const OBJECT_PATH = /^(\/(?:secrets|keys|certificates)\/)[^/]+/;

/** An id as Azure's services make them. Other texts are left out: a server may send back what it was sent. */
const REQUEST_ID = /^[0-9a-f-]{1,64}$/i;

/** Options of {@link createTracer}. */
export interface TracerOptions {
  /** True if attributes name the objects of vaults. */
  readonly objectNames: boolean;
}

/** Returns a tracer that makes its spans with `otel`. */
export function createTracer(otel: OtelTracer, { objectNames }: TracerOptions): Tracer {
  const leaders: Leaders = new WeakMap();
  const maker = { otel, objectNames, leaders };
  return {
    mount(caller) {
      const started = otel.startSpan(MOUNT, { kind: SpanKind.SERVER, attributes: RPC }, contextOf(caller));
      return started.isRecording() ? new TracedSpan(maker, started) : undefined;
    },
    request({ signal, ...request }) {
      const leader = signal === undefined ? undefined : leaders.get(signal);
      return leader?.request(request);
    },
  };
}

const RPC = { 'rpc.system.name': 'grpc', 'rpc.method': MOUNT } satisfies SpanAttributes;

/** The spans that began requests, by the signals of these. */
type Leaders = WeakMap<object, TracedSpan>;

interface Maker extends TracerOptions {
  readonly otel: OtelTracer;
  readonly leaders: Leaders;
}

class TracedSpan implements Span {
  readonly mount: Span;
  readonly #maker: Maker;
  readonly #span: OtelSpan;
  readonly #context: Context;

  constructor(maker: Maker, span: OtelSpan, mount?: Span) {
    this.#maker = maker;
    this.#span = span;
    this.#context = trace.setSpan(ROOT_CONTEXT, span);
    this.mount = mount ?? this;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  start(name: SpanName): Span {
    return new TracedSpan(this.#maker, this.#maker.otel.startSpan(name, {}, this.#context), this.mount);
  }

  set({ 'akv_csi.object.name': name, ...others }: SpanAttributes): void {
    this.#span.setAttributes(attributesOf(others));
    if (name !== undefined && this.#maker.objectNames) this.#span.setAttribute('akv_csi.object.name', name);
  }

  event(name: string, attributes: SpanAttributes = {}): void {
    this.#span.addEvent(name, attributesOf(attributes));
  }

  lead(signal: object): void {
    this.#maker.leaders.set(signal, this);
    this.set({ 'akv_csi.source': 'request' });
  }

  follow(leader: Span): void {
    if (leader instanceof TracedSpan) this.#span.addLink({ context: leader.#span.spanContext() });
    this.set({ 'akv_csi.source': 'shared' });
  }

  end(error?: unknown): void {
    endSpan(this.#span, error === undefined ? undefined : classOf(error));
  }

  /** Starts the span of an HTTP request below this one. */
  request({ method, url, requestId }: Omit<TracedRequest, 'signal'>): RequestSpan {
    const { otel, objectNames } = this.#maker;
    const attributes = {
      'http.request.method': method,
      'server.address': url.hostname,
      'server.port': Number(url.port) || (url.protocol === 'http:' ? 80 : 443),
      'url.full': url.origin + (objectNames ? url.pathname : url.pathname.replace(OBJECT_PATH, '$1REDACTED')),
      'az.client_request_id': requestId,
    } satisfies SpanAttributes;
    const span = otel.startSpan(method, { kind: SpanKind.CLIENT, attributes }, this.#context);
    return {
      set: (more) => void span.setAttributes(attributesOf(more)),
      event: (name, more = {}) => void span.addEvent(name, attributesOf(more)),
      end: (error) => endSpan(span, error === undefined ? undefined : classOf(error)),
      answered(status, header) {
        const id = header('x-ms-request-id');
        const shown = id !== undefined && REQUEST_ID.test(id) ? id : undefined;
        span.setAttributes(attributesOf({ 'http.response.status_code': status, 'azure.service.request.id': shown }));
        endSpan(span, status < 400 ? undefined : String(status));
      },
    };
  }
}

/** Ends a span; `errorType`: the class of its failure. */
function endSpan(span: OtelSpan, errorType: string | undefined): void {
  if (errorType !== undefined) {
    span.setAttribute('error.type', errorType);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** Returns the class of a failure, never its text. */
function classOf(error: unknown): string {
  if (error instanceof ProviderError) return error.code;
  return systemCodeOf(error) || (error instanceof Error ? error.name : '_OTHER');
}

function attributesOf(attributes: SpanAttributes): Attributes {
  return attributes as Attributes;
}

/** Returns the context of the caller. Headers that the W3C's rules do not allow are ignored. */
function contextOf({ traceparent, tracestate }: CallerTrace): Context {
  if (traceparent === undefined || traceparent.length > MAX_TRACEPARENT_CHARS) return ROOT_CONTEXT;
  const caller = parseTraceParent(traceparent);
  if (caller === null) return ROOT_CONTEXT;
  const isKept = tracestate !== undefined && tracestate.length <= MAX_TRACESTATE_CHARS;
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...caller,
    traceFlags: caller.traceFlags & TraceFlags.SAMPLED,
    isRemote: true,
    ...(isKept && { traceState: new TraceState(tracestate) }),
  });
}
