import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { Endpoint } from '../../src/server/endpoint.ts';
import { startHealthServer } from '../../src/server/health.ts';
import { startServer } from '../../src/server/server.ts';
import { oneFile, silentMeter, temporaryDirectory, testServer } from './support.ts';

async function probe(endpoint: Endpoint, timeoutMs = 5000) {
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, path: '/healthz', timeoutMs, endpoint });
  onTestFinished(() => server.close());
  const ask = async (path = '/healthz', method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return [response.status, await response.text()];
  };
  return { ask, port: server.port };
}

describe('/healthz', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE'])('says ok to %s while the provider answers', async (method) => {
    const { path } = await testServer();
    const { ask } = await probe({ kind: 'unix', path });
    expect(await ask('/healthz', method)).toEqual([200, 'ok']);
    expect(await ask('/healthz?verbose', method)).toEqual([200, 'ok']);
  });

  test('says ok over TCP', async () => {
    const server = await startServer({
      endpoint: { kind: 'tcp', host: '', port: 0 },
      mount: oneFile,
      version: '1.2.3',
      log: silentLogger,
      meter: silentMeter,
    });
    onTestFinished(() => server.stop());
    const { ask } = await probe(server.endpoint);
    expect(await ask()).toEqual([200, 'ok']);
  });

  test('says why when the socket is gone, and ok again when it is back', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const { ask } = await probe({ kind: 'unix', path });
    const [status, text] = await ask();
    expect(status).toBe(503);
    expect(text).toMatch(/UNAVAILABLE.*ENOENT/);
    await testServer({ path });
    expect(await ask()).toEqual([200, 'ok']);
  });

  test('says why when nobody answers in time', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const silent = createServer().listen(path);
    onTestFinished(() => {
      silent.close();
    });
    const { ask } = await probe({ kind: 'unix', path }, 100);
    const [status, text] = await ask();
    expect(status).toBe(503);
    expect(text).toMatch(/DEADLINE_EXCEEDED/);
  });

  test('makes a new connection for each check, and one for checks at the same time', async () => {
    const target = await testServer();
    const connections: number[] = [];
    const path = join(temporaryDirectory(), 'between.sock');
    const between = createServer((socket) => {
      connections.push(1);
      const onward = connect(target.path);
      socket.on('error', () => {}).pipe(onward);
      onward.on('error', () => {}).pipe(socket);
    }).listen(path);
    onTestFinished(() => {
      between.close();
    });
    const { ask, port } = await probe({ kind: 'unix', path });
    await ask();
    await ask();
    expect(connections).toHaveLength(2);
    const pipelined = connect(port, '127.0.0.1');
    pipelined.write(
      'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2) +
        'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    let answers = '';
    for await (const chunk of pipelined) answers += chunk;
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(connections).toHaveLength(3);
  });

  test('is all there is', async () => {
    const { path } = await testServer();
    const { ask } = await probe({ kind: 'unix', path });
    for (const other of ['/', '/healthz/', '/metrics', '/debug/pprof/']) expect((await ask(other))[0]).toBe(404);
  });

  test('names the port it cannot have', async () => {
    const { path } = await testServer();
    const endpoint: Endpoint = { kind: 'unix', path };
    const { port } = await probe(endpoint);
    await expect(
      startHealthServer({ host: '127.0.0.1', port, path: '/healthz', timeoutMs: 5000, endpoint }),
    ).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(`Cannot listen on port ${port} for health checks (--healthz-port)`),
    });
  });
});
