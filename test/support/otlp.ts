/**
 * A receiver of traces for tests: an HTTP server that decodes what an exporter of OTLP sends, in protobuf and JSON. It knows
 * the messages by the field numbers of OTLP, and uses nothing of OpenTelemetry.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { onTestFinished } from 'vitest';
import { eventually } from './process.ts';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resourceSpans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message Scope { string name = 1; string version = 2; }
  message KeyValue { string key = 1; Value value = 2; }
  message Value { oneof value { string stringValue = 1; bool boolValue = 2; int64 intValue = 3; double doubleValue = 4; } }
  message Span {
    bytes traceId = 1; bytes spanId = 2; string traceState = 3; bytes parentSpanId = 4; string name = 5; int32 kind = 6;
    fixed64 startTimeUnixNano = 7; fixed64 endTimeUnixNano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15;
  }
  message Event { fixed64 timeUnixNano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes traceId = 1; bytes spanId = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Response { PartialSuccess partialSuccess = 1; }
  message PartialSuccess { int64 rejectedSpans = 1; string errorMessage = 2; }
`);
const REQUEST = root.lookupType('Request');
const RESPONSE = root.lookupType('Response');

/** Encodes an answer that accepts an export, but for some of its spans. */
export function partialSuccess(rejectedSpans: number, errorMessage: string): Buffer {
  return Buffer.from(RESPONSE.encode(RESPONSE.create({ partialSuccess: { rejectedSpans, errorMessage } })).finish());
}

type Values = Readonly<Record<string, unknown>>;

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly name: string;
  /** 1: internal, 2: server, 3: client. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly attributes: Values;
  readonly events: readonly { readonly name: string; readonly attributes: Values }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2: an error. */
  readonly status: number;
  readonly resource: Values;
}

/** One request of an exporter. */
export interface ReceivedExport {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly spans: readonly ReceivedSpan[];
}

/** A receiver that listens. */
export interface Receiver {
  readonly port: number;
  /** All requests so far, also those that were refused. */
  readonly exports: readonly ReceivedExport[];
  /** The spans of all requests. */
  readonly spans: () => readonly ReceivedSpan[];
  /** Waits until the spans are as asked for. Returns all. */
  until(holds: (spans: readonly ReceivedSpan[]) => boolean): Promise<readonly ReceivedSpan[]>;
}

/** How a receiver answers. Default: it accepts everything. */
export interface ReceiverOptions {
  readonly answer?: (response: http.ServerResponse, exportNumber: number) => void;
  /** Key and certificate; default: plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** Starts a receiver, which the test ends. */
export async function startReceiver({ answer, tls }: ReceiverOptions = {}): Promise<Receiver> {
  const exports: ReceivedExport[] = [];
  const listener: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      const { url: path = '', headers } = request;
      exports.push({ path, headers, body, spans: spansOf(decoded(body, headers['content-type'])) });
      if (answer === undefined) response.end();
      else answer(response, exports.length);
    });
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const spans = () => exports.flatMap((one) => one.spans);
  return {
    port: (server.address() as AddressInfo).port,
    exports,
    spans,
    async until(holds) {
      await eventually(() => holds(spans()));
      return spans();
    },
  };
}

interface Message {
  readonly [field: string]: unknown;
}

/** Returns the request as an object whose bytes are in hexadecimal, whatever its encoding. */
function decoded(body: Buffer, contentType: string | undefined): Message {
  if (contentType === 'application/json') return JSON.parse(body.toString('utf8')) as Message;
  if (contentType !== 'application/x-protobuf') throw new Error(`a request of type ${contentType}`);
  return REQUEST.toObject(REQUEST.decode(body), { longs: Number, arrays: true }) as Message;
}

const list = (value: unknown) => (value ?? []) as readonly Message[];
const hex = (value: unknown) =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value ?? '');

function valuesOf(attributes: unknown): Values {
  return Object.fromEntries(
    list(attributes).map(({ key, value }) => [key, Object.values((value ?? {}) as Message)[0]]),
  );
}

function spansOf(request: Message): readonly ReceivedSpan[] {
  return list(request.resourceSpans).flatMap(({ resource, scopeSpans }) =>
    list(scopeSpans).flatMap(({ spans }) =>
      list(spans).map((span) => ({
        name: String(span.name),
        kind: Number(span.kind),
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        traceState: String(span.traceState ?? ''),
        attributes: valuesOf(span.attributes),
        events: list(span.events).map(({ name, attributes }) => ({
          name: String(name),
          attributes: valuesOf(attributes),
        })),
        links: list(span.links).map(({ traceId, spanId }) => ({ traceId: hex(traceId), spanId: hex(spanId) })),
        status: Number((span.status as Message | undefined)?.code ?? 0),
        resource: valuesOf((resource as Message | undefined)?.attributes),
      })),
    ),
  );
}
