import { once } from 'node:events';
import https from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { reader, secret, startLab } from '../support/azure.ts';
import { issue, keyPem } from '../support/pki.ts';
import { eventually } from '../support/process.ts';
import { turnsOfTheLoop } from '../support/turns.ts';

const { certificate, key } = await issue({
  name: 'vault.localhost',
  dnsNames: ['vault.localhost', '*.vault.localhost'],
});

let server: https.Server;
let agents: Agents;
let url: string;
/** Connections that the server accepted, with true for those that resumed a session. */
let sockets: Socket[];
let resumed: boolean[];

beforeEach(async () => {
  sockets = [];
  resumed = [];
  server = https.createServer({ cert: certificate.toString(), key: keyPem(key) }, (_, response) => {
    setTimeout(() => response.end('{}'), 20);
  });
  server.on('connection', (socket: Socket) => sockets.push(socket));
  server.on('secureConnection', (socket: TLSSocket) => resumed.push(socket.isSessionReused()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `https://vault.localhost:${(server.address() as AddressInfo).port}/`;
  agents = new Agents([certificate.toString()]);
});

afterEach(async () => {
  vi.useRealTimers();
  agents.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const ask = (request: Partial<Parameters<typeof createPipelineRequest>[0]> = {}) =>
  createTransport({ agents, userAgent: 'test', timeoutMs: 5000 }).sendRequest(
    createPipelineRequest({ ...request, url }),
  );

describe('a connection opened ahead of its request', () => {
  it('is the one that the first request takes', async () => {
    agents.prepare(url);
    expect(await ask()).toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(1);
  });

  it('is not opened where requests use connections already', async () => {
    agents.prepare(url);
    await ask();
    agents.prepare(url);
    await ask();
    expect(sockets).toHaveLength(1);
  });

  it('hands its TLS session on to those that come after it', async () => {
    agents.prepare(url);
    await ask();
    await Promise.all([ask(), ask(), ask()]);
    expect(resumed).toEqual([false, true, true]);
  });

  it('that fails harms nobody: the request opens its own', async () => {
    server.once('connection', (socket: Socket) => socket.destroy());
    agents.prepare(url);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    await expect.poll(async () => (await ask()).status).toBe(200);
    expect(sockets.length).toBeGreaterThan(1);
  });

  it.each([
    ['GET', undefined],
    ['POST', 'a=b'],
  ] as const)('on which the host has spoken before it was asked carries no %s', async (method, body) => {
    const opened = vi.spyOn(https.Agent.prototype, 'createConnection');
    server.once('secureConnection', (socket: TLSSocket) => {
      socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    agents.prepare(url);
    const made = () => opened.mock.results[0]?.value as TLSSocket | undefined;
    await eventually(() => (made()?.readableLength ?? 0) > 0);
    const socket = made();
    opened.mockRestore();
    expect(await ask({ method, ...(body && { body }) })).toMatchObject({ status: 200 });
    expect(socket?.destroyed).toBe(true);
    expect(sockets).toHaveLength(2);
  });

  it('that nobody wants is closed after ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    agents.prepare(url);
    await expect.poll(() => resumed.length).toBe(1);
    vi.advanceTimersByTime(10_000);
    vi.useRealTimers();
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    expect(await ask()).toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(2);
  });

  it('is closed with all others, though nobody has used it', async () => {
    // Without fake timers, the connection would be closed after ten seconds.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    agents.prepare(url);
    await once(server, 'secureConnection');
    agents.close();
    const [socket] = sockets;
    if (socket === undefined) throw new Error('no connection');
    if (!socket.destroyed) await once(socket, 'close');
  });
});

describe('connections opened ahead of several requests', () => {
  const prepare = (count: number, target = url) => {
    for (let i = 0; i < count; i++) agents.prepare(target);
  };

  it('are those that the requests take, and resume the TLS session of the first', async () => {
    prepare(5);
    await expect.poll(() => resumed).toEqual([false, true, true, true, true]);
    await Promise.all([ask(), ask(), ask(), ask(), ask()]);
    expect(sockets).toHaveLength(5);
  });

  it('are at most sixteen to a host', async () => {
    prepare(40);
    await expect.poll(() => resumed).toHaveLength(16);
    prepare(40);
    await turnsOfTheLoop();
    expect(sockets).toHaveLength(16);
  });

  it('are at most 64 to all hosts', async () => {
    const { port } = new URL(url);
    for (const name of ['a', 'b', 'c', 'd', 'e']) prepare(40, `https://${name}.vault.localhost:${port}/`);
    await expect.poll(() => resumed).toHaveLength(64);
    await turnsOfTheLoop();
    expect(sockets).toHaveLength(64);
  });

  it('wait for the first one: a host that does not complete its handshake gets no other', async () => {
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    prepare(5, `https://vault.localhost:${(silent.address() as AddressInfo).port}/`);
    await expect.poll(() => sockets).toHaveLength(1);
    await turnsOfTheLoop();
    expect(sockets).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('are not opened if a request has begun before them', async () => {
    prepare(16);
    const answer = ask();
    await turnsOfTheLoop();
    await answer;
    expect(sockets).toHaveLength(1);
  });

  it('are opened again after all of them were closed', async () => {
    prepare(2);
    await expect.poll(() => resumed).toEqual([false, true]);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
    await expect
      .poll(() => {
        prepare(1);
        return sockets.length;
      })
      .toBeGreaterThan(2);
  });

  it('are not opened after the agents were closed', async () => {
    prepare(3);
    agents.close();
    await turnsOfTheLoop();
    expect(sockets).toHaveLength(0);
  });
});

describe('a Mount that has to log in', () => {
  it('asks for a connection for each of its reads, and one with a token for none', async () => {
    const prepare = vi.spyOn(Agents.prototype, 'prepare');
    const lab = await startLab();
    const mount = async () => {
      const [vault, context] = [lab.open(reader()), lab.context()];
      await Promise.all([0, 1, 2, 3].map((i) => vault.get(secret(`s${i}`), context)));
      return prepare.mock.calls.length;
    };
    expect(await mount()).toBe(4);
    expect(await mount()).toBe(4);
    await lab.close();
    prepare.mockRestore();
  });
});
