import { describe, expect, it } from 'vitest';
import { readTraceSettings } from '../../src/tracing/settings.ts';
import { type Env, tracesWanted } from '../../src/tracing/wanted.ts';

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const OWN = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const ON = { [ENDPOINT]: 'http://collector:4318' };

function read(env: Env) {
  const settings = readTraceSettings(env, { 'service.name': 'default', 'service.version': '1' });
  if (settings === undefined) throw new Error('traces are off');
  return settings;
}

describe('traces', () => {
  it.each<[string, Env, { wanted: boolean; on: boolean }]>([
    ['nothing is set', {}, { wanted: false, on: false }],
    ['the endpoint is empty', { [ENDPOINT]: ' ' }, { wanted: false, on: false }],
    ['the endpoint is set', ON, { wanted: true, on: true }],
    ['the endpoint of traces is set', { [OWN]: 'http://c/t' }, { wanted: true, on: true }],
    ['the exporter is set', { OTEL_TRACES_EXPORTER: 'otlp' }, { wanted: true, on: true }],
    ['the exporter is none', { ...ON, OTEL_TRACES_EXPORTER: 'none' }, { wanted: true, on: false }],
    ['the SDK is disabled', { ...ON, OTEL_SDK_DISABLED: 'True' }, { wanted: true, on: false }],
    ['the SDK is not disabled', { ...ON, OTEL_SDK_DISABLED: 'no' }, { wanted: true, on: true }],
    [
      'they are off, and another variable is wrong',
      { ...ON, OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      { wanted: true, on: false },
    ],
  ])('if %s', (_, env, { wanted, on }) => {
    expect(tracesWanted(env)).toBe(wanted);
    expect(readTraceSettings(env, {}) !== undefined).toBe(on);
  });

  it.each<[Env, string]>([
    [{ [ENDPOINT]: 'http://collector:4318' }, 'http://collector:4318/v1/traces'],
    [{ [ENDPOINT]: 'https://c/otlp/' }, 'https://c/otlp/v1/traces'],
    [{ [ENDPOINT]: 'http://c', [OWN]: 'http://d:1/own' }, 'http://d:1/own'],
    [{ [OWN]: 'http://d:1' }, 'http://d:1/'],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'http://localhost:4318/v1/traces'],
  ])('go to the endpoint of %j', (env, url) => {
    expect(read(env).endpoint.href).toBe(url);
  });

  it('have the defaults of OpenTelemetry', () => {
    expect(read(ON)).toEqual({
      endpoint: new URL('http://collector:4318/v1/traces'),
      protocol: 'http/protobuf',
      headers: {},
      timeoutMs: 10_000,
      compression: 'none',
      caFile: '',
      caVariable: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
      sampler: 'parentbased_always_on',
      ratio: 1,
      resource: { 'service.name': 'default', 'service.version': '1' },
      queueSpans: 2048,
      batchSpans: 512,
      delayMs: 5000,
    });
  });

  it('take the variable for traces before the one for everything, and the name of the service before its attributes', () => {
    const settings = read({
      ...ON,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=x%20y%2C',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'a=2',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '2000',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '.25',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, deployment.environment.name=prod',
      OTEL_SERVICE_NAME: 'akv',
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
    });
    expect(settings).toMatchObject({
      protocol: 'http/json',
      headers: { a: '2', b: 'x y,' },
      timeoutMs: 2000,
      compression: 'gzip',
      caFile: '/ca.pem',
      caVariable: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
      sampler: 'traceidratio',
      ratio: 0.25,
      resource: { 'service.name': 'akv', 'service.version': '1', 'deployment.environment.name': 'prod' },
      queueSpans: 100,
      batchSpans: 100,
    });
  });
});

describe('wrong settings of traces', () => {
  it.each<[string, string, RegExp]>([
    [ENDPOINT, 'collector:4318', /it is not a URL that begins with http/],
    [ENDPOINT, 'ftp://c', /it is not a URL that begins with http/],
    [OWN, 'http://user:pass@c', /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: .*send credentials in OTEL_EXPORTER_OTLP_HEADERS/],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /"grpc" is not supported: set http\/protobuf, .*4318/],
    [
      'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
      'thrift',
      /TRACES_PROTOCOL: "thrift" is not supported: set "http\/protobuf"/,
    ],
    ['OTEL_TRACES_EXPORTER', 'console', /"console" is not supported: set "otlp" or "none"/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'novalue', /part 1 is not key=value/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b,c=%zz', /part 2 is not key=value/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=x%0d%0ab', /a character that HTTP does not allow/],
    [
      'OTEL_EXPORTER_OTLP_HEADERS',
      'Content-Length=3',
      /sets the header content-length, which the exporter decides: remove/,
    ],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'a=b,transfer-encoding=x', /TRACES_HEADERS: .* transfer-encoding, which/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=x', /a character that HTTP does not allow/],
    ['OTEL_EXPORTER_OTLP_HEADERS', Array.from({ length: 65 }, (_, i) => `h${i}=1`).join(), /more than 64 pairs/],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '0', /"0" is not a whole number from 1 to 60000/],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s', /"10s" is not a whole number/],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd', /"zstd" is not supported: set "none" or "gzip"/],
    ['OTEL_EXPORTER_OTLP_CLIENT_KEY', '/key.pem', /client certificates are not supported/],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', /"jaeger_remote" is not supported: set "always_on"/],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', /"1.5" is not a number from 0 to 1/],
    ['OTEL_TRACES_SAMPLER_ARG', '', /^$/],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a', /part 1 is not key=value/],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '100000', /from 1 to 8192/],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '4096', /from 1 to 2048/],
    ['OTEL_BSP_SCHEDULE_DELAY', '-1', /from 1 to 60000/],
  ])('%s=%s', (name, value, text) => {
    const env = { ...ON, [name]: value };
    if (value === '') expect(read(env)).toEqual(read(ON));
    else
      expect(() => read(env)).toThrow(
        expect.objectContaining({ code: 'ERR_USAGE', message: expect.stringMatching(text) }),
      );
  });

  it('are told in one message, which quotes no header and no URL', () => {
    const env = {
      [ENDPOINT]: 'http://user:hunter2@c',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=hunter2\u0000',
      OTEL_TRACES_SAMPLER: 'nonsense',
    };
    const error = (() => {
      try {
        return read(env);
      } catch (thrown) {
        return String(thrown);
      }
    })();
    for (const name of Object.keys(env)) expect(error).toContain(`environment variable ${name}: `);
    expect(error).toContain('OTEL_TRACES_EXPORTER=none switches traces off');
    expect(error).not.toContain('hunter2');
  });
});
