/**
 * Reads the settings of traces from the environment variables of OpenTelemetry. `cli/tracing.ts` calls it when the provider
 * starts. Refuses values that are not supported, all in one message, and quotes nothing that may be a credential.
 */

import { ProviderError } from '../base/errors.ts';
import { oneOf, quote } from '../base/words.ts';
import type { Env } from './wanted.ts';

/** How OTLP/HTTP encodes spans. */
const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
/** The samplers, by their names in `OTEL_TRACES_SAMPLER`. */
export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** The variables that are read. docs/traces.md lists them. `*`: with and without `TRACES_`, which comes first. */
export const TRACE_VARIABLES = [
  'OTEL_EXPORTER_OTLP_*ENDPOINT',
  'OTEL_EXPORTER_OTLP_*PROTOCOL',
  'OTEL_EXPORTER_OTLP_*HEADERS',
  'OTEL_EXPORTER_OTLP_*TIMEOUT',
  'OTEL_EXPORTER_OTLP_*COMPRESSION',
  'OTEL_EXPORTER_OTLP_*CERTIFICATE',
  'OTEL_EXPORTER_OTLP_*CLIENT_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_*CLIENT_KEY',
  'OTEL_TRACES_EXPORTER',
  'OTEL_SDK_DISABLED',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_BSP_SCHEDULE_DELAY',
  'OTEL_BSP_MAX_QUEUE_SIZE',
  'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
] as const;

/** Where traces go, and which. */
export interface TraceSettings {
  readonly endpoint: URL;
  readonly protocol: (typeof PROTOCOLS)[number];
  readonly headers: Readonly<Record<string, string>>;
  /** Bound of one export with its repetitions, in milliseconds. */
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  /** File of the certificate authorities to trust in addition; empty: none. */
  readonly caFile: string;
  /** The variable that names it. */
  readonly caVariable: string;
  readonly sampler: (typeof SAMPLERS)[number];
  /** The part of the traces that a sampler by ratio takes, 0 to 1. */
  readonly ratio: number;
  /** Attributes that name the service, those of the environment last. */
  readonly resource: Readonly<Record<string, string>>;
  /** Spans that wait to be exported at most, spans of one export, and how long they are collected for it. */
  readonly queueSpans: number;
  readonly batchSpans: number;
  readonly delayMs: number;
}

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const PATH = 'v1/traces';
const MAX_PAIRS = 64;
const MAX_PAIR_CHARS = 4096;
const MAX_QUEUE_SPANS = 8192;
/** What a header may have: no line breaks, and nothing that Node refuses to send. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[ -~]*$/;
/** Headers that decide how the request is read. The exporter sets those that it needs. */
const FRAMING =
  /^(connection|content-encoding|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade)$/i;

/**
 * Returns the settings; undefined if the environment switches traces off. `service`: attributes that the environment may
 * replace. Throws: ERR_USAGE that names each variable, the rule and the remedy.
 */
export function readTraceSettings(env: Env, service: Readonly<Record<string, string>>): TraceSettings | undefined {
  const reader = new Reader(env);
  if (reader.text('OTEL_SDK_DISABLED').toLowerCase() === 'true') return undefined;
  const exporter = reader.text('OTEL_TRACES_EXPORTER');
  const base = reader.text('OTEL_EXPORTER_OTLP_ENDPOINT');
  const own = reader.text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  if (exporter === 'none' || (exporter === '' && base === '' && own === '')) return undefined;
  if (exporter !== '') reader.word('OTEL_TRACES_EXPORTER', ['otlp', 'none'] as const, 'otlp');
  const queueSpans = reader.number('OTEL_BSP_MAX_QUEUE_SIZE', 2048, { least: 1, most: MAX_QUEUE_SPANS });
  const caVariable = reader.nameOf('CERTIFICATE');
  const serviceName = reader.text('OTEL_SERVICE_NAME');
  const settings = {
    endpoint: reader.endpoint(own, base),
    protocol: reader.protocol(),
    headers: {
      ...reader.headers('OTEL_EXPORTER_OTLP_HEADERS'),
      ...reader.headers('OTEL_EXPORTER_OTLP_TRACES_HEADERS'),
    },
    timeoutMs: reader.number(reader.nameOf('TIMEOUT'), 10_000, { least: 1, most: 60_000 }),
    compression: reader.word(reader.nameOf('COMPRESSION'), ['none', 'gzip'] as const, 'none'),
    caFile: reader.text(caVariable),
    caVariable,
    sampler: reader.word('OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on'),
    ratio: reader.ratio(),
    resource: {
      ...service,
      ...reader.pairs('OTEL_RESOURCE_ATTRIBUTES'),
      ...(serviceName !== '' && { 'service.name': serviceName }),
    },
    queueSpans,
    batchSpans: reader.number('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', Math.min(512, queueSpans), {
      least: 1,
      most: queueSpans,
    }),
    delayMs: reader.number('OTEL_BSP_SCHEDULE_DELAY', 5000, { least: 1, most: 60_000 }),
  };
  for (const name of ['CLIENT_CERTIFICATE', 'CLIENT_KEY']) reader.refuse(reader.nameOf(name));
  reader.done();
  return settings;
}

