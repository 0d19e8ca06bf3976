/**
 * The examples that the demo uses: the seed of the emulator, the broker resources, and the names in both. All steps of
 * the demo read them.
 */

import authentication from '../../../examples/broker-authentication.yaml?raw';
import listener from '../../../examples/broker-listener.yaml?raw';
import exampleSeed from '../../../examples/emulator-seed.yaml?raw';
import mosquitto from '../../../examples/mosquitto.yaml?raw';
import bridge from '../../../examples/mqtt-bridge-connector.yaml?raw';
import type { Source } from '../../render/find.ts';

/** The state of the emulator that the demo runs on, YAML. */
export const EXAMPLE_SEED = exampleSeed;

/** The broker resources of examples/. */
export const RESOURCES: readonly Source[] = [
  { name: 'examples/broker-listener.yaml', text: listener },
  { name: 'examples/broker-authentication.yaml', text: authentication },
  { name: 'examples/mqtt-bridge-connector.yaml', text: bridge },
];

/** The Deployment of mosquitto, with its passwords and its configuration. */
export const MOSQUITTO: Source = { name: 'examples/mosquitto.yaml', text: mosquitto };

/** Names in the seed and the resources. */
export const TENANT = '11111111-1111-1111-1111-111111111111';
export const VAULT = 'my-key-vault';
export const SERVER_CERTIFICATE = 'my-server-certificate';
export const ROOT_AUTHORITY = 'demo-root';
export const CREDENTIALS_SECRET = 'aio-akv-sp';

/** The contents of the credentials Secret: the seed's service principal, which is public. */
export const NODE_PUBLISH_SECRET = {
  clientid: '22222222-2222-2222-2222-222222222222',
  clientsecret: 'demo-client-secret',
} as const;

/** The one user of the seed's password database. */
export const BROKER_USER = { username: 'client1', password: 'demo-password-1' } as const;
