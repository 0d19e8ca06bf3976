import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/agents.ts';
import { createTransport } from '../../src/azure/transport.ts';
import { nextTurn } from '../../src/pki/pace.ts';

const WAITING = 200;
const agents = new Agents({ certFile: undefined, certDir: undefined, extraCaFile: undefined });
const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 30_000 });
let server: http.Server;

// Answers with the status that the path names.
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

/** How many of those who wait for a turn of the event loop, each of which takes a while, come before the answer. */
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