/** Reads variables and collects what is wrong with them. */
class Reader {
  readonly #env: Env;
  readonly #problems: string[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  /** The value of a variable. An empty one counts as not set, as OpenTelemetry says. */
  text(name: string): string {
    return (this.#env[name] ?? '').trim();
  }

  /** The variable of an exporter that counts: the one for traces, if it is set. */
  nameOf(setting: string): string {
    const own = `OTEL_EXPORTER_OTLP_TRACES_${setting}`;
    return this.text(own) === '' ? `OTEL_EXPORTER_OTLP_${setting}` : own;
  }

  word<const T extends string>(name: string, known: readonly T[], otherwise: T): T {
    const value = this.text(name);
    const found = value === '' ? otherwise : known.find((one) => one === value);
    if (found === undefined) this.#wrong(name, `${quote(value)} is not supported: set ${oneOf(known)}`);
    return found ?? otherwise;
  }

  number(name: string, otherwise: number, { least, most }: { readonly least: number; readonly most: number }): number {
    const value = this.text(name);
    if (value === '') return otherwise;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.#wrong(name, `${quote(value)} is not a whole number from ${least} to ${most}`);
    return otherwise;
  }

  ratio(): number {
    const name = 'OTEL_TRACES_SAMPLER_ARG';
    const value = this.text(name);
    if (value === '') return 1;
    const number = /^\d{0,9}\.?\d{1,18}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= 0 && number <= 1) return number;
    this.#wrong(name, `${quote(value)} is not a number from 0 to 1`);
    return 1;
  }

  protocol(): TraceSettings['protocol'] {
    const name = this.nameOf('PROTOCOL');
    if (this.text(name) !== 'grpc') return this.word(name, PROTOCOLS, 'http/protobuf');
    const remedy = 'set http/protobuf, and in the endpoint the port of OTLP/HTTP, which is usually 4318';
    this.#wrong(name, `"grpc" is not supported: ${remedy}`);
    return 'http/protobuf';
  }

  /** The URL of the traces: `own` as it is, or the path of traces below `base`. */
  endpoint(own: string, base: string): URL {
    const name = own === '' ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
    const value = own || base || DEFAULT_ENDPOINT;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      this.#wrong(name, 'it is not a URL that begins with http:// or https://, such as http://collector:4318');
      return new URL(DEFAULT_ENDPOINT);
    }
    if (url.username !== '' || url.password !== '')
      this.#wrong(name, 'it has a user name or a password: send credentials in OTEL_EXPORTER_OTLP_HEADERS');
    if (own === '') url.pathname = `${url.pathname.replace(/\/$/, '')}/${PATH}`;
    url.hash = '';
    return url;
  }

  /** Headers of requests. They may be credentials: no message quotes their values. */
  headers(name: string): Readonly<Record<string, string>> {
    const pairs = this.pairs(name);
    for (const [header, value] of Object.entries(pairs)) {
      if (FRAMING.test(header)) {
        this.#wrong(name, `it sets the header ${header.toLowerCase()}, which the exporter decides: remove it`);
        return {};
      }
      if (HEADER_NAME.test(header) && HEADER_VALUE.test(value)) continue;
      this.#wrong(name, `the name or the value of one of its headers has a character that HTTP does not allow`);
      return {};
    }
    return pairs;
  }

  /** Pairs such as `key1=value1,key2=value2`, whose values may be percent-encoded. */
  pairs(name: string): Readonly<Record<string, string>> {
    const parts = this.text(name)
      .split(',')
      .filter((part) => part.trim() !== '');
    if (parts.length > MAX_PAIRS || parts.some((part) => part.length > MAX_PAIR_CHARS)) {
      this.#wrong(name, `it has more than ${MAX_PAIRS} pairs, or one of more than ${MAX_PAIR_CHARS} characters`);
      return {};
    }
    const pairs: Record<string, string> = {};
    for (const [index, part] of parts.entries()) {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(part) ?? [];
      const decoded = value === undefined ? undefined : decode(value.trim());
      if (key === undefined || decoded === undefined) {
        this.#wrong(name, `part ${index + 1} is not key=value with a value in percent-encoding`);
        return {};
      }
      pairs[key.trim()] = decoded;
    }
    return pairs;
  }

  refuse(name: string): void {
    if (this.text(name) === '') return;
    const remedy = 'send a credential in OTEL_EXPORTER_OTLP_HEADERS, or export to a collector that has the certificate';
    this.#wrong(name, `client certificates are not supported: remove it, and ${remedy}`);
  }

  /** Throws: ERR_USAGE, if anything was wrong. */
  done(): void {
    if (this.#problems.length === 0) return;
    const remedy = 'OTEL_TRACES_EXPORTER=none switches traces off';
    throw new ProviderError('ERR_USAGE', `wrong settings of traces: ${this.#problems.join('; ')}; ${remedy}`);
  }

  #wrong(name: string, rule: string): void {
    this.#problems.push(`environment variable ${name}: ${rule}`);
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
