import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goPeer } from '../../bench/go-peer.ts';
import type { Running } from '../../bench/implementations.ts';
import { podOf, secrets, seedOf, TENANT, VAULT } from '../../bench/world.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';

const peer = goPeer();

/** The requests of one Mount of the official provider, by the facts that are known of it. */
const ONE_MOUNT = [
  'GET /secrets/secret-0/ 401',
  'GET /common/discovery/instance 200',
  `GET /${TENANT}/v2.0/.well-known/openid-configuration 200`,
  `POST /${TENANT}/oauth2/v2.0/token 200`,
  'GET /secrets/secret-0/ 200',
  'GET /secrets/secret-1/ 200',
  'GET /secrets/secret-2/ 200',
];

describe.skipIf(peer === undefined)('the Go peer of the benchmark', () => {
  const directory = mkdtempSync(join(tmpdir(), 'go-peer-'));
  const caFile = join(directory, 'ca.pem');
  let emulator: Emulator;
  let running: Running | undefined;

  beforeAll(async () => {
    emulator = await startEmulator({ seed: seedOf(), hosts: ['login.microsoftonline.com', '*.vault.azure.net'] });
    writeFileSync(caFile, emulator.caPem);
    const { caPem, authorityHost } = emulator;
    running = await peer?.start({
      address: { caPem, authorityHost, vaultUrl: emulator.vaultUrl(VAULT) },
      listener: `127.0.0.1:${emulator.port}`,
      publicNames: false,
      caFile,
      cloudFile: '',
    });
  });
  afterAll(async () => {
    await running?.stop();
    await emulator.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('logs in for each Mount and reads one object after another', async () => {
    for (const pod of [podOf(0, 0, secrets(3)), podOf(1, 0, secrets(3))]) {
      emulator.requests.clear();
      await running?.mount(pod);
      expect(emulator.requests.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual(ONE_MOUNT);
    }
  });

  test('mounts the volumes of several pods in parallel, each with its own login', async () => {
    emulator.requests.clear();
    await Promise.all([0, 1, 2].map((n) => running?.mount(podOf(n, n, secrets(3)))));
    const requests = emulator.requests.map(({ method, path, status }) => `${method} ${path} ${status}`);
    expect(requests.sort()).toEqual([...ONE_MOUNT, ...ONE_MOUNT, ...ONE_MOUNT].sort());
  });

  test('refuses a Mount whose object does not exist', async () => {
    const pod = podOf(0, 0, [{ name: 'no-such-secret', type: 'secret' }]);
    await expect(running?.mount(pod)).rejects.toThrow(/failed to get secret\/no-such-secret: (.|\n)*RESPONSE 404/);
  });
});
