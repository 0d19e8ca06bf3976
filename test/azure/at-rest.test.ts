import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import { describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { fetchedFromWire, listedFromWire, objectsFromWire } from '../../src/azure/vault/vault-json.ts';
import { Cache } from '../../src/base/cache.ts';
import { keptBytes } from '../support/heap.ts';

const MIB = 2 ** 20;
const COUNT = 20;
const VERSION = '4291b10ea54c269a19e979e4e2988df0';

/** Makes so many results, each of a long text of its own. */
const many = <T>(make: (n: number) => T): readonly T[] => Array.from({ length: COUNT }, (_, n) => make(n));
/** An id of a mebibyte; each call makes its text anew. */
const longId = (n: number) => `https://${`${n}`.padEnd(MIB, 'h')}/secrets/database-password/`;

describe('what a vault answered', () => {
  it.each<readonly [string, (n: number) => unknown]>([
    [
      'the version of a secret',
      (n: number) =>
        fetchedFromWire(
          { type: 'secret', name: 'database-password', version: '' },
          { id: longId(n) + VERSION, value: '' },
        ),
    ],
    [
      'a listing of versions',
      (n: number) =>
        listedFromWire(
          { type: 'secret', name: 'database-password' },
          { value: [{ id: longId(n) + VERSION, attributes: {} }] },
        ),
    ],
    ['a listing of objects', (n: number) => objectsFromWire('secret', { value: [{ id: longId(n) }] })],
  ])('is kept without the text of the ids: %s', (_, read) => {
    expect(JSON.stringify(read(0))).toMatch(/4291b10ea54c269a19e979e4e2988df0|database-password/);
    expect(keptBytes(() => many(read))).toBeLessThan((COUNT / 2) * MIB);
  });
});

it('a cache keeps one text of each key, whoever asks', () => {
  const kept = keptBytes(() => {
    const cache = new Cache<number>({});
    for (const key of many(longId)) cache.set(key, 1);
    for (const key of many(longId)) expect(cache.get(key)).toBe(1);
    return cache;
  });
  expect(kept).toBeGreaterThan((COUNT / 2) * MIB);
  expect(kept).toBeLessThan((COUNT + COUNT / 2) * MIB);
});

it('requests at the same time leave a few parsers in memory', async () => {
  const requests = 40;
  const { parsers } = createRequire(import.meta.url)('_http_common') as { parsers: { list: readonly unknown[] } };
  const waiting: (() => void)[] = [];
  const server = createServer((_, response) => {
    waiting.push(() => response.end('{}'));
    if (waiting.length === requests) for (const answer of waiting) answer();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const agents = new Agents([]);
  try {
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 10_000 });
    const ask = () => transport.sendRequest(createPipelineRequest({ url, allowInsecureConnection: true }));
    const answers = await Promise.all(Array.from({ length: requests }, ask));
    expect(answers.map(({ status }) => status)).toEqual(Array(requests).fill(200));
  } finally {
    agents.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  expect(parsers.list.length).toBeGreaterThan(0);
  expect(parsers.list.length).toBeLessThanOrEqual(16);
});
