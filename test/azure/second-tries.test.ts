import { getEventListeners, once, setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import type { Resolve } from '../../src/azure/http/resolver.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { deafPort } from '../support/deaf-port.ts';
import { issue, keyPem } from '../support/pki.ts';
import { eventually } from '../support/process.ts';

const HOST = 'vault.example';
const { certificate, key } = await issue({ name: HOST });
const CERT = certificate.toString();

/** An HTTPS host. The test says which connections get no TLS, and which requests no answer; both are counted from 0. */
interface Host {
  readonly port: number;
  /** All connections, and all requests by their bodies. */
  readonly sockets: Socket[];
  readonly requests: string[];
  silentTls: (connection: number) => boolean;
  answer: (request: number) => number | 'none' | Promise<number>;
}

async function hostAt(address = '127.0.0.1', port = 0): Promise<Host> {
  const sockets: Socket[] = [];
  const requests: string[] = [];
  const inner = https.createServer({ cert: CERT, key: keyPem(key) }, async (request, response) => {
    const number = requests.push('') - 1;
    for await (const chunk of request) requests[number] += String(chunk);
    const status = await host.answer(number);
    if (status !== 'none') response.writeHead(status).end('{}');
  });
  inner.keepAliveTimeout = 600_000;
  const outer = createServer((socket) => {
    socket.on('error', () => {});
    if (host.silentTls(sockets.push(socket) - 1)) socket.resume();
    else inner.emit('connection', socket);
  });
  outer.listen(port, address);
  await once(outer, 'listening');
  const host: Host = {
    port: (outer.address() as AddressInfo).port,
    sockets,
    requests,
    silentTls: () => false,
    answer: () => 200,
  };
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => outer.close(resolve));
  });
  return host;
}

/** A client of the host, and the second tries that it counts. */
function clientOf(port: number, resolve: Resolve = at('127.0.0.1')) {
  const agents = new Agents([CERT], { resolve, connectTimeoutMs: 60_000 });
  onTestFinished(() => agents.close());
  const seconds: string[] = [];
  const transport = createTransport({
    agents,
    userAgent: 'test',
    timeoutMs: 30_000,
    telemetry: { secondRequest: (cause, winner) => void seconds.push(`${cause}: ${winner}`) },
  });
  const url = `https://${HOST}:${port}/`;
  const send = (options: { method?: 'GET' | 'POST'; body?: string; abortSignal?: AbortSignal } = {}) =>
    transport.sendRequest(createPipelineRequest({ url, ...options })).then(
      ({ status }) => status,
      (error: Error) => (error.name === 'AbortError' ? error.name : (networkFailure(error)?.code ?? error)),
    );
  return { send, seconds, agents };
}

function at(...addresses: string[]): Resolve {
  return async () => ({ addresses: addresses.map((address) => ({ address, family: 4 })), ttlMs: 30_000 });
}

const LOGIN = { method: 'POST', body: 'client_id=x&grant_type=client_credentials' } as const;

