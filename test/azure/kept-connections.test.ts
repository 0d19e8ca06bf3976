import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { createHttpHeaders, createPipelineRequest } from '@azure/core-rest-pipeline';
import { expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { collect } from '../support/heap.ts';
import { issue, keyPem } from '../support/pki.ts';

it('a connection that is kept keeps nothing of the requests it carried', async () => {
  const { certificate, key } = await issue({ name: 'vault.localhost' });
  const cert = certificate.toString();
  const server = https.createServer({ cert, key: keyPem(key) }, (_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://vault.localhost:${(server.address() as AddressInfo).port}/`;
  const agents = new Agents([cert]);
  const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 10_000 });
  const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  /** Sends requests one after another. Returns what tells whether each is still in memory. */
  const ask = async () => {
    const sent: WeakRef<object>[] = [];
    for (let n = 0; n < 3; n++) {
      const headers = createHttpHeaders({ authorization: `Bearer token-${n}` });
      const request = createPipelineRequest({ url, method: 'POST', headers, body: `client_secret=${n}` });
      sent.push(new WeakRef(request), new WeakRef(request.headers));
      expect((await transport.sendRequest(request)).status).toBe(200);
    }
    return sent;
  };
  try {
    const sent = await ask();
    // A reference that was just made or read counts as in use until the turn ends.
    await sleep(50);
    collect();
    expect(await connections()).toBe(1);
    const [[socket] = []] = Object.values(agents.for(new URL(url)).agent.freeSockets);
    const shown = inspect(socket, { depth: 4, showHidden: true });
    expect(shown).toContain('vault.localhost');
    expect(shown).not.toContain('Bearer');
    expect(sent.map((one) => one.deref())).toEqual(sent.map(() => undefined));
  } finally {
    agents.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
