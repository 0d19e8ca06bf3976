import { describe, expect, it, onTestFinished } from 'vitest';
import { SECOND_CAUSES, WINNERS } from '../../src/base/telemetry.ts';
import type { Span } from '../../src/base/trace.ts';
import type { FetchContext } from '../../src/mount/ports.ts';
import { type LabOptions, reader, secret, startLab, stranger, textOf } from '../support/azure.ts';
import { type ReceivedSpan, startReceiver } from '../support/otlp.ts';
import { answer } from '../support/outage.ts';
import { CALLER, traces } from './traces.ts';

/** Starts an emulator whose reads are traced. `mounted` runs the reads of one Mount, and ends its span. */
async function tracedLab(options: LabOptions & { readonly objectNames?: boolean } = {}) {
  const { objectNames = true, ...labOptions } = options;
  const receiver = await startReceiver();
  const { tracer, close } = traces(receiver.port, {}, { objectNames, flushMs: 30_000 });
  const lab = await startLab({ ...labOptions, tracer });
  onTestFinished(() => lab.close());
  const mounted = async (reads: (context: FetchContext) => Promise<unknown>) => {
    const span = tracer.mount(CALLER) as Span;
    const outcome = await reads(lab.context({ span })).catch((error: unknown) => error);
    span.end();
    return outcome;
  };
  const spans = async () => {
    await close();
    return receiver.spans();
  };
  return { lab, mounted, spans };
}

const named = (spans: readonly ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);
const below = (spans: readonly ReceivedSpan[], above: ReceivedSpan | undefined) =>
  spans.filter(({ parentSpanId }) => parentSpanId === above?.spanId);

