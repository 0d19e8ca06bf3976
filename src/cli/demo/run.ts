/**
 * Runs the demo in order: the emulator, the provider, `render`, the pod, the mounts, the broker with `watch`, and the
 * rotation. `demo.ts` calls it and cleans up after it.
 */

import { X509Certificate } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ProviderError } from '../../base/errors.ts';
import { connectProvider } from '../../driver/client.ts';
import { type Emulator, startEmulator } from '../../emulator/emulator.ts';
import { formatRemark } from '../../render/remark.ts';
import { render } from '../../render/render.ts';
import { csiVolume, type RenderedVolume } from '../../render/volume.ts';
import { CREDENTIALS_SECRET, RESOURCES, ROOT_AUTHORITY, TENANT, VAULT } from './fixtures.ts';
import { leaveRunning } from './keep-running.ts';
import type { DemoSetup, RunningProvider, ShownVolume, Volumes } from './parts.ts';
import { startProviderProcess } from './provider-process.ts';
import type { Screen } from './screen.ts';
import { type RunningBroker, runBroker } from './steps/broker.ts';
import { fillPod, type MosquittoPod } from './steps/pod.ts';
import { rotate } from './steps/rotation.ts';
import { type MountedVolume, mountVolume, showVolume } from './volumes.ts';

const VERSION_TIMEOUT_MS = 5000;

/** Runs the steps of the demo. Rejects with the error of the step that failed; it stops and removes nothing. */
export async function runSteps(setup: DemoSetup): Promise<void> {
  const startedAt = performance.now();
  const { screen } = setup;
  screen.line('akv-csi demo: from broker resources to a running MQTT broker on this machine');
  const emulator = await startAzure(setup);
  const running = await startProvider(setup, emulator);
  const rendered = renderResources(setup);
  const pod = await fillPod(setup, rendered);
  const volumes = await mountVolumes(setup, running, { rendered, pod });
  const broker = await runBroker(setup, running, { volumes, pod });
  const rotated = await rotate(setup, { ...running, ...broker }, volumes);
  summarize(screen, { volumes, broker, rotated, seconds: (performance.now() - startedAt) / 1000 });
  if (setup.keep) await leaveRunning(setup, { ...running, ...broker }, volumes);
}

async function startAzure({ screen, context, seed }: DemoSetup): Promise<Emulator> {
  screen.step('The emulator of Azure starts on this machine');
  const emulator = await startEmulator({ seed });
  context.defer(() => emulator.close());
  screen.ok(`Key Vault   ${emulator.vaultUrl(VAULT)}`);
  screen.ok(`Entra ID    ${emulator.authorityHost}`);
  screen.note('the Azure SDKs can use it over HTTPS; "akv-csi emulator" runs it alone');
  return emulator;
}

async function startProvider({ screen, context }: DemoSetup, emulator: Emulator): Promise<RunningProvider> {
  screen.step('The provider starts, as on a node');
  const provider = await startProviderProcess({
    program: process.argv[1] ?? '',
    directory: context.directory,
    emulator,
    // Changes in the vault must be visible at once.
    args: ['--cache-ttl=0'],
  });
  const died = () =>
    context.fail(new ProviderError('ERR_INTERNAL', `the provider ended; its log:\n${provider.logTail()}`));
  provider.child.once('exit', died);
  context.defer(async () => {
    provider.child.off('exit', died);
    await provider.stop();
  });
  const driver = connectProvider(provider.endpoint);
  context.defer(() => driver.close());
  const { runtimeName, runtimeVersion, version } = await driver.version({ deadlineMs: VERSION_TIMEOUT_MS });
  screen.ok(`akv-csi serve, process ${provider.child.pid}, on ${provider.endpoint}`);
  screen.ok(`answers the driver's call Version: ${runtimeName} ${runtimeVersion}, contract ${version}`);
  return { emulator, provider, driver, root: new X509Certificate(emulator.authorityPem(ROOT_AUTHORITY)) };
}

