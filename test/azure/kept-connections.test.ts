import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { afterEach, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { collect } from '../support/heap.ts';
import { issue, keyPem } from '../support/pki.ts';
import { startProxy } from '../support/proxy.ts';

afterEach(() => {
  delete process.env.HTTPS_PROXY;
});

it.each([
  ['direct', 'vault.localhost'],
  ['proxied', 'vault.test'],
])('a %s connection that is kept keeps nothing of the requests it carried', async (way, name) => {
  const { certificate, key } = await issue({ name });
  const cert = certificate.toString();
  const server = https.createServer({ cert, key: keyPem(key) }, (_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = await startProxy(() => port);
  if (way !== 'direct') process.env.HTTPS_PROXY = proxy.url;
  const url = `https://${name}:${port}/`;
  const agents = new Agents([cert]);
  const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 10_000 });
  const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  /** Sends requests one after another. Returns what tells whether each is still in memory. */
  const ask = async (method: 'POST' | 'GET') => {
    const sent: WeakRef<object>[] = [];
    for (let n = 0; n < 3; n++) {
      const headers = createHttpHeaders({ authorization: `Bearer token-${n}` });
      const body = method === 'POST' ? { body: `client_secret=${n}` } : {};
      const request = createPipelineRequest({ url, method, headers, ...body });
      sent.push(new WeakRef(request), new WeakRef(request.headers));
      expect((await transport.sendRequest(request)).status).toBe(200);
    }
    return sent;
  };
  try {
    const sent = await ask('POST');
    // Of a GET over a direct connection, which Node's agent does not know.
    const got = way === 'direct' ? await ask('GET') : [];
    // A reference that was just made or read counts as in use until the turn ends.
    await setImmediate();
    collect();
    expect(await connections()).toBe(way === 'direct' ? 2 : 1);
    const [[socket] = []] = Object.values(agents.for(new URL(url)).agent.freeSockets);
    const shown = inspect(socket, { depth: 4, showHidden: true });
    expect(shown).toContain(name);
    expect(shown).not.toContain('Bearer');
    expect([...sent, ...got].filter((one) => one.deref() !== undefined)).toEqual([]);
  } finally {
    agents.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await proxy.close();
  }
});
