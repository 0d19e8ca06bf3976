// status --fetch of the built program, with the real SDK on an emulator.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { NODE_PUBLISH_SECRET, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { seedOf } from '../support/e2e.ts';
import { tokenKey } from '../support/pki.ts';
import { mounted, spc, useCluster } from './cluster.ts';

const { stub } = useCluster();

it('status --fetch compares the versions of the pods with the vault', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'akv-fetch-'));
  const emulator = await startEmulator({ seed: seedOf(''), tokenKey: tokenKey() });
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  try {
    emulator.setSecret(VAULT, 'db-password', 'hunter2');
    stub().objects.push(
      spc('web', { keyvaultName: VAULT, tenantID: TENANT }),
      spc('gone', { keyvaultName: VAULT, objects: 'array: [{objectName: no, objectType: secret}]' }),
    );
    stub().objects.push(
      mounted('web-0', 'old', '2026-11-29T11:00:00Z'),
      mounted('gone-0', 'old', '2026-11-29T11:00:00Z', 'gone'),
    );
    const credentials = Object.entries(NODE_PUBLISH_SECRET).map(
      ([key, value]) => `--secret-file=${key}=${file(key, value)}`,
    );
    const flags = ['--cloud-name=AzureStackCloud', '--kubeconfig', stub().kubeconfig, '-o', 'json', ...credentials];
    const env = {
      ...process.env,
      AZURE_ENVIRONMENT_FILEPATH: file('cloud.json', emulator.cloudFile),
      SSL_CERT_FILE: file('ca.pem', emulator.caPem),
    };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['dist/kubectl-akv.js', 'status', '--fetch', ...flags],
      { env },
    );
    const { classes, notes } = JSON.parse(stdout);
    const [gone, web] = classes.map(({ pods }: { pods: { objects: object[] }[] }) => pods[0]?.objects[0]);
    expect(gone).toMatchObject({ version: 'old', current: 'old', fetched: false });
    expect(web).toMatchObject({ version: 'old', current: expect.stringMatching(/^[0-9a-f]{32}$/), fetched: true });
    expect(notes).toContainEqual(expect.stringMatching(/^shop\/gone is not read from its vault: .*404/));
    expect(stdout).not.toContain('hunter2');
  } finally {
    await emulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
