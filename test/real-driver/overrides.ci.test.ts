// Volume attributes under each driver line: what the driver makes of them, and what the provider refuses. The provider runs in
// this process, since it needs an API server of its own: with TLS, a token, and the classes of the driver's.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { createProvider } from '../../src/cli/provider.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { startServer } from '../../src/server/server.ts';
import { freePorts } from '../e2e/mosquitto.ts';
import { type ClusterApi, startClusterApi } from '../support/cluster-api.ts';
import { clearImds, setImds } from '../support/imds.ts';
import { objectsText } from '../support/parity.ts';
import { DRIVERS, realDriverWanted } from './driver.ts';
import { type Node, startNode, WORKLOAD_CLIENT } from './node.ts';
import { eventually } from './wait.ts';

const wanted = realDriverWanted();
const LIMIT_MS = 300_000;

/** The SDK reads the address of IMDS once a process: it stays for both drivers. */
const [imdsPort = 0] = await freePorts(1);

const object = (objectName: string) => objectsText([{ objectName, objectType: 'secret' }]);
const BASE = { keyvaultName: VAULT, tenantID: TENANT, objects: object('shown') };
const OF_POD = { ...BASE, clientID: WORKLOAD_CLIENT };
const OF_NODE = { ...BASE, useVMManagedIdentity: 'true' };

/** Serves on the node's socket, as `serve` does in a pod of the cluster. */
async function serve(node: Node, cluster: ClusterApi): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'akv-overrides-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const env = {
    ...cluster.env,
    SSL_CERT_FILE: file('ca.pem', node.emulator.caPem),
    AZURE_ENVIRONMENT_FILEPATH: file('cloud.json', node.emulator.cloudFile),
  };
  const { serviceAccountDir } = cluster;
  const settings = parseServeFlags(['--cloud-name=AzureStackCloud', '--cache-ttl=0']);
  const surroundings = { env, serviceAccountDir, log: silentLogger, telemetry: silentTelemetry, clock: systemClock };
  const provider = await createProvider(settings, surroundings);
  const server = await startServer({
    endpoint: { kind: 'unix', path: node.providerSocket },
    mount: provider.mount,
    version: '0.0.0',
    log: silentLogger,
    meter: { callStarted() {}, callEnded() {} },
    drainMs: 0,
  });
  return async () => {
    await server.stop();
    await provider.close();
    rmSync(directory, { recursive: true, force: true });
  };
}

describe.skipIf(!wanted).each(DRIVERS)('driver $version, with volume attributes', (line) => {
  let node: Node;
  let cluster: ClusterApi;
  const closers: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    node = await startNode({ line, rotationInterval: '1s', imdsPort });
    closers.push(() => node.close());
    cluster = await startClusterApi((key) => {
      const [namespace = '', name = ''] = key.split('/');
      const found = node.objects.find('secretproviderclasses', namespace, name);
      return (found?.spec as { readonly parameters: Readonly<Record<string, string>> } | undefined)?.parameters;
    });
    closers.push(() => cluster.close());
    setImds(node.emulator.imdsUrl);
    closers.push(await serve(node, cluster));
    node.emulator.setSecret(VAULT, 'shown', 'first');
    node.emulator.setSecret(VAULT, 'hidden', 'secret');
    node.addClass('of-pod', { parameters: OF_POD });
    node.addClass('of-node', { parameters: OF_NODE });
  }, LIMIT_MS);
  afterAll(async () => {
    clearImds();
    for (const close of closers.reverse()) await close();
  }, LIMIT_MS);

  test.each([
    ['of-pod', 'useVMManagedIdentity', 'true'],
    ['of-node', 'objects', object('hidden')],
    ['of-node', 'keyvaultName', 'other-vault'],
  ])(
    'a pod of %s that changes %s is refused, with a final code',
    async (secretProviderClass, name, value) => {
      const attributes = { [name]: value };
      const volume = node.addPod({
        name: `no-${secretProviderClass}-${name.toLowerCase()}`,
        secretProviderClass,
        attributes,
      });
      const failure = await node.kubelet.publish(volume);
      expect(failure?.code).toBe(status.INVALID_ARGUMENT);
      expect(failure?.message).toContain(
        `parameter "${name}" of the pod's volumeAttributes is refused: the request uses the node's own identity`,
      );
      expect(failure?.message).toContain(`set it in SecretProviderClass default/${secretProviderClass}, or start`);
      node.deletePod(volume);
    },
    LIMIT_MS,
  );

  test(
    'a pod that brings its own identity changes what it reads',
    async () => {
      const attributes = { objects: object('hidden') };
      const volume = node.addPod({ name: 'own', secretProviderClass: 'of-pod', attributes });
      await node.kubelet.mount(volume);
      expect(node.textsOf(volume)).toEqual({ hidden: 'secret' });
      await node.kubelet.unmount(volume);
      node.deletePod(volume);
    },
    LIMIT_MS,
  );

  test(
    'a class of the node is mounted and rotated',
    async () => {
      const volume = node.addPod({ name: 'node', secretProviderClass: 'of-node' });
      expect(await node.kubelet.mount(volume)).toEqual([]);
      expect(node.textsOf(volume)).toEqual({ shown: 'first' });
      const asked = cluster.requests.length;
      expect(asked).toBeGreaterThan(0);
      node.emulator.setSecret(VAULT, 'shown', 'second');
      // A driver that rotates by itself names no class: nobody is asked for it, even where nobody could answer.
      cluster.allowed = line.rotation === 'kubelet';
      await eventually(async () => {
        if (line.rotation === 'kubelet') expect(await node.kubelet.publish(volume)).toBeUndefined();
        expect(node.textsOf(volume)).toEqual({ shown: 'second' });
      });
      if (line.rotation === 'driver') expect(cluster.requests).toHaveLength(asked);
      cluster.allowed = true;
      await node.kubelet.unmount(volume);
      node.deletePod(volume);
    },
    LIMIT_MS,
  );
});