/** Stops the timers of the code; those of sockets go on. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('a connection that hangs in its TLS handshake', () => {
  it.each([
    ['a read', {}],
    ['a login', LOGIN],
  ])('gets a second one beside it after two seconds, and is closed: %s', async (_, options) => {
    const host = await hostAt();
    host.silentTls = (connection) => connection === 0;
    const { send, seconds } = clientOf(host.port);
    const answer = send(options);
    await eventually(() => host.sockets.length === 1);
    vi.advanceTimersByTime(1_999);
    expect(host.sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await answer).toBe(200);
    expect([host.sockets.length, host.requests.length, seconds]).toEqual([2, 1, ['connection: second']]);
    await eventually(() => host.sockets[0]?.destroyed === true);
  });

  it('and was opened ahead of the request is one as well', async () => {
    const host = await hostAt();
    host.silentTls = (connection) => connection === 0;
    const { send, seconds, agents } = clientOf(host.port);
    agents.prepare(`https://${HOST}:${host.port}`);
    await eventually(() => host.sockets.length === 1);
    const prepared = vi.getTimerCount();
    const answer = send();
    // Its own bound, and the wait for the connection.
    await eventually(() => vi.getTimerCount() === prepared + 2);
    vi.advanceTimersByTime(2_000);
    expect(await answer).toBe(200);
    expect([host.sockets.length, seconds]).toEqual([2, ['connection: second']]);
  });

  it('at one address of several takes the next address', async () => {
    const good = await hostAt('127.0.0.1');
    const bad = await hostAt('127.0.0.2', good.port);
    bad.silentTls = () => true;
    const { send, seconds } = clientOf(good.port, at('127.0.0.2', '127.0.0.1'));
    const answer = send();
    await eventually(() => bad.sockets.length === 1);
    vi.advanceTimersByTime(2_000);
    expect(await answer).toBe(200);
    expect([bad.sockets.length, good.sockets.length, seconds]).toEqual([1, 1, ['connection: second']]);
  });

  it('is given up with its one second, and its error is told', async () => {
    const host = await hostAt();
    host.silentTls = () => true;
    const { send, seconds } = clientOf(host.port);
    const answer = send();
    await eventually(() => host.sockets.length === 1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.sockets.length === 2);
    vi.advanceTimersByTime(28_000);
    expect(await answer).toBe('NO_ANSWER');
    expect([host.sockets.length, seconds]).toEqual([2, ['connection: none']]);
    await eventually(() => host.sockets.every(({ destroyed }) => destroyed));
  });

  it('gets none where the host was silent before, until it answers again', async () => {
    const host = await hostAt();
    host.silentTls = () => true;
    const { send, seconds } = clientOf(host.port);
    const given = new AbortController();
    const first = send({ abortSignal: given.signal });
    await eventually(() => host.sockets.length === 1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.sockets.length === 2);
    given.abort();
    await first;
    const second = send();
    await eventually(() => host.sockets.length === 3);
    vi.advanceTimersByTime(30_000);
    expect(await second).toBe('NO_ANSWER');
    expect([host.sockets.length, seconds]).toEqual([3, ['connection: none']]);
    host.silentTls = () => false;
    expect(await send()).toBe(200);
    host.answer = (request) => (request === 1 ? 'none' : 200);
    const third = send();
    await eventually(() => host.requests.length === 2);
    vi.advanceTimersByTime(2_000);
    expect(await third).toBe(200);
    expect(seconds).toEqual(['connection: none', 'answer: second']);
  });
});

describe('addresses', () => {
  it.runIf(process.platform === 'linux')('of which the first answers nothing: the next one is taken', async () => {
    const { port, close } = await deafPort('127.0.0.3');
    onTestFinished(close);
    const good = await hostAt('127.0.0.1', port);
    const { send, seconds } = clientOf(port, at('127.0.0.3', '127.0.0.1'));
    expect(await send()).toBe(200);
    expect([good.sockets.length, seconds]).toEqual([1, []]);
  });

  it('no second request is sent while the name is looked up', async () => {
    const host = await hostAt();
    let found = (_: Awaited<ReturnType<Resolve>>) => {};
    const asked: string[] = [];
    const { send, seconds } = clientOf(host.port, (name) => {
      asked.push(name);
      return new Promise((resolve) => {
        found = resolve;
      });
    });
    const answer = send();
    await eventually(() => asked.length === 1);
    vi.advanceTimersByTime(10_000);
    found(await at('127.0.0.1')(HOST));
    expect(await answer).toBe(200);
    expect([asked, host.requests.length, seconds]).toEqual([[HOST], 1, []]);
  });
});

describe('a request that gets no answer', () => {
  it.each([
    ['a read', {}],
    ['a login', LOGIN],
  ])('over a fresh connection is sent once more, and no third time: %s', async (_, options) => {
    const host = await hostAt();
    host.answer = (request) => (request === 0 ? 'none' : 200);
    const { send, seconds } = clientOf(host.port);
    const answer = send(options);
    await eventually(() => host.requests.length === 1);
    vi.advanceTimersByTime(2_000);
    expect(await answer).toBe(200);
    expect([host.sockets.length, host.requests.length, seconds]).toEqual([2, 2, ['answer: second']]);
    expect(host.requests[1]).toBe('body' in options ? options.body : '');
    await eventually(() => host.sockets[0]?.destroyed === true);
  });

  it('and is answered after all, before the second try: the second one is closed', async () => {
    const host = await hostAt();
    let late = (_: number) => {};
    const first = new Promise<number>((resolve) => {
      late = resolve;
    });
    host.answer = (request) => (request === 0 ? first : 'none');
    const { send, seconds } = clientOf(host.port);
    const answer = send();
    await eventually(() => host.requests.length === 1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.requests.length === 2);
    late(200);
    expect(await answer).toBe(200);
    expect(seconds).toEqual(['answer: first']);
    await eventually(() => host.sockets[1]?.destroyed === true);
    expect(host.sockets[0]?.destroyed).toBe(false);
  });

  it('is not sent a third time where the second is cut', async () => {
    const host = await hostAt();
    host.answer = () => 'none';
    const { send, seconds } = clientOf(host.port);
    const answer = send();
    await eventually(() => host.requests.length === 1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.requests.length === 2);
    host.sockets[1]?.destroy();
    vi.advanceTimersByTime(28_000);
    expect(await answer).toBe('NO_ANSWER');
    expect([host.requests.length, seconds]).toEqual([2, ['answer: none']]);
  });

  it('is sent once if the host might do it twice', async () => {
    const host = await hostAt();
    host.answer = () => 'none';
    const { send, seconds } = clientOf(host.port);
    const answer = send({ method: 'POST', body: 'grant_type=authorization_code' });
    await eventually(() => host.requests.length === 1);
    vi.advanceTimersByTime(30_000);
    expect(await answer).toBe('NO_ANSWER');
    expect([host.sockets.length, seconds]).toEqual([1, []]);
  });

  it.each([429, 503])('is sent once if the host asked for a pause by %i before', async (status) => {
    const host = await hostAt();
    host.answer = (request) => (request === 0 ? status : 'none');
    const { send, seconds } = clientOf(host.port);
    expect(await send()).toBe(status);
    const answer = send();
    await eventually(() => host.requests.length === 2);
    vi.advanceTimersByTime(7_999);
    expect([host.requests.length, seconds]).toEqual([2, []]);
    // The bound of a kept connection: it may have been dropped.
    vi.advanceTimersByTime(1);
    await eventually(() => host.requests.length === 3);
    vi.advanceTimersByTime(30_000);
    expect(await answer).toBe('NO_ANSWER');
    expect([host.requests.length, seconds]).toEqual([3, ['cut: none']]);
  });

  it('over a kept connection is sent over a fresh one, and the other kept ones are closed', async () => {
    const host = await hostAt();
    const { send, seconds } = clientOf(host.port);
    expect(await Promise.all([send(), send(), send()])).toEqual([200, 200, 200]);
    expect(host.sockets).toHaveLength(3);
    host.answer = (request) => (request === 3 ? 'none' : 200);
    const answer = send();
    await eventually(() => host.requests.length === 4);
    vi.advanceTimersByTime(2_000);
    expect(await answer).toBe(200);
    expect([host.sockets.length, seconds]).toEqual([4, ['answer: second']]);
    await eventually(() => host.sockets.slice(0, 3).every(({ destroyed }) => destroyed));
  });
});

describe('the signal of a request', () => {
  it.each<
    [string, (parts: { release: (status: number) => void; cut: () => void; abort: () => void }) => void, unknown]
  >([
    ['is answered', ({ release }) => release(200), 200],
    ['is cut twice', ({ cut }) => cut(), 'ECONNRESET'],
    ['is not answered in time', () => vi.advanceTimersByTime(28_000), 'NO_ANSWER'],
    ['is aborted', ({ abort }) => abort(), 'AbortError'],
  ])('has one listener for both tries, and none after the request %s', async (_, end, outcome) => {
    const host = await hostAt();
    let release = (_: number) => {};
    const answered = new Promise<number>((resolve) => {
      release = resolve;
    });
    host.answer = () => answered;
    const { send } = clientOf(host.port);
    const given = new AbortController();
    const listeners = () => getEventListeners(given.signal, 'abort').length;
    const answer = send({ abortSignal: given.signal });
    await eventually(() => host.requests.length === 1);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.requests.length === 2);
    expect(listeners()).toBe(1);
    const cut = () => {
      for (const socket of host.sockets) socket.destroy();
    };
    end({ release, cut, abort: () => given.abort() });
    expect(await answer).toBe(outcome);
    expect(listeners()).toBe(0);
    await eventually(() => host.sockets.filter(({ destroyed }) => !destroyed).length <= 1);
  });

  it('that has aborted before sends nothing', async () => {
    const host = await hostAt();
    const { send } = clientOf(host.port);
    expect(await send({ abortSignal: AbortSignal.abort() })).toBe('AbortError');
    expect(await send()).toBe(200);
    expect(host.sockets).toHaveLength(1);
  });
});

describe('the number', () => {
  it('of second tries is four at a time for a host, and each request has one at most', async () => {
    const host = await hostAt();
    host.answer = () => 'none';
    const { send, seconds } = clientOf(host.port);
    const answers = Array.from({ length: 20 }, () => send());
    await eventually(() => host.requests.length === 20);
    vi.advanceTimersByTime(2_000);
    await eventually(() => host.requests.length === 24);
    vi.advanceTimersByTime(27_999);
    expect(host.sockets).toHaveLength(24);
    vi.advanceTimersByTime(1);
    expect(await Promise.all(answers)).toEqual(Array(20).fill('NO_ANSWER'));
    expect([host.requests.length, seconds]).toEqual([24, Array(4).fill('answer: none')]);
  });

  it('of connections to a host stays within that of its agent', async () => {
    const host = await hostAt();
    host.answer = () => 'none';
    const { send } = clientOf(host.port);
    const given = new AbortController();
    // The signal of a Mount has one listener for each request too.
    setMaxListeners(0, given.signal);
    const answers = Array.from({ length: 60 }, () => send({ abortSignal: given.signal }));
    await eventually(() => host.requests.length === 50);
    vi.advanceTimersByTime(10_000);
    await eventually(() => host.requests.length === 50);
    expect(host.sockets).toHaveLength(50);
    given.abort();
    await Promise.all(answers);
  });
});

describe.runIf(process.platform === 'linux')('a connection that is kept', () => {
  it('is kept alive by TCP, so that a NAT in between does not forget it', async () => {
    const host = await hostAt();
    const { send } = clientOf(host.port);
    expect(await send()).toBe(200);
    const remote = `0100007F:${host.port.toString(16).toUpperCase().padStart(4, '0')}`;
    const line = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((one) => one.trim().split(/\s+/))
      // State 01 is an open connection: one to an earlier port of the same number may still wait for its end.
      .find(([, , to, state]) => to === remote && state === '01');
    // The kind of timer: 02 is that of keepalive.
    expect(line?.[5]).toMatch(/^02:/);
  });
});
