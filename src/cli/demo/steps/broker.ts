/**
 * The broker step of the demo: starts a broker from the mounted files and connects clients that it must accept and
 * clients that it must refuse. `run.ts` calls it.
 */

import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import { messageOf, ProviderError } from '../../../base/errors.ts';
import { subjectOf } from '../../../pki/names.ts';
import { type Broker, startBroker } from '../broker.ts';
import { connectClient, deliver, serverCertificateOf } from '../client.ts';
import { BROKER_USER } from '../fixtures.ts';
import type { DemoSetup, RunningProvider, Volumes } from '../parts.ts';

/** A broker at work, with a client that stays connected. */
export interface RunningBroker {
  readonly broker: Broker;
  /** Logged in with the password. */
  readonly client: MqttClient;
  /** The results, for the summary. */
  readonly results: readonly (readonly [string, string])[];
}

/** Starts a broker from the mounted files, and lets clients in and not in. */
export async function runBroker(
  { screen, context }: DemoSetup,
  { root }: Pick<RunningProvider, 'root'>,
  { listener, authentication, bridge }: Volumes,
): Promise<RunningBroker> {
  screen.step('An MQTT broker starts from the mounted files');
  const broker = await startBroker({ tls: listener.targetDir, passwords: authentication.targetDir });
  context.defer(broker.close);
  const { port } = broker;
  screen.ok(`broker on mqtts://localhost:${port} with tls.crt, tls.key, ca.crt and passwords.toml`);

  const trust = { port, root: root.toString() };
  const client = await connectClient({ ...trust, ...BROKER_USER });
  context.defer(() => client.endAsync(true));
  requireShown(client, listener.keyPair?.leaf);
  screen.ok(`${BROKER_USER.username} connects with its password, trusting ${subjectOf(root)} only`);
  await deliver(client, client);
  screen.ok('a message published by it comes back by its subscription');

  const refused = await connectClient({ ...trust, username: BROKER_USER.username, password: 'wrong' }).then(
    async (stranger) => {
      await stranger.endAsync(true);
      throw new ProviderError('ERR_INTERNAL', 'the broker let in a client with a wrong password');
    },
    messageOf,
  );
  screen.ok(`a wrong password is refused: ${refused}`);

  const [cert, key] = await Promise.all(
    ['client_cert.pem', 'client_key.pem'].map((name) => readFile(join(bridge.targetDir, name))),
  );
  if (cert === undefined || key === undefined) throw new Error('unreachable');
  const bridgeClient = await connectClient({ ...trust, cert, key });
  try {
    await deliver(bridgeClient, client);
  } finally {
    await bridgeClient.endAsync(true);
  }
  const bridgeName = bridge.keyPair === undefined ? '' : ` as ${subjectOf(bridge.keyPair.leaf)}`;
  screen.ok(`the bridge connects${bridgeName} with client_cert.pem and client_key.pem, and its message arrives`);
  return {
    broker,
    client,
    results: [
      ['Broker', 'runs on the mounted certificate and key; message delivered over TLS'],
      ['Password', 'right one accepted, wrong one refused'],
      ['Client certificate', 'accepted with its chain'],
    ],
  };
}

/** Throws: ERR_INTERNAL where the broker shows another certificate than the one that is mounted. */
export function requireShown(client: MqttClient, mounted: X509Certificate | undefined): void {
  if (serverCertificateOf(client).fingerprint256 === mounted?.fingerprint256) return;
  throw new ProviderError('ERR_INTERNAL', 'the broker shows another certificate than the one in tls.crt');
}
