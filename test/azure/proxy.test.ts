import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { type Lab, reader, secret, startLab, textOf } from '../support/azure.ts';

let lab: Lab;
let proxy: http.Server;
let proxyHost: string;
let refusal = '';
/** True if the proxy sends its answer byte by byte. */
let inBytes = false;
const connects: string[] = [];
/** The credentials that the proxy got, in Base64. */
const logins: string[] = [];
/** Returns true for tunnels that the proxy accepts but does not open. */
let slow = (_: string) => false;
const held: Duplex[] = [];

// The emulator serves the names of the public cloud behind a proxy that connects all names to it.
beforeAll(async () => {
  proxy = http.createServer();
  proxy.on('connect', (request, socket) => {
    connects.push(request.url ?? '');
    logins.push(request.headers['proxy-authorization']?.replace('Basic ', '') ?? '');
    if (refusal !== '') {
      socket.end(refusal);
      return;
    }
    if (slow(request.url ?? '')) {
      held.push(socket.resume());
      return;
    }
    const onward = connect(lab.emulator.port, '127.0.0.1', () => {
      const answer = 'HTTP/1.1 200 Connection Established\r\nVia: 1.1 proxy\r\n\r\n';
      if (socket instanceof Socket) socket.setNoDelay();
      for (const part of inBytes ? answer : [answer]) socket.write(part);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxyHost = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
// The transport reads the proxy variables of the environment once.
beforeEach(async () => {
  lab = await startLab({ hosts: ['*.vault.azure.net', 'login.microsoftonline.com'] });
  process.env.HTTPS_PROXY = `http://user:proxy-password@${proxyHost}`;
  connects.length = 0;
  logins.length = 0;
  refusal = '';
  inBytes = false;
  slow = () => false;
});
afterEach(async () => {
  await lab.close();
  for (const socket of held.splice(0)) socket.destroy();
  delete process.env.HTTPS_PROXY;
});
afterAll(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

const read = (clientSecret?: string, name = 's0') => lab.open(reader(clientSecret)).get(secret(name), lab.context());

describe('behind a proxy', () => {
  it('logins and reads go through it, with TLS to the end and one way kept open', async () => {
    expect(textOf(await read())).toBe('value-0');
    expect(textOf(await read())).toBe('value-0');
    expect(connects).toEqual(['login.microsoftonline.com:443', 'lab-vault.vault.azure.net:443']);
  });

  it('a wave of reads opens 32 ways at most', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, i) => read(undefined, `s${i}`)));
    expect(connects.length).toBeLessThanOrEqual(32);
  });

  it('a vault that asks for a pause gets no request whose way is not open yet', async () => {
    await read(undefined, 's9');
    const refused = lab.emulator.faults.hold({ on: 'vault', count: 1 });
    lab.emulator.faults.add({
      on: 'vault',
      count: 1,
      action: { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
    });
    // The open tunnel is used again. The other requests need new tunnels, which open too late.
    slow = () => !lab.emulator.requests.some(({ status }) => status === 429);
    const [mount, context] = [lab.open(reader()), lab.context()];
    const reads = [0, 1, 2, 3, 4].map((i) => mount.get(secret(`s${i}`), context));
    await refused.reached;
    await expect.poll(() => held.length).toBeGreaterThan(0);
    refused.release();
    const texts = (await Promise.all(reads)).map(textOf);
    expect(texts).toEqual([0, 1, 2, 3, 4].map((i) => `value-${i}`));
  });

  it('a proxy that takes connections and says nothing is given up in time', async () => {
    slow = () => true;
    const agents = new Agents([], { connectTimeoutMs: 100 });
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 10_000 });
    const failed = transport.sendRequest(createPipelineRequest({ url: 'https://x.vault.azure.net/' }));
    const failure = networkFailure(await failed.catch((error: unknown) => error));
    expect(failure).toMatchObject({ layer: 'TCP', code: 'ETIMEDOUT', proxy: proxyHost });
    await expect.poll(() => held.map(({ readableEnded }) => readableEnded)).toEqual([true]);
    agents.close();
  });

  it.each([
    ['an answer without an end', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(20_000)}`],
    ['a head that is too long', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['bytes after its answer', 'HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03'],
  ])('a proxy that sends %s is told as the failure of the proxy, at once', async (_, bytes) => {
    const sockets: Socket[] = [];
    const hostile = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      socket.once('data', () => socket.write(bytes));
    });
    hostile.listen(0, '127.0.0.1');
    await once(hostile, 'listening');
    const host = `127.0.0.1:${(hostile.address() as AddressInfo).port}`;
    process.env.HTTPS_PROXY = `http://${host}`;
    const agents = new Agents([], { connectTimeoutMs: 600_000 });
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 600_000 });
    const sent = transport.sendRequest(createPipelineRequest({ url: 'https://x.vault.azure.net/' }));
    const failure = networkFailure(await sent.catch((error: unknown) => error));
    expect(failure).toMatchObject({ layer: 'HTTP', code: 'HPE_INVALID_CONSTANT', proxy: host });
    await expect.poll(() => sockets.map(({ readableEnded }) => readableEnded)).toEqual([true]);
    agents.close();
    hostile.close();
  });

  it.each([
    ['us%40er:p%3A%20', 'us@er:p: '],
    ['user:50%', 'user:50%'],
  ])('the proxy gets the user and the password of %s', async (login, expected) => {
    process.env.HTTPS_PROXY = `http://${login}@${proxyHost}`;
    expect(textOf(await read())).toBe('value-0');
    expect(logins.map((one) => Buffer.from(one, 'base64').toString())).toEqual([expected, expected]);
  });

  it('an answer of the proxy that comes byte by byte opens the way', async () => {
    inBytes = true;
    expect(textOf(await read())).toBe('value-0');
  });

  it.each([401, 403, 404, 407, 429, 503])(
    'a refusal of the proxy (%i) is its own, and its password is not told',
    async (status) => {
      const challenge = 'www-authenticate: Bearer authorization="https://evil/t", resource="https://azure.net"';
      refusal = `HTTP/1.1 ${status} No\r\n${challenge}\r\nretry-after: 100\r\ncontent-length: 0\r\n\r\n`;
      const error = await read().catch((reason: Error) => reason);
      expect(error).toMatchObject({
        code: 'ERR_UNREACHABLE',
        details: { phase: 'entra', remoteCode: `PROXY_${status}` },
        message: expect.stringContaining(`(the way is through the proxy ${proxyHost})`),
      });
      expect(JSON.stringify(error) + String(error)).not.toContain('proxy-password');
      refusal = '';
      expect(textOf(await read())).toBe('value-0');
    },
  );

  it.each([
    ['is not there', 'http://USER@127.0.0.1:1', '127.0.0.1:1', /TCP failed, ECONNREFUSED: .* \(tried 127\.0\.0\.1:1\)/],
    ['has no address', 'http://USER@proxy.invalid:3128', 'proxy.invalid:3128', /DNS failed, (ENOTFOUND|EAI_AGAIN): /],
    ['speaks no TLS', 'https://USER@PROXY', undefined, /TLS failed, \w+: /],
  ])('a proxy that %s is told as the failure of the proxy, with what to check there', async (_, url, host, words) => {
    process.env.HTTPS_PROXY = url.replace('USER', 'user:proxy-password').replace('PROXY', proxyHost);
    const error = await read(`yet-another-${url}`).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'ERR_UNREACHABLE', message: expect.stringMatching(words) });
    const { message } = error as Error;
    expect(message).toContain(`: the proxy ${host ?? proxyHost}, which is before Entra ID at `);
    expect(message).toContain('HTTPS_PROXY');
    expect(message).not.toMatch(/proxy-password|private endpoint|network security group/);
  });

  it('a proxy that is no URL is named by its variable', async () => {
    process.env.HTTPS_PROXY = 'http://[nonsense';
    await expect(read('the-last')).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringContaining('HTTPS_PROXY'),
    });
  });
});
