/** GETs over direct HTTPS connections, against a server of raw TLS that counts connections. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { AnswerHeaders } from '../../src/azure/http/answer-headers.ts';
import { BoundedHttpsAgent } from '../../src/azure/http/bounded-agents.ts';
import { closeIdle } from '../../src/azure/http/exchange.ts';
import { PendingConnections } from '../../src/azure/http/held-back.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { issue, keyPem } from '../support/pki.ts';
import { eventually } from '../support/process.ts';

const { certificate, key } = await issue({ name: 'vault.localhost', addresses: ['127.0.0.1', '::1'] });
const cert = certificate.toString();
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

/** A host that answers each request with `answer`; empty: not yet. */
async function hostAt({ address = '127.0.0.1', name = 'vault.localhost' } = {}) {
  const host = { answer: OK, sockets: [] as TLSSocket[], requests: [] as string[], url: '' };
  const server = tls.createServer({ cert, key: keyPem(key) }, (socket) => {
    host.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      host.requests.push(data.toString('latin1'));
      if (host.answer !== '') socket.write(host.answer);
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  host.url = `https://${name}:${(server.address() as AddressInfo).port}/`;
  const agents = new Agents([cert]);
  const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 600_000, hedgeMs: 600_000 });
  onTestFinished(async () => {
    agents.close();
    for (const socket of host.sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const get = (headers: Record<string, string> = {}, abortSignal?: AbortSignal) =>
    transport
      .sendRequest(
        createPipelineRequest({
          url: host.url,
          headers: new AnswerHeaders(headers),
          ...(abortSignal && { abortSignal }),
        }),
      )
      .then(
        ({ status }) => status,
        (error: { readonly code?: string; readonly name: string }) =>
          error.name === 'AbortError' ? error.name : error.code,
      );
  return { host, get, agents, transport };
}

/** Sends fifty GETs, as many as a host has connections, which it does not answer yet. */
async function sendFifty({ host, get }: Pick<Awaited<ReturnType<typeof hostAt>>, 'host' | 'get'>) {
  host.answer = '';
  const fifty = Array.from({ length: 50 }, () => get());
  await eventually(() => host.requests.length === 50);
  return fifty;
}

it('is sent as one record, with the headers as they are, and its connection carries the next one', async () => {
  const { host, get } = await hostAt();
  expect(await get({ authorization: 'Bearer a' })).toBe(200);
  expect(await get()).toBe(200);
  const { host: name } = new URL(host.url);
  expect(host.requests).toEqual([
    `GET / HTTP/1.1\r\nhost: ${name}\r\nauthorization: Bearer a\r\nuser-agent: test\r\nconnection: keep-alive\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: ${name}\r\nuser-agent: test\r\nconnection: keep-alive\r\n\r\n`,
  ]);
  expect(host.sockets).toHaveLength(1);
});

it.each(['a\r\nx: y', 'a\nb', 'a\0', 'a\u0100'])('with the header value %j is not sent', async (value) => {
  const { host, get } = await hostAt();
  expect(await get({ 'x-a': value })).toBe('BAD_REQUEST_TEXT');
  expect(host.sockets).toHaveLength(0);
});

it.each([
  ['that the host closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}'],
  ['that the host closes within a second', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\n{}'],
])('does not keep a connection %s', async (_, answer) => {
  const { host, get } = await hostAt();
  host.answer = answer;
  expect([await get(), await get()]).toEqual([200, 200]);
  expect(host.sockets).toHaveLength(2);
  await eventually(() => host.sockets.every(({ destroyed }) => destroyed));
});

it('closes its connection at once if the agent keeps none', async () => {
  const { host } = await hostAt();
  const agent = new BoundedHttpsAgent({
    keepAlive: false,
    ca: cert,
    connectTimeoutMs: 60_000,
    lookup: new Agents([]).lookup,
  });
  onTestFinished(() => agent.destroy());
  const transport = createTransport({
    agents: { for: () => ({ agent, proxy: '' }) },
    userAgent: 'test',
    timeoutMs: 600_000,
    hedgeMs: 600_000,
  });
  for (const _ of [1, 2]) {
    expect((await transport.sendRequest(createPipelineRequest({ url: host.url }))).status).toBe(200);
  }
  expect(host.sockets).toHaveLength(2);
  await eventually(() => host.sockets.every(({ destroyed }) => destroyed));
});

it('does not use a connection on which the host spoke without being asked', async () => {
  const { host, get } = await hostAt();
  expect(await get()).toBe(200);
  host.sockets[0]?.write(OK);
  await eventually(() => host.sockets[0]?.destroyed === true);
  expect(await get()).toBe(200);
  expect(host.sockets).toHaveLength(2);
});

it.each([200, 401])('of status %s is never answered by bytes that came with the answer to another', async (status) => {
  const { host, get } = await hostAt();
  // A record of TLS has 16 KiB at most: what follows the answer is read as one more, from the same packet.
  const head = `HTTP/1.1 ${status} X\r\nContent-Length: 16000\r\nX-A: `;
  const padding = 'a'.repeat(16_384 - 16_000 - head.length - 4);
  host.answer = `${head}${padding}\r\n\r\n${' '.repeat(16_000)}HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n`;
  const chains = Array.from({ length: 60 }, async () => [await get(), await get()]);
  expect(new Set((await Promise.all(chains)).flat())).toEqual(new Set([status]));
  await eventually(() => host.sockets.every(({ destroyed }) => destroyed));
  expect(host.requests).toHaveLength(120);
});

it('whose answer ends with its connection is not complete if the provider closes that', async () => {
  const { host, get, agents } = await hostAt();
  host.answer = 'HTTP/1.1 200 OK\r\n\r\n{}';
  const sent = get();
  await eventually(() => host.requests.length === 1);
  host.sockets[0]?.write(' ');
  agents.close();
  expect(await sent).toBe('ECONNRESET');
});

it('is refused if more bytes follow its answer', async () => {
  const { host, get } = await hostAt();
  host.answer = `${OK}HTTP/1.1 200 OK\r\n`;
  expect(await get()).toBe('HPE_INVALID_CONSTANT');
  await eventually(() => host.sockets[0]?.destroyed === true);
});

it('waits while fifty others use the connections of its host, and may leave', async () => {
  const { host, get } = await hostAt();
  const leaving = new AbortController();
  const fifty = await sendFifty({ host, get });
  const [left, last] = [get({}, leaving.signal), get()];
  leaving.abort();
  expect(await left).toBe('AbortError');
  host.answer = OK;
  for (const socket of host.sockets) socket.write(OK);
  expect(await Promise.all([...fifty, last])).toEqual(Array(51).fill(200));
  expect([host.sockets.length, host.requests.length]).toEqual([50, 51]);
});

it('is held back in a pause while it waits for a connection, and never sent', async () => {
  const { host, get, agents } = await hostAt();
  const fifty = await sendFifty({ host, get });
  const waiting = get();
  agents.pending.holdBack(host.url);
  expect(await waiting).toBe('HELD_BACK');
  for (const socket of host.sockets) socket.write(OK);
  expect(await Promise.all(fifty)).toEqual(Array(50).fill(200));
  expect([host.sockets.length, host.requests.length]).toEqual([50, 50]);
});

it('fails when the provider closes its connections, also if it waits for one', async () => {
  const { host, get, agents } = await hostAt();
  host.answer = '';
  const all = Array.from({ length: 51 }, () => get());
  await eventually(() => host.requests.length === 50);
  agents.close();
  expect(new Set(await Promise.all(all))).toEqual(new Set(['ECONNRESET']));
  expect(host.sockets).toHaveLength(50);
});

describe.each([
  { address: '127.0.0.1', name: '127.0.0.1' },
  { address: '::1', name: '[::1]' },
])('a connection to $name', (place) => {
  it.each(['GET', 'POST'] as const)('that is idle after a %s is closed with the others of its host', async (method) => {
    const { host, agents, transport } = await hostAt(place);
    const send = () => transport.sendRequest(createPipelineRequest({ url: host.url, method }));
    expect((await send()).status).toBe(200);
    const url = new URL(host.url);
    closeIdle(agents.for(url).agent, url);
    await eventually(() => host.sockets[0]?.destroyed === true);
    expect((await send()).status).toBe(200);
    expect(host.sockets).toHaveLength(2);
  });

  it('that is not up yet is given up in a pause', () => {
    const pending = new PendingConnections();
    const given: unknown[] = [];
    pending.add(`${place.address}:8443`, (error) => given.push(error));
    pending.holdBack(`https://${place.name}:8443`);
    expect(given).toEqual([expect.objectContaining({ code: 'HELD_BACK' })]);
  });
});