function renderResources({ screen }: DemoSetup): readonly RenderedVolume[] {
  screen.step('Broker resources become SecretProviderClasses');
  screen.note(`the keyVault field is copied unchanged, except the placeholder <AKV directory ID>: ${TENANT}`);
  const { volumes, remarks } = render(RESOURCES, { directoryId: TENANT });
  const error = remarks.find(({ severity }) => severity === 'error');
  if (error !== undefined) throw new ProviderError('ERR_BAD_PARAMETERS', formatRemark(error));
  for (const { origin, name, namespace, parameters, volume, files } of volumes) {
    screen.subject(origin);
    screen.ok(`SecretProviderClass ${namespace}/${name}`);
    const siblings = Object.entries(parameters).filter(([key]) => key !== 'keyVault');
    screen.line(`     parameters   ${['keyVault', ...siblings.map(([key, value]) => `${key}: ${value}`)].join(', ')}`);
    screen.line(`     credentials  Secret ${volume.csi.nodePublishSecretRef?.name} (nodePublishSecretRef)`);
    screen.line(`     files        ${files.map(({ path }) => path).join(', ')}`);
  }
  screen.line();
  screen.note('"akv-csi render FILE" prints the manifests for kubectl apply');
  return volumes;
}

async function mountVolumes(
  { screen, context }: DemoSetup,
  { driver, root, emulator }: RunningProvider,
  { rendered, pod }: { readonly rendered: readonly RenderedVolume[]; readonly pod: MosquittoPod },
): Promise<Volumes> {
  screen.step('The driver mounts the volumes');
  const base = join(context.directory, 'volumes');
  await mkdir(base);
  const shown: ShownVolume[] = [];
  for (const volume of rendered) {
    const before = emulator.requests.length;
    const mounted = await mountVolume(driver, volume, join(base, volume.name));
    const requests = emulator.requests.length - before;
    const keyPair = await showVolume(mounted, screen, root);
    screen.note(
      `${requests === 1 ? 'one request' : `${requests} requests`} to Azure as the service principal of Secret ${CREDENTIALS_SECRET}`,
    );
    shown.push({ ...mounted, keyPair });
  }
  const { passwords: byHand } = pod;
  const volume = { ...byHand, volume: csiVolume(byHand.name, CREDENTIALS_SECRET) };
  const passwords = await mountVolume(driver, volume, join(base, byHand.name));
  await showVolume(passwords, screen, root);
  const [listener, authentication, bridge] = shown;
  if (listener === undefined || authentication === undefined || bridge === undefined) {
    throw new ProviderError('ERR_INTERNAL', `expected three volumes, got ${shown.length}`);
  }
  screen.line();
  screen.note('"akv-csi inspect FILE" shows a certificate or a PFX in detail; "akv-csi demo --keep" keeps these files');
  return { listener, authentication, bridge, passwords };
}

interface DemoResult {
  readonly volumes: Volumes;
  readonly broker: RunningBroker;
  readonly rotated: string;
  readonly seconds: number;
}

function summarize(screen: Screen, { volumes, broker, rotated, seconds }: DemoResult): void {
  screen.step('Summary');
  const { passwords, ...ofResources } = volumes;
  const filesOf = ({ published }: MountedVolume) => `mounted: ${published.files.map(({ path }) => path).join(', ')}`;
  const mounted = Object.values(ofResources).map((volume) => [
    volume.rendered.origin.split(',')[0] ?? '',
    filesOf(volume),
  ]);
  const byHand = [`SecretProviderClass ${passwords.rendered.name}`, filesOf(passwords)];
  const rows = [...mounted, byHand, ...broker.results, ['Rotation', rotated]];
  screen.table([['STEP', 'RESULT'], ...rows]);
  screen.line();
  screen.ok(`all steps succeeded in ${seconds.toFixed(1)} s`);
}
