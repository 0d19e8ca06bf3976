// The provider is killed when a response has begun to arrive at the driver. The driver must receive a complete response
// or nothing: it repeats a call only if nothing of a response has arrived. v1.6 treats the kubelet's second try of a
// failed publish as one that needs no mount, so that the pod would start with an empty volume.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
import { prepareLoad, underLoad } from './load.ts';
import { type Node, startNode } from './node.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 600_000;
const KILLS = 8;

describe.skipIf(!wanted).each(NEWEST_DRIVERS)('driver $version, its provider killed as it answers', (line) => {
  let node: Node;
  let provider: ProviderProcess;
  let answerBegan = () => {};
  beforeAll(async () => {
    const serveArgs = ['--cache-ttl=0'];
    node = await startNode({ line, rotationInterval: '2m', serveArgs, onAnswer: () => answerBegan() });
    provider = await node.startProvider();
    await prepareLoad(node);
  }, LIMIT_MS);
  afterAll(() => node?.close(), LIMIT_MS);

  const killAtNextAnswer = () =>
    new Promise<void>((resolve) => {
      const { child } = provider;
      answerBegan = () => {
        answerBegan = () => {};
        child.kill('SIGKILL');
        child.once('exit', () => resolve());
      };
    });

  test('loses no publish and leaves no volume empty', { timeout: LIMIT_MS }, async () => {
    const { published, failures, wrong } = await underLoad(node, KILLS, async () => {
      await killAtNextAnswer();
      provider = await node.startProvider();
    });
    console.log(`${line.version}: ${published()} volumes, ${failures.length} failed publishes, ${wrong.length} wrong`);
    expect(wrong).toEqual([]);
    expect(failures).toEqual([]);
  });
});
