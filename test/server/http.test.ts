import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { steadyTime } from '../../src/base/clock.ts';
import { HTTP_LIMITS, type HttpAnswer, type HttpEndpoint, type HttpOptions, serveHttp } from '../../src/server/http.ts';

const ok: HttpAnswer = { status: 200, contentType: 'text/plain', body: 'ok' };
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

async function served(options: Partial<HttpOptions> = {}): Promise<HttpEndpoint> {
  const server = await serveHttp({
    purpose: 'a test',
    host: '127.0.0.1',
    port: 0,
    path: '/found',
    answer: async () => ok,
    ...options,
  });
  onTestFinished(() => server.close());
  return server;
}

async function opened(port: number, text = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return socket;
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.resume().once('close', () => resolve());
  });
const get = async (port: number) => {
  const response = await fetch(`http://127.0.0.1:${port}/found`);
  return [response.status, await response.text()];
};

describe('an HTTP endpoint', () => {
  test('takes 16 connections, and a new one costs the oldest that has asked for nothing', async () => {
    const { port } = await served({ limits: { ...HTTP_LIMITS, requestMs: 60_000, idleMs: 60_000 } });
    const kept = await opened(port, 'GET /found HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(kept, 'data');
    const silent: Socket[] = [];
    for (const i of range(40)) {
      silent.push(await opened(port, i % 2 === 0 ? '' : 'GET /found HTTP/1.1\r\nHost: a\r\nX: y'));
    }
    await Promise.all(silent.slice(0, 25).map(closed));
    expect(silent.slice(25).filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(kept.destroyed).toBe(false);
    expect(await get(port)).toEqual([200, 'ok']);
  });

  test('answers a probe while others flood it with connections that never finish their request', async () => {
    const { port } = await served();
    let flooding = true;
    let connections = 0;
    const flood = async () => {
      while (flooding) {
        (await opened(port, `GET /found HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(1500)}`)).resume();
        connections++;
      }
    };
    const floods = range(4).map(flood);
    for (const _ of range(3)) {
      const before = connections;
      while (connections < before + 25) await new Promise((resolve) => setImmediate(resolve));
      expect(await probed(port)).toBe(200);
    }
    flooding = false;
    await Promise.all(floods);
  });

  test.each([
    ['says nothing', ''],
    ['does not finish its header', 'GET /found HTTP/1.1\r\nHost: a\r\nX: y'],
    ['sends a header line now and then', 'GET /found HTTP/1.1\r\n'],
  ])('cuts a connection that %s', async (_name, start) => {
    const { port } = await served({ limits: { ...HTTP_LIMITS, requestMs: 100, checkMs: 20 } });
    const socket = await opened(port, start);
    const more = setInterval(() => start.endsWith('\n') && socket.writable && socket.write('X: y\r\n'), 20);
    onTestFinished(() => clearInterval(more));
    await closed(socket);
  });

  test('takes two seconds for a request, and looks each second', () => {
    expect(HTTP_LIMITS).toMatchObject({ connections: 16, headerBytes: 2048, requestMs: 2000, checkMs: 1000 });
  });

  test('refuses headers over 2 KiB', async () => {
    const { port } = await served();
    const socket = await opened(port, `GET /found HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(2100)}\r\n\r\n`);
    expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 431 /);
  });

  test.each(['Content-Length: 5', 'Transfer-Encoding: chunked'])('refuses a body: %s', async (header) => {
    let asked = 0;
    const { port } = await served({
      answer: async () => {
        asked++;
        return ok;
      },
    });
    const socket = await opened(port, `POST /found HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`);
    const text = await textOf(socket);
    expect([text.slice(0, 13), text.slice(-30)]).toEqual(['HTTP/1.1 413 ', '\r\n\r\na request has no body here']);
    expect(asked).toBe(0);
  });

  test('makes one answer for all who ask meanwhile, and within the time it is kept', async () => {
    let now = 0;
    let made = 0;
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { port } = await served({
      keepMs: 1000,
      clock: { steady: () => steadyTime(now) },
      answer: async () => {
        made++;
        await finished;
        return { ...ok, body: String(made) };
      },
    });
    const asking = 'GET /found HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(9);
    const socket = await opened(port, `${asking}GET /found HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    while (made === 0) await new Promise((resolve) => setImmediate(resolve));
    now = 5000;
    finish();
    expect((await textOf(socket)).match(/\r\n\r\n1/g)).toHaveLength(10);
    expect(await get(port)).toEqual([200, '2']);
    now = 5999;
    expect(await get(port)).toEqual([200, '2']);
    now = 6000;
    expect(await get(port)).toEqual([200, '3']);
  });

  test('does not keep an answer that is bad news', async () => {
    let made = 0;
    const { port } = await served({
      keepMs: 1000,
      clock: { steady: () => steadyTime(0) },
      answer: async () => {
        made++;
        if (made === 1) throw new Error('not yet');
        return { ...ok, status: made === 2 ? 503 : 200 };
      },
    });
    expect([await get(port), await get(port), await get(port)]).toEqual([
      [500, 'not yet'],
      [503, 'ok'],
      [200, 'ok'],
    ]);
  });

  test('cuts those who do not take their answer, and lets others have it', async () => {
    const body = 'x'.repeat(8_000_000);
    const limits = { ...HTTP_LIMITS, answerMs: 300 };
    const { port } = await served({ answer: async () => ({ ...ok, body }), limits });
    const slow: Socket[] = [];
    for (const _ of range(5)) slow.push((await opened(port, 'GET /found HTTP/1.1\r\nHost: a\r\n\r\n')).pause());
    await Promise.all(slow.map((socket) => once(socket, 'readable').then(() => socket.pause())));
    await Promise.all(slow.map(gone));
    limits.answerMs = 60_000;
    expect((await get(port))[0]).toBe(200);
  });

  test('ends a connection after so many requests', async () => {
    const { port } = await served({ limits: { ...HTTP_LIMITS, requestsPerConnection: 3, idleMs: 100 } });
    const socket = await opened(port, 'GET /found HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5));
    expect((await textOf(socket)).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(HTTP_LIMITS.requestsPerConnection).toBe(100);
  });
});

/** Sends a request over a new connection, as the kubelet does. */
function probed(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/found', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
}

/** Resolves when the server has closed a connection whose socket is not read: the server then answers with a reset. */
async function gone(socket: Socket): Promise<void> {
  const knock = setInterval(() => socket.writable && socket.write('x'), 50);
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  clearInterval(knock);
}
