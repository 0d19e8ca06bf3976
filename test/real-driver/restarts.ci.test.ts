// Publishes volumes while the provider is stopped, killed, started and replaced by another one, with each driver line.
// Every publish must succeed at once, and every volume must contain its files.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
import { prepareLoad, underLoad } from './load.ts';
import { type Node, startNode } from './node.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 600_000;
const ROUNDS = 3;

describe.skipIf(!wanted).each(NEWEST_DRIVERS)('driver $version, under load, no publish fails', (line) => {
  let node: Node;
  let provider: ProviderProcess;
  beforeAll(async () => {
    // Every Mount reads from the vault, so that a signal can arrive during a Mount.
    node = await startNode({ line, rotationInterval: '2m', serveArgs: ['--cache-ttl=0'] });
    provider = await node.startProvider();
    await prepareLoad(node);
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  /** Sends the signal. Resolves with code and signal when the process has ended. */
  const end = (old: ProviderProcess, signal: NodeJS.Signals) => {
    const ended = once(old.child, 'exit');
    old.child.kill(signal);
    return ended;
  };

  test.each([
    [
      'while the provider is stopped and started again',
      async () => {
        expect(await end(provider, 'SIGTERM')).toEqual([0, null]);
        provider = await node.startProvider();
      },
    ],
    [
      'while a successor takes the socket and then the old provider is stopped',
      async () => {
        const old = provider;
        provider = await node.startProvider();
        expect(await end(old, 'SIGTERM')).toEqual([0, null]);
      },
    ],
    [
      'while the old provider is stopped and a successor starts before it has ended',
      async () => {
        const ended = end(provider, 'SIGTERM');
        provider = await node.startProvider();
        expect(await ended).toEqual([0, null]);
      },
    ],
    [
      'while the provider is killed and started again',
      async () => {
        expect(await end(provider, 'SIGKILL')).toEqual([null, 'SIGKILL']);
        provider = await node.startProvider();
      },
    ],
  ])('%s', { timeout: LIMIT_MS }, async (_, change) => {
    const { published, failures, wrong } = await underLoad(node, ROUNDS, change);
    console.log(`${line.version}: ${published()} volumes, ${failures.length} failed publishes, ${wrong.length} wrong`);
    expect(failures).toEqual([]);
    expect(wrong).toEqual([]);
  });
});
