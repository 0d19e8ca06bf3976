// Cuts the network between the provider and Azure, so that packets vanish on connections that are open and on new ones,
// and looks at the volumes, with each driver line. outage.ci.test.ts has services that are away.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VAULT } from '../../src/cli/demo/fixtures.ts';
import { type Program, start } from '../support/process.ts';
import { classicParameters } from './classic.ts';
import { NEWEST_DRIVERS, realDriverWanted } from './driver.ts';
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
  let pods = 0;
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
    for (const name of ['known', 'unknown']) {
      emulator.setSecret(VAULT, name, 'before the cut');
      const parameters = classicParameters([{ objectName: name, objectType: 'secret' }]);
      node.addClass(name, { parameters });
      node.addClass(`${name}-by-secret`, { parameters: { ...parameters, clientID: '' } });
    }
    // The one worker of a driver before v1.6 would wait many seconds for the login service, which no token needs here.
    running = (line.rotation === 'kubelet' ? ['known', 'known-by-secret'] : ['known-by-secret']).map(pod);
    for (const volume of running) await node.kubelet.mount(volume);
  }, LIMIT_MS);
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo();
  }, LIMIT_MS);

  const pod = (secretProviderClass: string) =>
    node.addPod({
      name: `pod-${pods++}`,
      secretProviderClass,
      withCredentials: secretProviderClass.endsWith('-by-secret'),
    });
  const filesOf = (volume: PodVolume) =>
    Object.fromEntries(Object.entries(node.look(volume).files).map(([path, { contents }]) => [path, `${contents}`]));
  /** Publishes running volumes again, as a kubelet does from driver v1.6 on; a driver before does it by itself. */
  const republish = async () => {
    if (line.rotation === 'kubelet') await Promise.all(running.map((volume) => node.kubelet.publish(volume)));
  };
  const expectHeld = (volumes: readonly PodVolume[], value: string) =>
    expect(volumes.map(filesOf)).toEqual(volumes.map(() => ({ known: value })));

  test('running and new pods get last known values, and fresh ones afterwards', { timeout: LIMIT_MS }, async () => {
    network.cut();
    node.emulator.setSecret(VAULT, 'known', 'after the cut');
    // Nobody waits for this pod, which has no last known value: it tries until the network is back.
    const unknown = pod('unknown-by-secret');
    const started = node.kubelet.mount(unknown);
    await eventually(async () => {
      await republish();
      expect(provider.output('stderr')).toMatch(/"Mounted with last known values".* code=ERR_(TIMEOUT|UNREACHABLE) /);
    });
    const added = pod('known-by-secret');
    expect(await node.kubelet.publish(added)).toBeUndefined();
    expectHeld([...running, added], 'before the cut');
    expect(filesOf(unknown)).toEqual({});
    network.mend();
    await started;
    expect(filesOf(unknown)).toEqual({ unknown: 'before the cut' });
    await eventually(async () => {
      await republish();
      expectHeld(running, 'after the cut');
    });
  });
});
