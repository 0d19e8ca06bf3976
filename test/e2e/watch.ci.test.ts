import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectClient, deliver, serverCertificateOf } from '../../src/cli/demo/client.ts';
import { ROOT_AUTHORITY, SERVER_CERTIFICATE, VAULT } from '../../src/cli/demo/fixtures.ts';
import { builtProgram, exampleVolumes, mountInto, startWorld, type World } from '../support/e2e.ts';
import { start } from '../support/process.ts';
import { findMosquitto, freePorts, mosquittoPath, startMosquitto } from './mosquitto.ts';

const found = findMosquitto();
const { parameters } = exampleVolumes().listener;

describe.skipIf(found === undefined)('akv-csi watch and mosquitto', () => {
  let world: World;
  let port: number;
  let clients: MqttClient[];
  let undo: (() => Promise<void>)[];

  beforeEach(async () => {
    clients = [];
    undo = [];
    world = await startWorld();
    await mount();
    [port = 0] = await freePorts(1);
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    for (const one of undo) await one();
    await world.close();
  });

  const mount = () => mountInto(world, 'tls', parameters);
  const rotate = async () => {
    await world.emulator.rotateCertificate(VAULT, SERVER_CERTIFICATE);
    expect((await mount()).changed).toBe(true);
  };
  const connect = async () => {
    const client = await connectClient({ port, root: world.emulator.authorityPem(ROOT_AUTHORITY) });
    clients.push(client);
    return client;
  };
  const shown = async () => serverCertificateOf(await connect()).fingerprint256;
  const directory = () => join(world.directory, 'tls');
  const broker = async (command?: readonly string[]) => {
    const lines = ['allow_anonymous true', `listener ${port} 127.0.0.1`];
    for (const [option, file] of [
      ['certfile', 'tls.crt'],
      ['keyfile', 'tls.key'],
    ] as const)
      lines.push(`${option} ${join(directory(), file)}`);
    const running = await startMosquitto(world.directory, 'broker', lines, command);
    undo.push(running.stop);
    return running;
  };

  it('as a sidecar, makes it read the new certificate; it goes on with the old one until then', async () => {
    // A name of its own, so that brokers of other tests get no signal.
    const name = `akvm${process.pid}`;
    const program = join(world.directory, name);
    copyFileSync(mosquittoPath(), program);
    const running = await broker([program]);
    const old = await shown();
    const [early] = clients;
    await rotate();
    expect(await shown(), 'nobody has told it yet').toBe(old);

    const watch = start(['watch', directory(), '--process', name, '--initial', '--settle', '0']);
    await running.logged(/Reloading config/);
    const renewed = await shown();
    expect(renewed).not.toBe(old);

    await rotate();
    await running.logged(/Reloading config/, 2);
    expect([old, renewed]).not.toContain(await shown());
    expect(watch.output('stdout').match(/msg="Files changed".* changed="tls.crt tls.key"/g)).toHaveLength(1);
    expect(early?.connected).toBe(true);
    const [, , , last] = clients;
    if (early === undefined || last === undefined) throw new Error('no clients');
    await expect(deliver(early, last), 'over the connection from before').resolves.toBeUndefined();
    expect(running.log().match(/Reloading config/g)).toHaveLength(2);
  });

  it('as a wrapper, does the same, and ends it in order', async () => {
    const running = await broker([
      process.execPath,
      builtProgram(),
      'watch',
      directory(),
      '--settle',
      '0',
      '--',
      'mosquitto',
    ]);
    const old = await shown();
    await rotate();
    await running.logged(/Reloading config/);
    expect(await shown()).not.toBe(old);
    const [early, late] = clients;
    if (early === undefined || late === undefined) throw new Error('no clients');
    await expect(deliver(early, late)).resolves.toBeUndefined();
    await running.stop();
    expect(running.log()).toMatch(/mosquitto version \S+ terminating/);
  });
});
