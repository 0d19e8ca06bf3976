/**
 * The rotation step of the demo: a new certificate version in the vault, a second mount, and `watch`, which makes the
 * broker read its files again.
 * `run.ts` calls it.
 */

import type { X509Certificate } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import { systemClock } from '../../../base/clock.ts';
import { ProviderError } from '../../../base/errors.ts';
import type { Published } from '../../../driver/publish.ts';
import { checkKeyPair, describeKeyPair } from '../certificates.ts';
import { connectClient, deliver, serverCertificateOf } from '../client.ts';
import { BROKER_USER, SERVER_CERTIFICATE, VAULT } from '../fixtures.ts';
import type { DemoSetup, RunningProvider, ShownVolume, Volumes } from '../parts.ts';
import type { Screen } from '../screen.ts';
import { type MountedVolume, mountVolume, shortVersion } from '../volumes.ts';
import { type RunningBroker, requireShown } from './broker.ts';

/** The number of connections that a broker may accept before it has read its files again. */
const MAX_TURNS = 50;

/**
 * Rotates the server certificate in the vault, mounts all volumes again and makes the broker reload. Returns the
 * result, for the summary.
 */
export async function rotate(
  setup: DemoSetup,
  running: RunningProvider & RunningBroker,
  volumes: Volumes,
): Promise<string> {
  const { screen } = setup;
  const { listener, authentication, bridge, passwords } = volumes;
  screen.step('The server certificate is rotated in the vault');
  const version = await running.emulator.rotateCertificate(VAULT, SERVER_CERTIFICATE);
  screen.ok(`"${SERVER_CERTIFICATE}" has a new version, ${shortVersion(version)}`);
  screen.ok('the driver mounts again, as it does at an interval for every running pod');
  const remounted = await remount(running, listener);
  showChanges(screen, listener, remounted);
  for (const other of [authentication, bridge, passwords]) {
    const { changed } = await remount(running, other);
    if (changed) throw new ProviderError('ERR_INTERNAL', `the volume ${other.rendered.name} changed without a reason`);
    screen.line(`  ${other.rendered.name}: nothing changed, not written`);
  }
  const leaf = await showNewCertificate(screen, running, listener);
  await showReload(setup, running, leaf);
  return `${shortVersion(listener.published.sources[0]?.version ?? '')} -> ${shortVersion(version)}, presented by the broker to new connections`;
}

async function remount({ driver }: RunningProvider, { rendered, targetDir }: MountedVolume): Promise<Published> {
  return (await mountVolume(driver, rendered, targetDir)).published;
}

function showChanges(screen: Screen, { rendered, published: old }: ShownVolume, now: Published): void {
  screen.subject(rendered.name);
  const rows = now.files.map(({ path, contents }, i) => {
    const before = old.files.findIndex((file) => file.path === path);
    const same = old.files[before]?.contents.equals(contents) === true;
    const versions = [old.sources[before], now.sources[i]].map((source) => shortVersion(source?.version ?? ''));
    return [path, versions.join(' -> '), same ? 'the same' : 'changed'];
  });
  screen.table([['FILE', 'VERSION', 'CONTENT'], ...rows]);
  const changed = rows.filter(([, , content]) => content === 'changed').map(([path]) => path);
  if (!now.changed || !changed.includes('tls.crt') || !changed.includes('tls.key')) {
    throw new ProviderError('ERR_INTERNAL', 'certificate and key are still the old ones');
  }
}

async function showNewCertificate(
  screen: Screen,
  { root }: RunningProvider,
  { targetDir, keyPair }: ShownVolume,
): Promise<X509Certificate> {
  if (keyPair === undefined) throw new ProviderError('ERR_INTERNAL', 'the listener had no certificate');
  const renewed = await checkKeyPair(targetDir, keyPair.files, { root, now: systemClock.wall() });
  const described = describeKeyPair(renewed);
  screen.line();
  screen.ok(described.key);
  screen.ok(described.chain);
  const column = ({ serialNumber, fingerprint256 }: X509Certificate) => [serialNumber, fingerprint256.slice(0, 29)];
  const [old, now] = [column(keyPair.leaf), column(renewed.leaf)];
  screen.table([
    ['CERTIFICATE', 'SERIAL NUMBER', 'SHA-256 FINGERPRINT'],
    ['old', ...old],
    ['new', ...now],
  ]);
  return renewed.leaf;
}

/** Waits until `watch` has told the broker, and shows its log. */
async function showReload(
  { screen, context }: DemoSetup,
  running: RunningProvider & RunningBroker,
  leaf: X509Certificate,
): Promise<void> {
  const { broker, watch, client, root } = running;
  await watch.logged(/msg="(Signal sent|Request succeeded)".*\n/);
  const lines = watch
    .log()
    .split('\n')
    .filter((line) => /msg="(Files changed|Signal sent|Request succeeded)"/.test(line));
  screen.ok('akv-csi watch has seen the new files, and told the broker once:');
  for (const line of lines) screen.line(`     ${line.replace(/^ts=\S+ level=\S+ /, '')}`);
  const newClient = await renewed(
    () => connectClient({ port: broker.port, root: root.toString(), ...BROKER_USER }),
    leaf,
  );
  context.defer(() => newClient.endAsync(true));
  requireShown(newClient, leaf);
  screen.ok(`a new connection gets the new certificate, ${leaf.serialNumber}`);
  await deliver(client, newClient);
  screen.ok('the earlier connection stays open: its message reaches the new one');
}

/** A process handles a signal in its next turn: a client that was faster connects again. */
async function renewed(connect: () => Promise<MqttClient>, leaf: X509Certificate): Promise<MqttClient> {
  for (let turn = 1; ; turn++) {
    const client = await connect();
    if (turn === MAX_TURNS || serverCertificateOf(client).fingerprint256 === leaf.fingerprint256) return client;
    await client.endAsync(true);
  }
}
