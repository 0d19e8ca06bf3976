import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SPAN_ATTRIBUTES, SPAN_NAMES } from '../../src/base/trace.ts';
import { NODE_PUBLISH_SECRET, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { mountRequestOf } from '../../src/driver/publish.ts';
import { CREDENTIALS, exampleVolumes, mountInto, POD, seedOf, startWorld } from '../support/e2e.ts';
import { type ReceiverOptions, startReceiver } from '../support/otlp.ts';
import { issue, keyPem } from '../support/pki.ts';
import { scratch, start } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import { call, grpcClient } from '../support/server.ts';

interface TracedOptions {
  readonly seed?: string;
  readonly receiver?: ReceiverOptions;
  /** Default: the receiver, at `localhost`. */
  readonly endpoint?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a receiver, and a provider whose last spans are exported when it stops. */
async function tracedWorld({ seed, receiver: given = {}, endpoint, env }: TracedOptions = {}) {
  const receiver = await startReceiver(given);
  const scheme = given.tls === undefined ? 'http' : 'https';
  const world = await startWorld({
    ...(seed !== undefined && { seed }),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint ?? `${scheme}://localhost:${receiver.port}`,
      OTEL_BSP_SCHEDULE_DELAY: '60000',
      NODE_NAME: 'node-1',
      ...env,
    },
  });
  onTestFinished(() => world.close());
  const ended = async () => {
    expect(await world.provider.stop()).toBe(0);
    return receiver.spans();
  };
  return { world, receiver, ended };
}

describe('serve with an endpoint of OTLP', () => {
  it('exports the spans of a Mount when it ends, in the trace of the caller, and its log names the trace', async () => {
    const { world, receiver, ended } = await tracedWorld();
    const { parameters } = exampleVolumes().listener;
    const client = grpcClient(world.endpoint.replace('unix://', 'unix:'));
    onTestFinished(() => client.close());
    const traceId = 'c'.repeat(32);
    const metadata = { traceparent: `00-${traceId}-${'d'.repeat(16)}-01` };
    const request = { parameters, pod: POD, nodePublishSecret: CREDENTIALS, targetDir: join(world.directory, 'v') };
    await call(client, 'Mount', mountRequestOf({ ...request, volumeAttributes: { secretProviderClass: 'tls' } }), {
      metadata,
    });
    const spans = await ended();
    const mount = spans.find(({ kind }) => kind === 2);
    expect(mount).toMatchObject({
      name: 'v1alpha1.CSIDriverProvider/Mount',
      traceId,
      parentSpanId: 'd'.repeat(16),
      status: 0,
    });
    expect(mount?.attributes).toEqual({
      'rpc.system.name': 'grpc',
      'rpc.method': 'v1alpha1.CSIDriverProvider/Mount',
      'rpc.response.status_code': 'OK',
      'k8s.namespace.name': POD.namespace,
      'k8s.pod.name': POD.name,
      'k8s.pod.uid': POD.uid,
      'akv_csi.secret_provider_class': 'tls',
      'akv_csi.objects': 1,
      'akv_csi.files': 3,
    });
    const steps = spans.filter(({ parentSpanId }) => parentSpanId === mount?.spanId).map(({ name }) => name);
    const read = ['log in', 'read object', 'convert', 'answer'];
    expect(steps).toEqual(['parse manifest', 'wait for memory', 'complete identity', ...read]);
    expect(mount?.resource).toMatchObject({
      'service.name': 'csi-secrets-store-provider-azure',
      'k8s.node.name': 'node-1',
      'host.name': hostname(),
      'telemetry.sdk.name': 'opentelemetry',
    });
    expect(world.provider.log()).toMatch(
      new RegExp(`msg=Mounted namespace=\\S+ pod=\\S+ secretProviderClass=tls traceId=${traceId} `),
    );
    for (const { headers } of receiver.exports) expect(headers).not.toHaveProperty('authorization');
  });

  it('exports no value, credential, token or text of an error, whether Mounts succeed or fail', async () => {
    const value = 'value-of-db-9f2c';
    const { world, receiver, ended } = await tracedWorld({
      seed: seedOf(`    secrets: [{name: db, value: ${value}}, {name: off, value: ${value}, enabled: false}]`),
    });
    const mounted = (name: string, object: string) =>
      mountInto(world, name, {
        keyvaultName: VAULT,
        tenantID: TENANT,
        objects: `array:\n  - {objectName: ${object}, objectType: secret}\n`,
        templates: `app.conf: { format: dotenv, objects: [${object}] }`,
      }).catch((error: unknown) => error);
    const [good, bad, wrong] = [await mounted('good', 'db'), await mounted('bad', 'off'), await mounted('wrong', '')];
    expect(JSON.stringify([bad, wrong])).not.toContain('"files"');
    const spans = await ended();
    const mounts = spans.filter(({ kind }) => kind === 2);
    expect(good).toHaveProperty('files');
    expect(
      mounts.map(({ attributes, status }) => [
        attributes['rpc.response.status_code'],
        attributes['error.type'],
        status,
      ]),
    ).toEqual([
      ['OK', undefined, 0],
      ['FAILED_PRECONDITION', 'ERR_DISABLED', 2],
      ['INVALID_ARGUMENT', 'ERR_BAD_PARAMETERS', 2],
    ]);
    const sent = receiver.exports.map(({ body }) => body.toString('latin1')).join();
    for (const secret of [value, NODE_PUBLISH_SECRET.clientsecret, 'Bearer', 'eyJ', 'disabled', 'client_secret'])
      expect(sent).not.toContain(secret);
    const names = new Set(spans.map(({ name }) => name).filter((name) => !/^[A-Z]+$/.test(name)));
    expect([...names].filter((name) => !SPAN_NAMES.some((known) => known === name))).toEqual([]);
    const attributes = new Set(spans.flatMap((span) => Object.keys(span.attributes)));
    expect([...attributes].filter((name) => !SPAN_ATTRIBUTES.some((known) => known === name))).toEqual([]);
  });

  it('reaches an https endpoint through the proxy of the environment, and trusts the file of authorities', async () => {
    const { certificate, key } = await issue({ name: 'collector.example' });
    const tls = { cert: certificate.toString(), key: keyPem(key) };
    const directory = scratch();
    writeFileSync(join(directory, 'ca.pem'), tls.cert);
    let port = 0;
    const proxy = await startProxy(() => port);
    onTestFinished(() => proxy.close());
    const { world, receiver, ended } = await tracedWorld({
      receiver: { tls },
      endpoint: 'https://collector.example/otlp',
      env: { HTTPS_PROXY: proxy.url, OTEL_EXPORTER_OTLP_CERTIFICATE: join(directory, 'ca.pem') },
    });
    ({ port } = receiver);
    await mountInto(world, 'v', exampleVolumes().listener.parameters);
    expect((await ended()).filter(({ kind }) => kind === 2)).toHaveLength(1);
    expect(receiver.exports[0]).toMatchObject({ path: '/otlp/v1/traces', headers: { host: 'collector.example' } });
  });
});

describe('serve with wrong settings of traces', () => {
  it.each([
    ['a protocol', { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 2, 'OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not supported'],
    ['a file', { OTEL_EXPORTER_OTLP_CERTIFICATE: '/no/ca.pem' }, 1, 'OTEL_EXPORTER_OTLP_CERTIFICATE /no/ca.pem: '],
  ])('does not start: %s', async (_, env, code, text) => {
    const provider = start(['serve', '--log-format-json', '--healthz-port', '0', '--prometheus-port', '0'], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', ...env },
    });
    expect(await provider.ended).toEqual({ code, signal: null });
    expect(JSON.parse(provider.output('stderr'))).toMatchObject({
      msg: 'Cannot serve',
      error: expect.stringContaining(text),
    });
  });
});

it('every span name and attribute of the list is used', () => {
  const root = new URL('../../src/', import.meta.url);
  const files = ['server/service.ts', 'mount/mount.ts', 'tracing/tracer.ts', 'azure/http/transport.ts'].concat(
    ['vault-reader', 'traced-reader', 'read-tries', 'stand-in', 'fallbacks'].map((name) => `azure/vault/${name}.ts`),
    ['azure/login/token-pool.ts'],
  );
  const code = files.map((file) => readFileSync(new URL(file, root), 'utf8')).join('\n');
  for (const name of [...SPAN_NAMES, ...SPAN_ATTRIBUTES]) expect(code).toContain(`'${name}'`);
});
