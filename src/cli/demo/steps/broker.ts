/**
 * The broker step of the demo: starts a broker from the mounted files, and `akv-csi watch` beside it; connects clients
 * that the broker must accept, and clients that it must refuse. `run.ts` calls it.
 */

import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import { messageOf, ProviderError } from '../../../base/errors.ts';
import { subjectOf } from '../../../pki/names.ts';
import { startBroker } from '../broker.ts';
import { type Child, startChild } from '../child.ts';
import { connectClient, deliver, serverCertificateOf } from '../client.ts';
import { BROKER_USER } from '../fixtures.ts';
import { findMosquitto, startMosquitto } from '../mosquitto.ts';
import type { DemoSetup, RunningProvider, Volumes } from '../parts.ts';
import type { MosquittoPod } from './pod.ts';

/** A broker with the mounted files. */
interface Broker {
  readonly title: string;
  /** For clients with a password. */
  readonly port: number;
  /** For clients with a certificate. */
  readonly certificatePort: number;
  /** The options by which `akv-csi watch` reaches it. */
  readonly watchOptions: readonly string[];
  /** How they differ from those in the pod. */
  readonly watchNote: string;
}

/** A running broker, with a client that stays connected. */
export interface RunningBroker {
  readonly broker: Broker;
  readonly watch: Child;
  /** A client that is logged in with the password. */
  readonly client: MqttClient;
  /** The results, for the summary. */
  readonly results: readonly (readonly [string, string])[];
}

/** Starts a broker from the mounted files, and checks that it accepts and refuses the right clients. */
export async function runBroker(
  setup: DemoSetup,
  { root }: Pick<RunningProvider, 'root'>,
  { volumes, pod }: { readonly volumes: Volumes; readonly pod: MosquittoPod },
): Promise<RunningBroker> {
  const { screen, context } = setup;
  screen.step('An MQTT broker starts from the mounted files');
  const { listener, bridge } = volumes;
  const broker = await startBrokerOf(setup, pod, volumes);
  const watch = await startWatch(setup, broker, [listener.targetDir, volumes.passwords.targetDir]);

  const trust = { port: broker.port, root: root.toString() };
  const client = await connectClient({ ...trust, ...BROKER_USER });
  context.defer(() => client.endAsync(true));
  requireShown(client, listener.keyPair?.leaf);
  screen.ok(`${BROKER_USER.username} connects with its password, trusting ${subjectOf(root)} only`);
  await deliver(client, client);
  screen.ok('it receives a message that it published');

  const refused = await connectClient({ ...trust, username: BROKER_USER.username, password: 'wrong' }).then(
    async (stranger) => {
      await stranger.endAsync(true);
      throw new ProviderError('ERR_INTERNAL', 'the broker accepted a client with a wrong password');
    },
    messageOf,
  );
  screen.ok(`a wrong password is refused: ${refused}`);

  const [cert, key] = await Promise.all(
    ['client_cert.pem', 'client_key.pem'].map((name) => readFile(join(bridge.targetDir, name))),
  );
  if (cert === undefined || key === undefined) throw new Error('unreachable');
  const bridgeClient = await connectClient({ ...trust, port: broker.certificatePort, cert, key });
  try {
    await deliver(bridgeClient, client);
  } finally {
    await bridgeClient.endAsync(true);
  }
  const bridgeName = bridge.keyPair === undefined ? '' : ` as ${subjectOf(bridge.keyPair.leaf)}`;
  screen.ok(`the bridge connects${bridgeName} with client_cert.pem and client_key.pem, and its message arrives`);
  return {
    broker,
    watch,
    client,
    results: [
      ['Broker', `${broker.title} runs on the mounted certificate and key; message delivered over TLS`],
      ['Password', 'the right one accepted, a wrong one refused'],
      ['Client certificate', 'accepted with its chain'],
    ],
  };
}

