import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectAzure } from '../../src/azure/azure.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { createMount } from '../../src/mount/mount.ts';
import { issue, keyPem } from '../pki/support.ts';
import { requestOf, seedWith, tokensParameter } from './parity-world.ts';

const BOUND = '44444444-4444-4444-4444-444444444444';
const AUDIENCE = 'api://AKSIdentityBinding';
const SUBJECT = 'system:serviceaccount:prod:web';
/** An id of a cluster and the server name that belongs to it. */
const CLUSTER = '696995ccb303450001b31a18';
const SERVER_NAME = 'aeaf29ip1hi5q38ebc3u4daum81u0unk52t5bg50j25234fmuj78g.ests.aks';

let emulator: Emulator;
let directory: string;
let proxy: https.Server;
let url: string;
const seen: { readonly serverName: string; readonly path: string }[] = [];

/** Answers as an API server that hands token requests on to Entra. */
async function startProxy(): Promise<void> {
  const names = ['localhost', `hcp-kubernetes.${CLUSTER}.svc.cluster.local`];
  const { certificate, key } = await issue({ name: 'api-server', dnsNames: names });
  writeFileSync(join(directory, 'cluster-ca.crt'), certificate.toString());
  proxy = https.createServer({ cert: certificate.toString(), key: keyPem(key) }, async (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    seen.push({ serverName: String((request.socket as TLSSocket).servername), path });
    const { port } = emulator;
    const headers = { ...request.headers, host: `login.localhost:${port}` };
    const options = { host: '127.0.0.1', port, path: request.url, method: request.method, headers, ca: emulator.caPem };
    const onward = https.request({ ...options, servername: 'login.localhost' }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.end(await text(request));
  });
  await new Promise<void>((resolve) => proxy.listen(0, resolve));
  url = `https://localhost:${(proxy.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  emulator = await startEmulator({
    seed: seedWith({
      identities: `
      - {name: bound, clientId: "${BOUND}", federated: [{subject: "${SUBJECT}", audience: "${AUDIENCE}"}]}`,
      vault: `
      - {identity: bound, secrets: all}
    secrets: [{name: s, value: v}]`,
    }),
  });
  directory = mkdtempSync(join(tmpdir(), 'akv-binding-'));
  writeFileSync(join(directory, 'ca.pem'), emulator.caPem);
  writeFileSync(join(directory, 'cloud.json'), emulator.cloudFile);
  await startProxy();
});
beforeEach(() => {
  seen.length = 0;
  emulator.requests.clear();
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await emulator.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The provider with a token proxy; the cluster's CA is not where a pod has it. */
function providerWith({ sniName = '', caFile = join(directory, 'cluster-ca.crt') } = {}) {
  const azure = connectAzure({
    userAgent: 'parity',
    trust: { certFile: join(directory, 'ca.pem'), certDir: undefined, extraCaFile: undefined },
    tokenProxy: { url, sniName, caFile },
    cacheTtlMs: 0,
    pinnedCacheTtlMs: 0,
    telemetry: silentTelemetry,
    clock: systemClock,
  });
  const mount = createMount({
    vaults: azure.vaults,
    defaults: {
      cloudName: 'AzureStackCloud',
      cloudFile: join(directory, 'cloud.json'),
      orderChain: true,
      split: false,
      readFile: (path) => readFileSync(path, 'utf8'),
    },
    certificatePolicy: 'warn',
    telemetry: silentTelemetry,
    clock: systemClock,
    log: silentLogger,
  });
  const request = requestOf({
    objects: [{ objectName: 's', objectType: 'secret' }],
    secrets: null,
    parameters: {
      useAzureTokenProxy: 'true',
      clientID: BOUND,
      ...tokensParameter({ [AUDIENCE]: emulator.issueServiceAccountToken({ audience: AUDIENCE, subject: SUBJECT }) }),
    },
  });
  const signal = new AbortController().signal;
  return {
    mount: () => mount(request, { timeoutMs: 20_000, signal }),
    close: azure.close,
  };
}

const tokenRequests = () => seen.filter(({ path }) => path.endsWith('/oauth2/v2.0/token'));

describe('identity binding', () => {
  it('asks the token proxy in place of Entra, under the server name computed from the cluster’s id', async () => {
    const provider = providerWith();
    const { files } = await provider.mount();
    provider.close();
    expect(files.map(({ contents }) => contents.toString())).toEqual(['v']);
    expect(tokenRequests().map(({ serverName }) => serverName)).toEqual([SERVER_NAME]);
  });

  it('sends nothing to the authority by itself', async () => {
    const provider = providerWith();
    await provider.mount();
    provider.close();
    const entra = emulator.requests.filter(({ kind }) => kind === 'entra');
    expect(entra.map(({ path }) => path)).toEqual(seen.map(({ path }) => path));
  });

  it('takes the server name of --sni-name', async () => {
    const provider = providerWith({ sniName: 'chosen.ests.aks' });
    await provider.mount();
    provider.close();
    expect(tokenRequests().map(({ serverName }) => serverName)).toEqual(['chosen.ests.aks']);
  });

  it('says what keeps the token proxy away, and tries again at the next mount', async () => {
    const caFile = join(directory, 'later.crt');
    const provider = providerWith({ caFile });
    const message = expect.stringContaining('proxy transport not available: ');
    await expect(provider.mount()).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION', message });
    writeFileSync(caFile, readFileSync(join(directory, 'cluster-ca.crt')));
    expect((await provider.mount()).files).toHaveLength(1);
    provider.close();
  });
});
