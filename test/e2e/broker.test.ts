import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, startBroker } from '../../src/cli/demo/broker.ts';
import { type ClientOptions, connectClient, deliver, serverCertificateOf } from '../../src/cli/demo/client.ts';
import {
  BROKER_USER,
  NODE_PUBLISH_SECRET,
  ROOT_AUTHORITY,
  SERVER_CERTIFICATE,
  VAULT,
} from '../../src/cli/demo/fixtures.ts';
import { exampleVolumes, mountInto, startWorld, type World } from '../support/e2e.ts';

const volumes = exampleVolumes();
let world: World;
let broker: Broker;
let directories: Record<keyof typeof volumes, string>;
let clients: MqttClient[] = [];

beforeAll(async () => {
  world = await startWorld({ serveArgs: ['--cache-ttl=0', '-v=5'] });
  const [listener, authentication, bridge] = await Promise.all(
    [volumes.listener, volumes.authentication, volumes.bridge].map(async ({ name, parameters }) => {
      return (await mountInto(world, name, parameters)).targetDir;
    }),
  );
  if (listener === undefined || authentication === undefined || bridge === undefined) throw new Error('no volumes');
  directories = { listener, authentication, bridge };
  broker = await startBroker({ tls: listener, passwords: authentication });
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  clients = [];
});
afterAll(async () => {
  await broker?.close();
  await world?.close();
});

const root = () => world.emulator.authorityPem(ROOT_AUTHORITY);
const read = (volume: keyof typeof volumes, name: string) => readFileSync(join(directories[volume], name));

/** Connects a client that trusts only the root. `options` override its options. */
async function client(options: Partial<ClientOptions>): Promise<MqttClient> {
  const connected = await connectClient({ port: broker.port, root: root(), ...options });
  clients.push(connected);
  return connected;
}

/** Returns the certificates that a server sends, the leaf first. */
function shownChain(port: number): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: root() }, () => {
      const shown: X509Certificate[] = [];
      for (let step = socket.getPeerX509Certificate(); step !== undefined; step = step.issuerCertificate) {
        shown.push(step);
      }
      socket.destroy();
      resolve(shown);
    });
    socket.once('error', reject);
  });
}

describe('a broker that runs on the mounted files', () => {
  it('shows the mounted certificate with its intermediate to a client that has the root only', async () => {
    const shown = await shownChain(broker.port);
    expect(shown.slice(0, 2).map(({ subject }) => subject)).toEqual([
      'CN=localhost',
      expect.stringContaining('CN=Demo Intermediate CA'),
    ]);
    expect(shown[0]?.fingerprint256).toBe(new X509Certificate(read('listener', 'tls.crt')).fingerprint256);
  });

  it('is not trusted by a client that has another root', async () => {
    await expect(client({ ...BROKER_USER, root: world.emulator.caPem })).rejects.toMatchObject({
      code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    });
  });

  it('lets in the user of the mounted password database, and delivers a message', async () => {
    const user = await client(BROKER_USER);
    await expect(deliver(user, user)).resolves.toBeUndefined();
  });

  it.each([
    ['a wrong password', { username: BROKER_USER.username, password: 'demo-password-2' }],
    ['no password', { username: BROKER_USER.username }],
    ['a user it does not know', { username: 'client2', password: BROKER_USER.password }],
    ['nobody', {}],
  ])('refuses %s', async (_name, credentials) => {
    await expect(client(credentials)).rejects.toMatchObject({ code: 4 });
  });

  it('lets in the bridge by its mounted client certificate, and delivers its message', async () => {
    const bridge = await client({ cert: read('bridge', 'client_cert.pem'), key: read('bridge', 'client_key.pem') });
    await expect(deliver(bridge, await client(BROKER_USER))).resolves.toBeUndefined();
  });

  it('refuses the bridge without its intermediate', async () => {
    const cert = Buffer.from(new X509Certificate(read('bridge', 'client_cert.pem')).toString());
    await expect(client({ cert, key: read('bridge', 'client_key.pem') })).rejects.toMatchObject({ code: 4 });
  });

  it('goes on with a rotated certificate after a remount and a reload', async () => {
    const before = await client(BROKER_USER);
    const old = serverCertificateOf(before).fingerprint256;
    const version = await world.emulator.rotateCertificate(VAULT, SERVER_CERTIFICATE);
    const { name, parameters } = volumes.listener;
    const { changed, sources } = await mountInto(world, name, parameters);
    expect({ changed, versions: sources.map((source) => source?.version) }).toEqual({
      changed: true,
      versions: [version, version, version],
    });
    await broker.reload();
    const after = await client(BROKER_USER);
    expect(serverCertificateOf(after).fingerprint256).not.toBe(old);
    expect(serverCertificateOf(after).fingerprint256).toBe(
      new X509Certificate(read('listener', 'tls.crt')).fingerprint256,
    );
    await expect(deliver(before, after)).resolves.toBeUndefined();
  });

  it('finds no secret in the log of the provider, verbose as it is', () => {
    const log = world.provider.log();
    expect(log).toContain(SERVER_CERTIFICATE);
    const [, hash = 'no hash'] = read('authentication', 'passwords.toml').toString().split('l=64');
    for (const secret of [NODE_PUBLISH_SECRET.clientsecret, hash.slice(0, 40), 'PRIVATE KEY', 'eyJ']) {
      expect(log).not.toContain(secret);
    }
  });

  it('needs no second write of volumes whose objects stayed as they were', async () => {
    const { name, parameters } = volumes.authentication;
    expect((await mountInto(world, name, parameters)).changed).toBe(false);
  });
});
