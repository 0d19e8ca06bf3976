// A chart of mosquitto that knows nothing of volumes, installed through the post-renderer, and a client of it.
// node.ci.test.ts uses it.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { connectAsync, type MqttClient } from 'mqtt';
import { BROKER_USER, MOSQUITTO, RESOURCES, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { builtProgram } from '../support/e2e.ts';
import type { Azure } from './azure.ts';
import { BROKER_CRDS } from './broker-crds.ts';
import { PROVIDER_IMAGE } from './images.ts';
import type { Cluster } from './node.ts';

const NAMESPACE = 'azure-iot-operations';
const PORT = 8883;

/** A mosquitto in the cluster. */
export interface Mosquitto {
  /** Connects a client that has the user and password of the example. */
  connect(): Promise<MqttClient>;
  /** Returns the SHA-256 fingerprint of the certificate that a new connection gets, which must be trusted. */
  fingerprint(): Promise<string>;
  /** Returns the log of the container that watches the files. */
  watchLog(): Promise<string>;
}

/** Installs a chart of the broker resources and the mosquitto of examples/ by `helm install --post-renderer`. */
export async function installMosquitto(cluster: Cluster, { emulator, shell }: Azure): Promise<Mosquitto> {
  await cluster.define(BROKER_CRDS);
  const chart = writeChart(cluster.directory);
  const program = join(cluster.directory, 'akv-csi');
  symlinkSync(builtProgram(), program);
  const args = ['render', '--into', `--directory-id=${TENANT}`].map((arg) => `--post-renderer-args=${arg}`);
  await shell(`helm install mosquitto ${chart} --namespace=${NAMESPACE} --post-renderer=${program} ${args.join(' ')}`);
  const inNamespace = `--namespace=${NAMESPACE}`;
  await cluster.kubectl(['rollout', 'status', 'deployment/mosquitto', inNamespace, '--timeout=5m']);
  const jsonPath = '--output=jsonpath={.items[0].status.podIP}';
  const host = await cluster.kubectl(['get', 'pods', '--selector=app=mosquitto', inNamespace, jsonPath]);
  const tls = {
    host,
    port: PORT,
    servername: 'localhost',
    ca: emulator.currentSecret(VAULT, 'my-ca-chain').value.reveal(),
  };
  return {
    connect: () => connectAsync(`mqtts://${host}:${PORT}`, { ...BROKER_USER, ...tls, reconnectPeriod: 0 }),
    fingerprint: async () => (await certificateOf(connectTls(tls))).fingerprint256,
    watchLog: () => cluster.kubectl(['logs', 'deployment/mosquitto', inNamespace, '--container=akv-csi-watch']),
  };
}

/** Writes a chart whose templates are the examples, and returns its directory. */
function writeChart(directory: string): string {
  const chart = join(directory, 'mosquitto');
  mkdirSync(join(chart, 'templates'), { recursive: true });
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: mosquitto\nversion: 0.1.0\n');
  for (const [index, { text }] of [...RESOURCES, MOSQUITTO].entries()) {
    // An image without a tag is pulled whenever a pod starts.
    const tagged = text.replace(/(watch-image: )\S+/, `$1${PROVIDER_IMAGE}`);
    writeFileSync(join(chart, 'templates', `${index}.yaml`), tagged);
  }
  return chart;
}

function certificateOf(socket: TLSSocket): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}
