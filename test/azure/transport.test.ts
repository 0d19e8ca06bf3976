import http from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { nextTurn } from '../../src/base/turns.ts';

const WAITING = 200;
const agents = new Agents([]);
const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 30_000 });
let server: http.Server;

// The server responds with the status in the path.
beforeAll(async () => {
  server = http.createServer(({ url = '' }, response) => response.writeHead(Number(url.slice(1))).end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  agents.close();
  await new Promise((resolve) => server.close(resolve));
});

function ask(status: number) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${status}`;
  return transport.sendRequest(createPipelineRequest({ url, allowInsecureConnection: true }));
}

/** Returns how many slow turns of the event loop run before the response arrives. */
async function servedBefore(status: number): Promise<number> {
  let served = 0;
  const turns = Array.from({ length: WAITING }, async () => {
    await nextTurn();
    served++;
    const end = performance.now() + 3;
    while (performance.now() < end);
  });
  await ask(status);
  const before = served;
  await Promise.all(turns);
  return before;
}

describe('an answer', () => {
  it('is worked on when it is its turn', async () => {
    await ask(200);
    expect(await servedBefore(200)).toBe(WAITING);
  });

  it.each([429, 503, 401, 403])('of %i is handed on at once, since it may concern those who wait', async (status) => {
    await ask(200);
    expect(await servedBefore(status)).toBeLessThan(WAITING / 2);
  });
});

describe('a connection that was kept', () => {
  /**
   * Starts a server whose connections answer once and then behave as `later` does. Connections after `mended` always
   * answer.
   */
  async function fickle(later: (socket: Socket) => void) {
    const sockets: Socket[] = [];
    let mended = false;
    const raw = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      const lasting = mended;
      let answers = 0;
      socket.on('data', () => {
        if (!lasting && answers++ > 0) later(socket);
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const own = new Agents([]);
    const seconds: string[] = [];
    const client = createTransport({
      agents: own,
      userAgent: 'test',
      timeoutMs: 10_000,
      keptTimeoutMs: 200,
      telemetry: { secondRequest: (cause, winner) => void seconds.push(`${cause}: ${winner}`) },
    });
    const url = `http://127.0.0.1:${(raw.address() as AddressInfo).port}/`;
    return {
      sockets,
      seconds,
      mend: () => {
        mended = true;
      },
      send: () => client.sendRequest(createPipelineRequest({ url, allowInsecureConnection: true })),
      async close() {
        own.close();
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => raw.close(resolve));
      },
    };
  }

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing any more', () => {}],
    ['is closed under the request', (socket) => socket.destroy()],
    [
      'is switched to something else',
      (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
  ])('and %s: the request is sent again at once over a fresh one', async (_, later) => {
    const { sockets, seconds, mend, send, close } = await fickle(later);
    try {
      await Promise.all([send(), send(), send()]);
      expect(sockets).toHaveLength(3);
      mend();
      expect(await send()).toMatchObject({ status: 200 });
      expect(sockets).toHaveLength(4);
      expect(seconds).toEqual(['cut: second']);
    } finally {
      await close();
    }
  });
});

it('a request that cannot be written is no defect, and nobody quotes it', async () => {
  const request = createPipelineRequest({ url: 'http://127.0.0.1:1/', allowInsecureConnection: true });
  request.headers.set('authorization', 'Bearer \u{1F511}');
  await expect(transport.sendRequest(request)).rejects.toMatchObject({
    code: 'BAD_REQUEST_TEXT',
    message: expect.not.stringContaining('Bearer'),
  });
});

describe('the headers', () => {
  it('of a request are sent with the host first, and those of an answer come without cookies and by any case', async () => {
    let received: string[] = [];
    const mirror = http.createServer(({ rawHeaders }, response) => {
      received = rawHeaders;
      response.writeHead(403, { 'Set-Cookie': ['a=1', 'b=2'], 'X-Ms-Request-Id': 'id-1', 'Retry-After': '3' }).end();
    });
    await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(mirror.address() as AddressInfo).port}`;
    const headers = createHttpHeaders({ Accept: 'application/json', authorization: 'Bearer a-token' });
    const url = `http://${host}/path?query=1`;
    const request = createPipelineRequest({ url, headers, allowInsecureConnection: true });
    const answer = await transport.sendRequest(request).finally(() => mirror.close());
    expect(received).toEqual([
      ...['host', host],
      ...['Accept', 'application/json'],
      ...['authorization', 'Bearer a-token'],
      ...['user-agent', 'test'],
      ...['Connection', 'keep-alive'],
    ]);
    expect(answer.headers.get('x-MS-request-id')).toBe('id-1');
    expect(answer.headers.has('constructor')).toBe(false);
    expect(answer.headers.get('constructor')).toBeUndefined();
    expect(answer.headers.toJSON()).toEqual(Object.fromEntries(answer.headers));
    expect(Object.keys(answer.headers.toJSON())).not.toContain('set-cookie');
  });
});