/** Starts mosquitto where it is installed, and a broker of this process otherwise. */
async function startBrokerOf(setup: DemoSetup, pod: MosquittoPod, volumes: Volumes): Promise<Broker> {
  const mosquitto = setup.broker === 'aedes' ? undefined : await findMosquitto();
  if (mosquitto !== undefined) {
    const { listener, passwords } = volumes;
    const mounted = [listener, passwords].map(
      ({ rendered, targetDir }) => [pod.paths.get(rendered.name) ?? '', targetDir] as const,
    );
    return runMosquitto(setup, mosquitto, { configuration: pod.configuration, volumes: new Map(mounted) });
  }
  if (setup.broker === 'mosquitto') throw new ProviderError('ERR_USAGE', 'there is no mosquitto on this machine');
  if (setup.broker === undefined)
    setup.screen.note('mosquitto is not installed here: the demo uses its own broker, on aedes');
  return runAedes(setup, volumes);
}

async function runMosquitto(
  { screen, context }: DemoSetup,
  installed: Parameters<typeof startMosquitto>[0],
  pod: Parameters<typeof startMosquitto>[2],
): Promise<Broker> {
  const running = await startMosquitto(installed, context.directory, pod);
  stopAtTheEnd(context, running, 'mosquitto');
  const { path, port, certificatePort } = running;
  screen.ok(
    `mosquitto ${installed.version}, process ${running.process.pid}, on mqtts://localhost:${port}, with the files`,
  );
  screen.line('     of its container: tls.crt, tls.key and ca.crt of the listener, and passwords');
  return {
    title: `mosquitto ${installed.version}`,
    port,
    certificatePort,
    watchOptions: [`--process=${path}`, '--signal=HUP'],
    watchNote: 'in the pod it finds the process by its name; here by its path, so that no other broker gets the signal',
  };
}

async function runAedes({ screen, context }: DemoSetup, { listener, authentication }: Volumes): Promise<Broker> {
  const broker = await startBroker({ tls: listener.targetDir, passwords: authentication.targetDir });
  context.defer(broker.close);
  const { port } = broker;
  const server = createServer((_request, response) => {
    broker.reload().then(
      () => response.writeHead(204).end(),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  context.defer(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload`;
  screen.ok(`broker on mqtts://localhost:${port} with tls.crt, tls.key, ca.crt and passwords.toml`);
  return {
    title: 'aedes',
    port,
    certificatePort: port,
    watchOptions: [`--url=${url}`],
    watchNote: 'in the pod it sends a signal to mosquitto; this broker takes a request',
  };
}

/** Starts the container that watches as a process of this machine. */
async function startWatch(
  { screen, context }: DemoSetup,
  broker: Broker,
  directories: readonly string[],
): Promise<Child> {
  const watch = await startChild({
    title: 'akv-csi watch',
    command: [process.execPath, process.argv[1] ?? '', 'watch', ...directories, ...broker.watchOptions],
    env: { PATH: process.env.PATH },
    ready: /msg=Watching(.|\n)*msg=Watching/,
  });
  stopAtTheEnd(context, watch, 'akv-csi watch');
  screen.ok(`akv-csi watch, process ${watch.process.pid}, beside it: ${broker.watchOptions.join(' ')}`);
  screen.note(broker.watchNote);
  return watch;
}

function stopAtTheEnd(context: DemoSetup['context'], child: Child, title: string): void {
  const died = () => context.fail(new ProviderError('ERR_INTERNAL', `${title} ended; its log:\n${child.logTail()}`));
  child.process.once('exit', died);
  context.defer(async () => {
    child.process.off('exit', died);
    await child.stop();
  });
}

/** Checks the certificate that the broker presents. Throws: ERR_INTERNAL if it is not the mounted one. */
export function requireShown(client: MqttClient, mounted: X509Certificate | undefined): void {
  if (serverCertificateOf(client).fingerprint256 === mounted?.fingerprint256) return;
  throw new ProviderError('ERR_INTERNAL', 'the broker presents another certificate than the one in tls.crt');
}
