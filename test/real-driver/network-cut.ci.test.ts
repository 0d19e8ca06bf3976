// Cuts the network between the provider and Azure, so that packets vanish on connections that are open and on new ones,
// and looks at the volumes, with each driver line. outage.ci.test.ts has services that are away.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { type Program, start } from '../support/process.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
import { BEFORE, type KnownPods, prepareKnown } from './known.ts';
import type { PodVolume } from './kubelet.ts';
import { type Network, provideNetwork } from './network.ts';
import { type Node, startNode } from './node.ts';
import { eventually } from './wait.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 300_000;

describe.skipIf(!wanted).each(NEWEST_DRIVERS)('driver $version, the network cut', (line) => {
  const directory = mkdtempSync(join(tmpdir(), 'akv-net-'));
  const undos: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  let node: Node;
  let network: Network;
  let provider: Program;
  let running: readonly PodVolume[];
  let pods: KnownPods;
  beforeAll(async () => {
    node = await startNode({ line, rotationInterval: '1s', host: '0.0.0.0' });
    undos.push(() => node.close());
    const { emulator, providerSocket } = node;
    const { hostname: issuer } = new URL(emulator.serviceAccountIssuer);
    network = provideNetwork(directory, [...emulator.hostsLines().map((text) => text.split(' ')[1] ?? ''), issuer]);
    const file = (name: string, contents: string) => {
      writeFileSync(join(directory, name), contents);
      return join(directory, name);
    };
    const env = {
      AZURE_ENVIRONMENT_FILEPATH: file('cloud.json', emulator.cloudFile),
      SSL_CERT_FILE: file('ca.pem', emulator.caPem),
    };
    const flags = ['--cloud-name=AzureStackCloud', '--healthz-port=0', '--prometheus-port=0', '--cache-ttl=500ms'];
    provider = start(['serve', '--endpoint', `unix://${providerSocket}`, ...flags], {
      by: network.by,
      env,
      defer: (undo) => void undos.push(undo),
    });
    await provider.until(/\bServing\b/);
    pods = prepareKnown(node, line);
    // The one worker of a driver before v1.6 would wait many seconds for the login service, which no token needs here.
    running = (line.rotation === 'kubelet' ? ['known', 'known-by-secret'] : ['known-by-secret']).map(pods.pod);
    for (const volume of running) await node.kubelet.mount(volume);
  }, LIMIT_MS);
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo();
  }, LIMIT_MS);

  const expectHeld = (volumes: readonly PodVolume[], value: string) =>
    expect(volumes.map(node.textsOf)).toEqual(volumes.map(() => ({ known: value })));

  test('running and new pods get last known values, and fresh ones afterwards', { timeout: LIMIT_MS }, async () => {
    network.cut();
    node.emulator.setSecret(VAULT, 'known', 'after the cut');
    // Nobody waits for this pod, which has no last known value: it tries until the network is back.
    const unknown = pods.pod('unknown-by-secret');
    const started = node.kubelet.mount(unknown);
    await eventually(async () => {
      await pods.republish(running);
      expect(provider.output('stderr')).toMatch(/"Mounted with last known values".* code=ERR_(TIMEOUT|UNREACHABLE) /);
    });
    const added = pods.pod('known-by-secret');
    expect(await node.kubelet.publish(added)).toBeUndefined();
    expectHeld([...running, added], BEFORE);
    expect(node.textsOf(unknown)).toEqual({});
    network.mend();
    await started;
    expect(node.textsOf(unknown)).toEqual({ unknown: BEFORE });
    await eventually(async () => {
      await pods.republish(running);
      expectHeld(running, 'after the cut');
    });
  });
});
