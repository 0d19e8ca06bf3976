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

/** A running broker, with a client that stays connected. */
export interface RunningBroker {
  readonly broker: Broker;
  /** A client that is logged in with the password. */
  readonly client: MqttClient;
  /** The results, for the summary. */
  readonly results: readonly (readonly [string, string])[];
}

/** Starts a broker from the mounted files, and checks that it accepts and refuses the right clients. */
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
      ['Password', 'the right one accepted, a wrong one refused'],
      ['Client certificate', 'accepted with its chain'],
    ],
  };
}

/** Checks the certificate that the broker presents. Throws: ERR_INTERNAL if it is not the mounted one. */
export function requireShown(client: MqttClient, mounted: X509Certificate | undefined): void {
  if (serverCertificateOf(client).fingerprint256 === mounted?.fingerprint256) return;
  throw new ProviderError('ERR_INTERNAL', 'the broker presents another certificate than the one in tls.crt');
}
