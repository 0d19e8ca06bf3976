import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { issue, keyPem } from '../support/pki.ts';

const { certificate, key } = await issue({ name: 'vault.localhost' });

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

const ask = () =>
  createTransport({ agents, userAgent: 'test', timeoutMs: 5000 }).sendRequest(createPipelineRequest({ url }));

describe('a connection opened ahead of its request', () => {
  it('is the one that the first request takes', async () => {
    agents.prepare(url);
    expect(await ask()).toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(1);
  });

  it('is opened once, and not where there is one already', async () => {
    agents.prepare(url);
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
