/** Answers that Node's parser reads: to logins, through a proxy, and over plain HTTP. The hosts are raw sockets. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { nextTurn } from '../../src/base/turns.ts';
import { issue, keyPem } from '../support/pki.ts';
import { eventually } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';

const { certificate, key } = await issue({ name: 'login.test', dnsNames: ['login.test', 'login.localhost'] });
const cert = certificate.toString();
const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const TOKEN = '$'.repeat(200);
const MAX_BYTES = 2_000;

/** The ways on which an answer comes to Node's parser. */
const WAYS = ['a login', 'through a proxy', 'over plain HTTP'] as const;
type Way = (typeof WAYS)[number];

/** A host that writes `parts`, each after the one before has been sent, and then does what `then` says. */
async function hostOf(way: Way, parts: Iterable<string>, then: (socket: Socket) => void = () => {}) {
  const open = new Set<Socket>();
  const answer = async (socket: Socket) => {
    open.add(socket);
    let isGone = false;
    socket
      .on('error', () => {})
      .once('close', () => {
        isGone = true;
      });
    await once(socket, 'data');
    for (const part of parts) {
      if (isGone) return;
      await new Promise<void>((resolve) => socket.write(part, () => resolve()));
      await nextTurn();
    }
    then(socket);
  };
  const isPlain = way === 'over plain HTTP';
  const server = isPlain ? net.createServer(answer) : tls.createServer({ cert, key: keyPem(key) }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = way === 'through a proxy' ? await startProxy(() => port) : undefined;
  if (proxy !== undefined) vi.stubEnv('HTTPS_PROXY', proxy.url);
  const agents = new Agents([cert], { connectTimeoutMs: 600_000 });
  const bounds = { timeoutMs: 600_000, hedgeMs: 600_000, keptTimeoutMs: 600_000, maxAnswerBytes: MAX_BYTES };
  const transport = createTransport({ agents, userAgent: 'test', ...bounds });
  onTestFinished(async () => {
    agents.close();
    vi.unstubAllEnvs();
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
    await proxy?.close();
  });
  const host = proxy === undefined ? 'login.localhost' : 'login.test';
  const request = createPipelineRequest({
    url: `${isPlain ? 'http' : 'https'}://${host}:${port}/`,
    method: way === 'a login' ? 'POST' : 'GET',
    allowInsecureConnection: true,
  });
  if (way === 'a login') request.body = 'client_secret=s';
  return (abortSignal?: AbortSignal) => {
    if (abortSignal !== undefined) request.abortSignal = abortSignal;
    return transport.sendRequest(request);
  };
}

/** Collects the buffers that get a part of the token from now on: those of connections, those of bodies, and copies. */
function buffersWithToken(way: Way): Buffer[] {
  const found: Buffer[] = [];
  const { push } = Readable.prototype;
  vi.spyOn(Readable.prototype, 'push').mockImplementation(function (this: Readable, chunk: unknown, ...rest) {
    // Bytes of TLS may look like anything.
    const isPlain = this instanceof http.IncomingMessage || this instanceof tls.TLSSocket || way === 'over plain HTTP';
    if (isPlain && Buffer.isBuffer(chunk) && chunk.includes('$')) found.push(chunk);
    return push.call(this, chunk, ...rest);
  });
  vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((bytes) => {
    const copy = Buffer.alloc(bytes);
    found.push(copy);
    return copy;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  return found;
}

const outcome = (answer: Promise<{ readonly bodyAsText?: string | null }>) =>
  answer.then(
    ({ bodyAsText }) => bodyAsText,
    ({ code, name }: { readonly code?: string; readonly name: string }) => (name === 'AbortError' ? name : code),
  );

const bytesOf = (text: string) => text.match(/.{1,7}/gs) ?? [];
const end = (socket: Socket) => void socket.end();
const cut = (socket: Socket) => void socket.destroy();

describe.each(WAYS)('an answer %s', (way) => {
  it.each<[string, Iterable<string>, (socket: Socket) => void, string]>([
    ['in one part', [`${HEAD}Content-Length: 200\r\n\r\n${TOKEN}`], () => {}, TOKEN],
    ['in many parts', bytesOf(`${HEAD}Content-Length: 200\r\n\r\n${TOKEN}`), () => {}, TOKEN],
    ['in small chunks', [CHUNKED, '1\r\n$\r\n'.repeat(200), '0\r\n\r\n'], () => {}, TOKEN],
    ['until the connection ends', [`${HEAD}\r\n`, TOKEN], end, TOKEN],
    ['that is cut', [`${HEAD}Content-Length: 900\r\n\r\n${TOKEN}`, TOKEN], cut, 'ECONNRESET'],
    ['that is too large', [CHUNKED, `c8\r\n${TOKEN}\r\n`.repeat(11)], () => {}, 'LARGE_ANSWER'],
    ['that ends in no chunk', [CHUNKED, `c8\r\n${TOKEN}\r\n`, `x${TOKEN}\r\n`], () => {}, 'HPE_INVALID_CHUNK_SIZE'],
    ['that is none', [`HTTP/3 ${TOKEN}`], () => {}, 'HPE_INVALID_VERSION'],
  ])('%s leaves nothing in memory', async (_, parts, then, expected) => {
    const send = await hostOf(way, parts, then);
    const buffers = buffersWithToken(way);
    expect(await outcome(send())).toBe(expected);
    expect(buffers.length).toBeGreaterThan(0);
    for (const buffer of buffers) expect(buffer.includes('$')).toBe(false);
    // A body in many parts is not copied for each.
    expect(vi.mocked(Buffer.allocUnsafeSlow).mock.calls.length).toBeLessThan(20);
  });

  it('that is given up leaves nothing in memory', async () => {
    const send = await hostOf(way, [CHUNKED, `c8\r\n${TOKEN}\r\n`]);
    const buffers = buffersWithToken(way);
    const givenUp = new AbortController();
    const answer = outcome(send(givenUp.signal));
    await eventually(() => buffers.length > 1);
    givenUp.abort();
    expect(await answer).toBe('AbortError');
    for (const buffer of buffers) expect(buffer.includes('$')).toBe(false);
  });

  it.each([
    ['interim answers', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['chunks with long extensions', CHUNKED, `1;x=${'y'.repeat(1_000)}\r\na\r\n`],
  ])('with %s without an end is refused', async (_, head, more) => {
    const parts = function* () {
      yield head;
      for (;;) yield more.repeat(Math.ceil(16_000 / more.length));
    };
    const send = await hostOf(way, parts());
    expect(await outcome(send())).toBe('LARGE_ANSWER');
  });
});
