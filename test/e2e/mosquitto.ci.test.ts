import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import exampleSeed from '../../examples/emulator-seed.yaml?raw';
import { type ClientOptions, connectClient, deliver, serverCertificateOf } from '../../src/cli/demo/client.ts';
import { BROKER_USER, ROOT_AUTHORITY, SERVER_CERTIFICATE, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { exampleVolumes, mountInto, startWorld, type World } from '../support/e2e.ts';
import { findMosquitto, freePorts, type Mosquitto, startMosquitto } from './mosquitto.ts';

const found = findMosquitto();
const BRIDGE_ID = 'edge-bridge';
const volumes = exampleVolumes();
/** The password database in mosquitto's format, as a field of the same form. */
const passwordFile = {
  fileName: 'passwords',
  keyVault: `
vault:
  name: ${VAULT}
  directoryId: ${TENANT}
  credentials: { servicePrincipalLocalSecretName: aio-akv-sp }
vaultSecret: { name: mosquitto-password-file }
`,
};

describe.skipIf(found === undefined)('mosquitto on the mounted files', () => {
  let world: World;
  let broker: Mosquitto;
  let bridge: Mosquitto;
  let ports: { tls: number; mutual: number; edge: number };
  let clients: MqttClient[] = [];

  const path = (volume: string, name: string) => join(world.directory, volume, name);
  const mounted = (volume: string, name: string) => readFileSync(path(volume, name));
  const mount = (name: keyof typeof volumes) => mountInto(world, name, volumes[name].parameters);

  beforeAll(async () => {
    world = await startWorld({ seed: exampleSeed });
    await Promise.all([mount('listener'), mount('bridge'), mountInto(world, 'passwords', passwordFile)]);
    const root = join(world.directory, 'root.pem');
    writeFileSync(root, world.emulator.authorityPem(ROOT_AUTHORITY));
    const [tls = 0, mutual = 0, edge = 0] = await freePorts(3);
    ports = { tls, mutual, edge };
    const server = [`certfile ${path('listener', 'tls.crt')}`, `keyfile ${path('listener', 'tls.key')}`];
    broker = await startMosquitto(world.directory, 'broker', [
      'allow_anonymous false',
      `password_file ${path('passwords', 'passwords')}`,
      `listener ${tls} 127.0.0.1`,
      ...server,
      `listener ${mutual} 127.0.0.1`,
      ...server,
      `cafile ${path('listener', 'ca.crt')}`,
      'require_certificate true',
      'use_identity_as_username true',
    ]);
    bridge = await startMosquitto(world.directory, 'bridge', [
      'allow_anonymous true',
      `listener ${edge} 127.0.0.1`,
      'connection cloud',
      `address localhost:${mutual}`,
      `remote_clientid ${BRIDGE_ID}`,
      'restart_timeout 1',
      'cleansession true',
      'topic # both 1',
      `bridge_cafile ${root}`,
      `bridge_certfile ${path('bridge', 'client_cert.pem')}`,
      `bridge_keyfile ${path('bridge', 'client_key.pem')}`,
    ]);
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    clients = [];
  });
  afterAll(async () => {
    await bridge?.stop();
    await broker?.stop();
    await world?.close();
  });

  const keep = (client: MqttClient) => {
    clients.push(client);
    return client;
  };
  /** Connects a client that trusts only the root. */
  const user = async (options: Partial<ClientOptions> = BROKER_USER) => {
    const root = world.emulator.authorityPem(ROOT_AUTHORITY);
    return keep(await connectClient({ port: ports.tls, root, ...options }));
  };
  /** Connects a client with the bridge's certificate. */
  const mutualUser = async (options: IClientOptions) => {
    const [cert, key] = [mounted('bridge', 'client_cert.pem'), mounted('bridge', 'client_key.pem')];
    const ca = world.emulator.authorityPem(ROOT_AUTHORITY);
    const settings = { servername: 'localhost', ca, cert, key, reconnectPeriod: 0, ...options };
    return keep(await connectAsync(`mqtts://127.0.0.1:${ports.mutual}`, settings, false));
  };
  /** Resolves when the bridge, named in its certificate, has connected for the n-th time and has subscribed. */
  const bridged = async (times: number, name: string) => {
    await broker.logged(new RegExp(`New bridge connected .* as ${BRIDGE_ID} .*u'${name}'`));
    await broker.logged(new RegExp(`: ${BRIDGE_ID} 1 #`), times);
  };
  /** Adds versions of the server's and the bridge's certificates. The bridge also gets another name. */
  const rotateBoth = async () => {
    const { emulator } = world;
    await emulator.rotateCertificate(VAULT, SERVER_CERTIFICATE);
    const fields = { issuer: 'demo-intermediate', subject: 'CN=bridge-2', key: { kty: 'RSA' } } as const;
    await emulator.createCertificate(VAULT, 'next', { ...fields, contentType: 'application/x-pem-file' });
    const pem = emulator.currentSecret(VAULT, 'next').value.reveal();
    emulator.setSecret(VAULT, 'my-remote-broker-certificate', pem);
  };
  /** Connects a client behind the bridge. */
  const edgeUser = async () =>
    keep(await connectAsync(`mqtt://127.0.0.1:${ports.edge}`, { reconnectPeriod: 0 }, false));

  it('accepts a client that trusts the root only, with the password of the mounted file', async () => {
    const client = await user();
    expect(serverCertificateOf(client).fingerprint256).toBe(
      new X509Certificate(mounted('listener', 'tls.crt')).fingerprint256,
    );
    await expect(deliver(client, client)).resolves.toBeUndefined();
  });

  it('shows its certificate with the intermediate, so that another root is not enough', async () => {
    const root = world.emulator.caPem;
    await expect(user({ ...BROKER_USER, root })).rejects.toMatchObject({ code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' });
  });

  it.each([
    ['a wrong password', { ...BROKER_USER, password: 'demo-password-2' }],
    ['a user who is not in the file', { ...BROKER_USER, username: 'client2' }],
    ['nobody', {}],
  ])('refuses %s', async (_name, credentials) => {
    await expect(user(credentials)).rejects.toMatchObject({ code: 5 });
  });

  it('is reached by the bridge of another mosquitto over mutual TLS, messages going both ways', async () => {
    await bridged(1, 'bridge');
    const [near, far] = [await user(), await edgeUser()];
    await expect(deliver(near, far)).resolves.toBeUndefined();
    await expect(deliver(far, near)).resolves.toBeUndefined();
  });

  it('refuses a bridge that leaves its intermediate out', async () => {
    const cert = Buffer.from(new X509Certificate(mounted('bridge', 'client_cert.pem')).toString());
    await expect(mutualUser({ cert })).rejects.toThrow();
    await broker.logged(/unable to get local issuer certificate|certificate verify failed|unknown ca/i);
  });

  it('goes on after a rotation in the vault, a remount and a reload of both', async () => {
    const [near, far] = [await user(), await edgeUser()];
    const old = serverCertificateOf(near).fingerprint256;
    await rotateBoth();
    expect((await mount('listener')).changed).toBe(true);
    expect((await mount('bridge')).changed).toBe(true);
    await Promise.all([broker.reload(), bridge.reload()]);

    await expect(deliver(near, far), 'over the connections from before').resolves.toBeUndefined();
    const renewed = await user();
    expect(serverCertificateOf(renewed).fingerprint256).not.toBe(old);
    expect(serverCertificateOf(renewed).fingerprint256).toBe(
      new X509Certificate(mounted('listener', 'tls.crt')).fingerprint256,
    );

    // A bridge reads its certificate when it connects. It reconnects because another client takes its client id.
    await (await mutualUser({ clientId: BRIDGE_ID })).endAsync(true);
    await bridged(2, 'bridge-2');
    await expect(deliver(renewed, far)).resolves.toBeUndefined();
    await expect(deliver(far, renewed)).resolves.toBeUndefined();
  });
});