describe('the span of a read', () => {
  it('has those of its requests below, and the login is below the Mount', async () => {
    const { lab, mounted, spans } = await tracedLab();
    const vault = lab.open(reader());
    await mounted((context) => Promise.all([vault.get(secret('s1'), context), vault.get(secret('s2'), context)]));
    const all = await spans();
    const [mount] = named(all, 'v1alpha1.CSIDriverProvider/Mount');
    expect(new Set(all.map(({ traceId }) => traceId))).toEqual(new Set([mount?.traceId]));
    expect(
      below(all, mount)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['log in', 'read object', 'read object']);
    const [login] = named(all, 'log in');
    expect(login?.attributes).toMatchObject({ 'akv_csi.identity': 'service-principal', 'akv_csi.source': 'request' });
    expect(below(all, login).map(({ name }) => name)).toContain('POST');
    for (const read of named(all, 'read object')) {
      const [request, ...others] = below(all, read);
      expect(others).toEqual([]);
      const name = String(read.attributes['akv_csi.object.name']);
      expect(read.attributes).toEqual({
        'akv_csi.vault': 'lab-vault',
        'akv_csi.object.type': 'secret',
        'akv_csi.object.name': name,
        'akv_csi.source': 'request',
      });
      const sent = lab.emulator.requests.filter(({ path }) => path.startsWith(`/secrets/${name}/`));
      expect(sent).toHaveLength(1);
      expect(request).toMatchObject({ name: 'GET', kind: 3, status: 0 });
      expect(request?.attributes).toEqual({
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'server.address': 'lab-vault.vault.localhost',
        'server.port': lab.emulator.port,
        'url.full': `https://lab-vault.vault.localhost:${lab.emulator.port}/secrets/${name}/`,
        'network.peer.address': '127.0.0.1',
        'az.client_request_id': expect.stringMatching(/^[0-9a-f-]{36}$/),
        'azure.service.request.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
    }
  });

  it('that shares a request is linked to the read that sends it, as is a login', async () => {
    const { lab, mounted, spans } = await tracedLab();
    const pods = [1, 2, 3].map(() => mounted((context) => lab.open(reader()).get(secret('s1'), context)));
    await Promise.all(pods);
    const all = await spans();
    expect(lab.count('vault')).toBe(1);
    for (const name of ['log in', 'read object']) {
      const [leader, ...none] = named(all, name).filter(({ links }) => links.length === 0);
      expect(none).toEqual([]);
      expect(leader?.attributes['akv_csi.source']).toBe('request');
      const followers = named(all, name).filter(({ links }) => links.length > 0);
      expect(followers).toHaveLength(2);
      for (const { links, attributes } of followers) {
        expect(links).toEqual([{ traceId: leader?.traceId, spanId: leader?.spanId }]);
        expect(attributes['akv_csi.source']).toBe('shared');
      }
    }
  });

  it('says that the value was in memory', async () => {
    const { lab, mounted, spans } = await tracedLab({ cacheTtlMs: 60_000 });
    for (let i = 0; i < 2; i++) await mounted((context) => lab.open(reader()).get(secret('s1'), context));
    const all = await spans();
    for (const name of ['log in', 'read object'])
      expect(named(all, name).map(({ attributes }) => attributes['akv_csi.source'])).toEqual(['request', 'memory']);
  });

  it('has an event for each repetition, and a request for each try', async () => {
    const { lab, mounted, spans } = await tracedLab();
    lab.emulator.faults.add({ on: 'vault', count: 1, action: answer(503) });
    lab.emulator.faults.add({ on: 'vault', count: 1, action: answer(429, { 'retry-after': '0' }) });
    expect(await mounted(async (context) => textOf(await lab.open(reader()).get(secret('s1'), context)))).toBe(
      'value-1',
    );
    const all = await spans();
    const [read] = named(all, 'read object');
    expect(read?.events.map(({ name, attributes }) => [name, attributes['akv_csi.cause']])).toEqual([
      ['retry', 'fault'],
      ['retry', 'throttled'],
    ]);
    expect(
      below(all, read).map(({ attributes, status }) => [
        attributes['http.response.status_code'],
        attributes['error.type'],
        status,
      ]),
    ).toEqual([
      [503, '503', 2],
      [429, '429', 2],
      [200, undefined, 0],
    ]);
  });

  it('that fails has the class of the failure, and nothing of its text', async () => {
    const { lab, mounted, spans } = await tracedLab();
    expect(await mounted((context) => lab.open(stranger()).get(secret('s1'), context))).toMatchObject({
      code: 'ERR_FORBIDDEN',
    });
    const [read] = named(await spans(), 'read object');
    expect(read).toMatchObject({ status: 2, attributes: { 'error.type': 'ERR_FORBIDDEN' } });
    expect(JSON.stringify(read)).not.toContain('Forbidden');
  });

  it.each([
    ['a refusal', 400, 'reader-secret'],
    ['a refusal, which looks like an id', 400, 'abcdef0123456789'],
    ['an answer', 200, 'reader-secret'],
  ])('has no credential that %s sends back as its request id', async (_, status, sent) => {
    const { lab, mounted, spans } = await tracedLab();
    lab.emulator.faults.add({ on: 'entra', method: 'POST', action: answer(status, { 'x-ms-request-id': sent }) });
    await mounted((context) => lab.open(reader(sent)).get(secret('s1'), context));
    const posts = named(await spans(), 'POST');
    expect(posts.map(({ attributes }) => attributes['http.response.status_code'])).toContain(status);
    expect(JSON.stringify(posts)).not.toContain(sent);
  });

  it('shows a last known value and its cause', async () => {
    const { lab, mounted, spans } = await tracedLab({ maxStaleMs: 3_600_000 });
    const read = () => mounted((context) => lab.open(reader()).get(secret('s1'), context));
    await read();
    lab.emulator.faults.add({ on: 'vault', action: { kind: 'drop' } });
    await read();
    expect(named(await spans(), 'read object').at(-1)).toMatchObject({
      status: 0,
      attributes: { 'akv_csi.source': 'last_known', 'akv_csi.cause': 'ERR_UNREACHABLE' },
    });
  });

  it('tells of listings', async () => {
    const { lab, mounted, spans } = await tracedLab();
    const vault = lab.open(reader());
    await mounted(async (context) => {
      await vault.list('secret', context);
      await vault.listVersions({ type: 'secret', name: 'many' }, context);
    });
    const all = await spans();
    const [objects] = named(all, 'list objects');
    const [versions] = named(all, 'list versions');
    expect(below(all, objects).length).toBeGreaterThan(1);
    expect(below(all, versions).length).toBeGreaterThan(1);
    expect(objects?.attributes).not.toHaveProperty('akv_csi.object.name');
    expect(versions?.attributes['akv_csi.object.name']).toBe('many');
  });

  it('names no object if the operator does not want it', async () => {
    const { lab, mounted, spans } = await tracedLab({ objectNames: false });
    const vault = lab.open(reader());
    await mounted(async (context) => {
      await vault.get(secret('s17'), context);
      await vault.listVersions({ type: 'secret', name: 'many' }, context);
    });
    const all = await spans();
    expect(JSON.stringify(all)).not.toMatch(/s17|many/);
    expect(all.map(({ attributes }) => String(attributes['url.full']).replace(/^.*localhost:\d+/, ''))).toEqual(
      expect.arrayContaining(['/secrets/REDACTED/', '/secrets/REDACTED/versions']),
    );
  });

  it('tells of a request that is sent a second time', async () => {
    const { lab, mounted, spans } = await tracedLab({ hedgeMs: 50 });
    await mounted((context) => lab.open(reader()).get(secret('s1'), context));
    lab.emulator.faults.add({ on: 'vault', count: 1, action: { kind: 'hang' } });
    await mounted((context) => lab.open(reader()).get(secret('s2'), context));
    const all = await spans();
    // On a busy machine, other requests may be sent twice too, and for another cause.
    const [hung] = all.filter(({ attributes }) => String(attributes['url.full']).endsWith('/secrets/s2/'));
    expect(hung?.events.map(({ name }) => name)).toEqual(['second request']);
    expect(SECOND_CAUSES).toContain(hung?.events[0]?.attributes['akv_csi.cause']);
    expect(WINNERS).toContain(hung?.attributes['akv_csi.winner']);
  });
});

it('a Mount that the sampler leaves out has no spans, and neither have its requests', async () => {
  const receiver = await startReceiver();
  const { tracer, close } = traces(receiver.port, { OTEL_TRACES_SAMPLER: 'always_off' });
  const lab = await startLab({ tracer });
  onTestFinished(() => lab.close());
  expect(tracer.mount(CALLER)).toBeUndefined();
  expect(textOf(await lab.open(reader()).get(secret('s1'), lab.context()))).toBe('value-1');
  await close();
  expect(receiver.exports).toEqual([]);
});
