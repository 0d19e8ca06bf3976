// Cuts vault, login service and issuer off at once, kills the provider in the middle of the cut, and looks at every
// volume all the time, with each driver line, with and without an offline cache. OUTAGE_MINUTES sets the length of the
// cut: ten minutes by hand, seconds otherwise.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import type { ProviderProcess } from '../../src/cli/demo/provider-process.ts';
import type { FaultAction } from '../../src/emulator/host/faults.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
import { BEFORE, type KnownPods, prepareKnown } from './known.ts';
import type { PodVolume } from './kubelet.ts';
import { type Node, startNode } from './node.ts';
import { eventually } from './wait.ts';

const wanted = realDriverWanted();
const CUT_MS = Number(process.env.OUTAGE_MINUTES ?? 0.2) * 60_000;
/** In a long cut, pods also wait for services that hang. */
const LONG = CUT_MS > 120_000;
const LIMIT_MS = 2 * CUT_MS + 300_000;
/** How the services are cut off, one way after another in each half of the cut. */
const CUTS: readonly FaultAction[] = [{ kind: 'drop' }, { kind: 'hang' }, { kind: 'answer', status: 503 }];
const SERVICES = ['vault', 'entra', 'imds', 'issuer'] as const;
const PAUSE_MS = 1_000;
/** A failure after which the kubelet removes the directory of the volume, so that its next try mounts again. */
const FINAL: readonly status[] = [status.UNKNOWN, status.INVALID_ARGUMENT];

const LINES = NEWEST_DRIVERS.flatMap((line) => [
  { ...line, line, store: true },
  { ...line, line, store: false },
]);

describe.skipIf(!wanted).each(LINES)('driver $version, Azure cut off, offline cache $store', ({ line, store }) => {
  const directory = mkdtempSync(join(tmpdir(), 'akv-cut-'));
  let node: Node;
  let provider: ProviderProcess;
  let running: readonly PodVolume[];
  let pods: KnownPods;
  beforeAll(async () => {
    writeFileSync(join(directory, 'key'), randomBytes(32), { mode: 0o400 });
    const flags = [`--offline-cache-dir=${directory}`, `--offline-cache-key-file=${join(directory, 'key')}`];
    const serveArgs = ['--cache-ttl=500ms', ...(store ? flags : [])];
    node = await startNode({ line, rotationInterval: '1s', serveArgs });
    provider = await node.startProvider();
    pods = prepareKnown(node, line);
    running = ['known', 'known-by-secret'].map(pods.pod);
    for (const volume of running) await node.kubelet.mount(volume);
  }, LIMIT_MS);
  afterAll(async () => {
    await node?.close();
    rmSync(directory, { recursive: true, force: true });
  }, LIMIT_MS);

  const remove = async (volume: PodVolume) => {
    await node.kubelet.unmount(volume);
    node.deletePod(volume);
  };
  const runningFiles = () => running.map(node.textsOf);
  const holding = (value: string) => running.map(() => ({ known: value }));

  /** A new pod of a known identity gets the last known value. */
  const expectKnown = async () => {
    const volume = pods.pod('known-by-secret');
    expect(await node.kubelet.publish(volume)).toBeUndefined();
    expect(node.textsOf(volume)).toEqual({ known: BEFORE });
    await remove(volume);
  };
  /** A new pod fails at each try, with a message that names the cause, and gets no file. */
  const expectRefused = async (secretProviderClass: string, tries: number) => {
    const volume = pods.pod(secretProviderClass);
    for (let tried = 0; tried < tries; tried++) {
      const failure = await node.kubelet.publish(volume);
      expect(FINAL).toContain(failure?.code);
      expect(failure?.message).toMatch(/Cannot (log in as|read from vault)|this node has no last known value/);
      expect(node.textsOf(volume)).toEqual({});
    }
    await remove(volume);
  };
  /** Looks at running pods, and starts new ones of a known identity, for a part of the cut. */
  const watch = async (known: boolean) => {
    const end = Date.now() + CUT_MS / 2 / CUTS.length;
    do {
      await pods.republish(running);
      expect(runningFiles()).toEqual(holding(BEFORE));
      if (known) await expectKnown();
      await sleep(PAUSE_MS);
    } while (Date.now() < end);
  };
  /** Half of the cut: each way of cutting off. `known` says whether the provider has last known values. */
  const half = async (known: boolean) => {
    for (const action of CUTS) {
      // A Mount without last known values waits for a service that hangs until the kubelet's deadline, two minutes.
      const hangs = action.kind === 'hang';
      if (hangs && !LONG && !known) continue;
      node.emulator.faults.clear();
      for (const on of SERVICES) node.emulator.faults.add({ on, unauthenticated: true, action });
      const refused = hangs && !LONG ? [] : ['unknown-by-secret', ...(known ? [] : ['known-by-secret'])];
      await Promise.all([watch(known), ...refused.map((name) => expectRefused(name, hangs ? 1 : 2))]);
    }
  };

  test('running pods keep their files, and new ones get whole volumes or none', { timeout: LIMIT_MS }, async () => {
    await half(true);
    provider.child.kill('SIGKILL');
    provider = await node.startProvider();
    await half(store);
  });

  test('everything is fresh after the cut', { timeout: LIMIT_MS }, async () => {
    node.emulator.setSecret(VAULT, 'known', 'after the cut');
    node.emulator.faults.clear();
    await eventually(async () => {
      await pods.republish(running);
      expect(runningFiles()).toEqual(holding('after the cut'));
    });
    for (const name of ['known', 'unknown-by-secret']) {
      const volume = pods.pod(name);
      expect(await node.kubelet.publish(volume)).toBeUndefined();
      expect(Object.values(node.textsOf(volume))).toHaveLength(1);
      await remove(volume);
    }
  });
});
