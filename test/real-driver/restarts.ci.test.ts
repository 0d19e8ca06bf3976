// Publishes go on while the provider is stopped, started and succeeded by another one, under each driver line.
// Every publish must be OK at once, and every volume must hold its files.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { VAULT } from '../../src/cli/demo/world.ts';
import { classicParameters } from './classic.ts';
import { DRIVERS, realDriverWanted } from './driver.ts';
import { type Load, startLoad } from './load.ts';
import { type Node, startNode } from './node.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 600_000;
const OBJECTS = 6;
const OBJECT_BYTES = 2000;
const PUBLISHERS = 4;
/** Volumes of each publisher between two changes. A call is caught by one change at most that way: the driver makes three. */
const BETWEEN = 2;
const ROUNDS = 3;

describe.skipIf(!wanted).each(DRIVERS)('driver $version, under load', (line) => {
  let node: Node;
  let provider: ProviderProcess;
  let files: Readonly<Record<string, string>>;
  beforeAll(async () => {
    // Every Mount asks the vault, so that there is something to be in the middle of.
    node = await startNode({
      line,
      rotationInterval: '2m',
      serveArgs: ['--cache-ttl=0'],
    });
    const names = Array.from({ length: OBJECTS }, (_, i) => `load-${i}`);
    files = Object.fromEntries(names.map((name) => [name, `${name} `.repeat(OBJECT_BYTES / 7)]));
    for (const [name, value] of Object.entries(files)) node.emulator.setSecret(VAULT, name, value);
    const items = names.map((objectName) => ({ objectName, objectType: 'secret' }));
    node.addClass('load', { parameters: classicParameters(items) });
    provider = await node.startProvider();
    await node.kubelet.mount(node.addPod({ name: 'first', secretProviderClass: 'load' }));
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  /** Has `change` happen again and again under load, and gives what the publishers have seen. */
  const underLoad = async (times: number, change: (round: number) => Promise<void>): Promise<Load> => {
    const load = startLoad(node, { publishers: PUBLISHERS, secretProviderClass: 'load', files });
    try {
      for (let round = 0; round < times; round++) {
        await load.progress(BETWEEN);
        await change(round);
      }
      await load.progress(BETWEEN);
    } finally {
      await load.stop();
    }
    console.log(
      `${line.version}: ${load.published()} volumes, ${load.failures.length} failed publishes, ${load.wrong.length} wrong`,
    );
    return load;
  };
  const end = async (old: ProviderProcess, signal: NodeJS.Signals) => {
    const ended = once(old.child, 'exit');
    old.child.kill(signal);
    return ended;
  };
  const nothingFailed = ({ failures, wrong }: Load) => {
    expect(failures).toEqual([]);
    expect(wrong).toEqual([]);
  };

  test(
    'no publish fails while the provider is stopped and started again',
    async () => {
      const load = await underLoad(ROUNDS, async () => {
        expect(await end(provider, 'SIGTERM')).toEqual([0, null]);
        provider = await node.startProvider();
      });
      nothingFailed(load);
    },
    LIMIT_MS,
  );

  test(
    'no publish fails while a successor takes the socket and then the old provider is stopped',
    async () => {
      const load = await underLoad(ROUNDS, async () => {
        const old = provider;
        provider = await node.startProvider();
        expect(await end(old, 'SIGTERM')).toEqual([0, null]);
      });
      nothingFailed(load);
    },
    LIMIT_MS,
  );

  test(
    'no publish fails while the old provider is stopped and a successor starts before it has ended',
    async () => {
      const load = await underLoad(ROUNDS, async () => {
        const ended = end(provider, 'SIGTERM');
        provider = await node.startProvider();
        expect(await ended).toEqual([0, null]);
      });
      nothingFailed(load);
    },
    LIMIT_MS,
  );
});
