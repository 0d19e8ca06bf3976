import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { type HealthOptions, type HealthTarget, startHealthServer } from '../../src/server/health.ts';
import { startServer } from '../../src/server/server.ts';
import { oneFile, silentMeter, temporaryDirectory, testServer } from '../support/server.ts';

/** Starts a health server that checks `target`. */
async function probe(target: ReturnType<HealthOptions['target']>, timeoutMs = 5000) {
  const where = { host: '127.0.0.1', port: 0, path: '/healthz', timeoutMs };
  const server = await startHealthServer({ ...where, target: () => target });
  onTestFinished(() => server.close());
  const ask = async (path = '/healthz', method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return [response.status, await response.text()];
  };
  return { ask, port: server.port };
}

/** Returns the target for a provider that does not answer or was replaced by another one. */
const absent = (path: string): HealthTarget => ({ endpoint: { kind: 'unix', path }, instance: 'none' });

describe('/healthz', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE'])('says ok to %s while the provider answers', async (method) => {
    const { ask } = await probe(await testServer());
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
    const { ask } = await probe(server);
    expect(await ask()).toEqual([200, 'ok']);
  });

  test('says why when the socket is gone', async () => {
    const { ask } = await probe(absent(join(temporaryDirectory(), 'azure.sock')));
    expect(await ask()).toEqual([503, expect.stringMatching(/UNAVAILABLE.*ENOENT/)]);
  });

  test('takes the answer of another process for what it is', async () => {
    const { path } = await testServer();
    const { ask } = await probe(absent(path));
    const who = 'secrets-store-csi-driver-provider-azure v1.2.3';
    expect(await ask()).toEqual([
      503,
      `another process answers on unix://${path} (${who}); run one provider on each node with this endpoint, and stop the other`,
    ]);
  });

  test.each([
    ['starting', 503],
    ['stopping', 200],
  ] as const)('says that the provider is %s', async (state, status) => {
    const { ask } = await probe(state);
    expect(await ask()).toEqual([status, state]);
  });

  test('reports the reason if no answer arrives in time', async () => {
    const path = join(temporaryDirectory(), 'azure.sock');
    const silent = createServer().listen(path);
    onTestFinished(() => {
      silent.close();
    });
    const { ask } = await probe(absent(path), 100);
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
    const { ask, port } = await probe({ ...target, endpoint: { kind: 'unix', path } });
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
    const { ask } = await probe(await testServer());
    for (const other of ['/', '/healthz/', '/metrics', '/debug/pprof/']) expect((await ask(other))[0]).toBe(404);
  });

  test('names the port it cannot have', async () => {
    const { port } = await probe('starting');
    const where = { host: '127.0.0.1', port, path: '/healthz', timeoutMs: 5000 };
    await expect(startHealthServer({ ...where, target: () => 'starting' })).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(`Cannot listen on port ${port} of 127.0.0.1 for health checks (--healthz-port)`),
    });
  });
});
