import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ProviderProcess, startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { type Published, publish } from '../../src/driver/publish.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { builtProgram, CREDENTIALS, EC_SEED, exampleVolumes, POD } from '../support/e2e.ts';
import { tokenKey } from '../support/pki.ts';

const PUBLIC_HOSTS = ['login.microsoftonline.com', '*.vault.azure.net'];

let emulator: Emulator;
let proxy: http.Server;
let directory: string;
let provider: ProviderProcess | undefined;
/** The hosts that the proxy was asked to connect to. */
const asked: string[] = [];

beforeAll(async () => {
  emulator = await startEmulator({ seed: EC_SEED, tokenKey: tokenKey(), hosts: PUBLIC_HOSTS });
  proxy = http.createServer();
  // The proxy connects every name to the emulator.
  proxy.on('connect', (request, client) => {
    asked.push(request.url ?? '');
    const upstream = connect(emulator.port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => proxy.close(resolve));
  await emulator.close();
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-out-'));
  asked.length = 0;
  emulator.requests.clear();
});
afterEach(async () => {
  await provider?.stop();
  provider = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Mounts the password database of the example with a provider that has this environment. */
async function mountWith(env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Published> {
  provider = await startProviderProcess({ program: builtProgram(), directory, emulator, args, env });
  const client = connectProvider(provider.endpoint);
  const { parameters } = exampleVolumes().authentication;
  try {
    return await publish(client, {
      parameters,
      pod: POD,
      nodePublishSecret: CREDENTIALS,
      targetDir: join(directory, 'volume'),
    });
  } finally {
    client.close();
  }
}

describe('requests to Azure', () => {
  it('of the public cloud go through the proxy of the environment', async () => {
    const { port } = proxy.address() as AddressInfo;
    const { files } = await mountWith({ HTTPS_PROXY: `http://127.0.0.1:${port}` }, ['--cloud-name=AzurePublicCloud']);
    expect(files.map(({ path }) => path)).toEqual(['passwords.toml']);
    expect(new Set(asked)).toEqual(new Set(['login.microsoftonline.com:443', 'my-key-vault.vault.azure.net:443']));
  });

  it('on this machine never do', async () => {
    const { port } = proxy.address() as AddressInfo;
    await mountWith({ HTTPS_PROXY: `http://127.0.0.1:${port}`, HTTP_PROXY: `http://127.0.0.1:${port}` });
    expect(asked).toEqual([]);
  });

  it('all carry the user agent of the provider and the text of --custom-user-agent', async () => {
    await mountWith({}, ['--custom-user-agent', 'team-a/1']);
    const agents = emulator.requests.map(({ userAgent }) => userAgent);
    expect(agents.length).toBeGreaterThan(1);
    for (const agent of agents) expect(agent).toMatch(/^csi-secrets-store\/\d\S* \(linux\/\w+\) team-a\/1/);
  });
});

describe('certificates of Azure', () => {
  it('are trusted by a CA in a directory of SSL_CERT_DIR', async () => {
    const certificates = join(directory, 'certificates');
    mkdirSync(certificates);
    writeFileSync(join(certificates, 'corporate.crt'), emulator.caPem);
    const { files } = await mountWith({ SSL_CERT_FILE: '', SSL_CERT_DIR: `/nowhere:${certificates}` });
    expect(files).toHaveLength(1);
  });

  it('are trusted by a CA in NODE_EXTRA_CA_CERTS', async () => {
    const file = join(directory, 'extra.pem');
    writeFileSync(file, emulator.caPem);
    const { files } = await mountWith({ SSL_CERT_FILE: '', NODE_EXTRA_CA_CERTS: file });
    expect(files).toHaveLength(1);
  });

  it('are refused without, in words that name the layer and the remedy', async () => {
    await expect(mountWith({ SSL_CERT_FILE: '' })).rejects.toThrow(/TLS failed, \w+: .*not trusted.*SSL_CERT_FILE/);
  });
});
