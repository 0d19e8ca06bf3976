import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { publish } from '../../src/driver/publish.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { distDirectory, POD } from '../support/e2e.ts';
import { CLIENT, CLIENT_SECRET, seedWith, TENANT, VAULT } from '../support/emulator.ts';
import { tokenKey } from '../support/pki.ts';
import { scratch } from '../support/process.ts';

const SEED = `
    secrets: [{name: password, value: secret}]
    keys: [{name: signer, kty: EC}]
    certificates: [{name: server, issuer: root, subject: CN=server, key: {kty: EC}}]`;
const AUTHORITY = 'authorities: [{name: root, subject: CN=Root, key: {kty: EC}}]';

test('a provider whose program files are gone loads what it needs later: Mounts, metrics, keys and certificates', async () => {
  const directory = scratch();
  const dist = join(directory, 'dist');
  cpSync(distDirectory, dist, { recursive: true });
  const emulator = await startEmulator({ seed: seedWith(SEED, AUTHORITY), tokenKey: tokenKey() });
  onTestFinished(() => emulator.close());
  const provider = await startProviderProcess({ program: join(dist, 'main.js'), directory, emulator });
  onTestFinished(async () => {
    await provider.stop();
  });
  const client = connectProvider(provider.endpoint);
  onTestFinished(() => client.close());

  // As an update of the npm package does it.
  rmSync(dist, { recursive: true });

  const mount = async (objectType: string, objectName: string) => {
    const { files } = await publish(client, {
      parameters: {
        keyvaultName: VAULT,
        tenantID: TENANT,
        objects: `[{objectName: ${objectName}, objectType: ${objectType}}]`,
      },
      volumeAttributes: { secretProviderClass: objectType },
      pod: POD,
      nodePublishSecret: { clientid: new Secret(CLIENT), clientsecret: new Secret(CLIENT_SECRET) },
      targetDir: join(directory, objectType),
    });
    return files;
  };
  expect(await mount('secret', 'password')).toHaveLength(1);
  expect(await mount('key', 'signer')).toHaveLength(1);
  expect(await mount('cert', 'server')).toHaveLength(1);
  const [, metricsPort] = /metricsPort=(\d+)/.exec(provider.log()) ?? [];
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toMatch(/^akv_csi_mounts_in_flight 0$/m);
  expect(provider.log()).not.toMatch(/ENOENT|Defect|Cannot count/);
});
