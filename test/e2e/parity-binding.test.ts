import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls, { type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectAzure } from '../../src/azure/azure.ts';
import { findServerName } from '../../src/azure/login/binding-server-name.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { createMount } from '../../src/mount/mount.ts';
import { requestOf, seedWith, tokensParameter } from '../support/parity.ts';
import { type Issued, issue, keyPem } from '../support/pki.ts';
import { freePorts } from './mosquitto.ts';

const BOUND = '44444444-4444-4444-4444-444444444444';
const AUDIENCE = 'api://AKSIdentityBinding';
const SUBJECT = 'system:serviceaccount:prod:web';
/** The id of a cluster and its server name. */
const CLUSTER = '696995ccb303450001b31a18';
const SERVER_NAME = 'aeaf29ip1hi5q38ebc3u4daum81u0unk52t5bg50j25234fmuj78g.ests.aks';

let emulator: Emulator;
let directory: string;
let proxy: https.Server;
let url: string;
const seen: { readonly serverName: string; readonly path: string }[] = [];

/** The CA that signs the certificates of API server and proxy. */
let clusterCa: Issued;
/** A server whose certificate contains the cluster's id. It answers no request. */
let apiServer: tls.Server;
/** Server names in the handshakes of the API server. */
const called: string[] = [];

async function certificateFor(...dnsNames: string[]) {
  const { certificate, key } = await issue({ name: 'server', dnsNames, issuer: clusterCa });
  return { cert: certificate.toString(), key: keyPem(key) };
}

async function startApiServer(): Promise<void> {
  const names = ['kubernetes.default.svc', `hcp-kubernetes.${CLUSTER}.svc.cluster.local`];
  apiServer = tls.createServer({
    ...(await certificateFor(...names)),
    SNICallback(name, done) {
      called.push(name);
      done(null);
    },
  });
  apiServer.on('connection', (socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => apiServer.listen(0, '127.0.0.1', resolve));
}

/** Starts a proxy that forwards token requests to Entra ID. Its certificate does not contain the id of a cluster. */
async function startProxy(): Promise<void> {
  proxy = https.createServer(await certificateFor('localhost'), async (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    seen.push({ serverName: String((request.socket as TLSSocket).servername), path });
    const { port } = emulator;
    const headers = { ...request.headers, host: `login.localhost:${port}` };
    const options = { host: '127.0.0.1', port, path: request.url, method: request.method, headers, ca: emulator.caPem };
    const onward = https.request({ ...options, servername: 'login.localhost' }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(await text(request));
  });
  await new Promise<void>((resolve) => proxy.listen(0, resolve));
  url = `https://localhost:${portOf(proxy)}`;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
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
  clusterCa = await issue({ name: 'cluster-ca', ca: true });
  writeFileSync(join(directory, 'cluster-ca.crt'), clusterCa.certificate.toString());
  await startApiServer();
  await startProxy();
});
beforeEach(() => {
  seen.length = 0;
  called.length = 0;
  emulator.requests.clear();
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  apiServer.close();
  await emulator.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Returns a provider with a token proxy. The CA of the cluster is not at its usual path. */
function providerWith({
  sniName = '',
  caFile = join(directory, 'cluster-ca.crt'),
  apiHost = '127.0.0.1',
  apiPort = String(portOf(apiServer)),
} = {}) {
  const azure = connectAzure({
    userAgent: 'parity',
    trust: [emulator.caPem],
    tokenProxy: { url, sniName, apiServer: { host: apiHost, port: apiPort }, caFile },
    cacheTtlMs: 0,
    pinnedCacheTtlMs: 0,
    maxStaleMs: 0,
    verifyTokensOffline: false,
    telemetry: silentTelemetry,
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
  });
  const mount = createMount({
    vaults: azure.vaults,
    defaults: {
      cloudName: 'AzureStackCloud',
      orderChain: true,
      split: false,
    },
    readCloudFile: async () => ({ name: 'cloud', text: emulator.cloudFile }),
    certificatePolicy: 'warn',
    telemetry: silentTelemetry,
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
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
    mount: (timeoutMs = 20_000) => mount(request, { timeoutMs, signal }),
    close: azure.close,
  };
}

const tokenRequests = () => seen.filter(({ path }) => path.endsWith('/oauth2/v2.0/token'));

describe('identity binding', () => {
  it('asks the token proxy in place of Entra, under the server name computed from the cluster’s id', async () => {
    const provider = providerWith();
    const { files } = await provider.mount();
    await provider.close();
    expect(files.map(({ contents }) => contents.toString())).toEqual(['v']);
    expect(tokenRequests().map(({ serverName }) => serverName)).toEqual([SERVER_NAME]);
    expect(called).toEqual(['kubernetes.default.svc.cluster.local']);
  });

  it('asks the API server once, by its name where it is called by one', async () => {
    const provider = providerWith({ apiHost: 'localhost' });
    await Promise.all([provider.mount(), provider.mount()]);
    await provider.mount();
    await provider.close();
    expect(called).toEqual(['localhost']);
  });

  it('sends nothing to the authority by itself', async () => {
    const provider = providerWith();
    await provider.mount();
    await provider.close();
    const entra = emulator.requests.filter(({ kind }) => kind === 'entra');
    expect(entra.map(({ path }) => path)).toEqual(seen.map(({ path }) => path));
  });

  it('takes the server name of --sni-name', async () => {
    const provider = providerWith({ sniName: 'chosen.ests.aks' });
    await provider.mount();
    await provider.close();
    expect(tokenRequests().map(({ serverName }) => serverName)).toEqual(['chosen.ests.aks']);
    expect(called).toEqual([]);
  });

  it('says why the API server does not tell the cluster’s id', async () => {
    const [closed = 0] = await freePorts(1);
    const rows = [
      {
        apiPort: String(closed),
        code: 'ERR_UNREACHABLE',
        says: `127.0.0.1:${closed} did not give the cluster's id: TCP ECONNREFUSED`,
      },
      {
        apiHost: 'api.invalid',
        code: 'ERR_UNREACHABLE',
        says: `api.invalid:${portOf(apiServer)} did not give the cluster's id: DNS E`,
      },
      {
        apiPort: '70000',
        code: 'ERR_AUTHENTICATION',
        says: '127.0.0.1:70000: KUBERNETES_SERVICE_PORT is not a port number',
      },
      { apiPort: '0x1bb1', code: 'ERR_AUTHENTICATION', says: 'KUBERNETES_SERVICE_PORT is not a port number' },
      // The CA of the cluster signed the proxy's certificate, but the proxy is not an API server.
      {
        apiPort: String(portOf(proxy)),
        code: 'ERR_AUTHENTICATION',
        says: 'does not have a name hcp-kubernetes.<id>.svc.cluster.local',
      },
      {
        apiPort: String(emulator.port),
        code: 'ERR_UNREACHABLE',
        says: `127.0.0.1:${emulator.port} did not give the cluster's id: TLS `,
      },
    ];
    for (const { code, says, ...given } of rows) {
      const provider = providerWith(given);
      const message = expect.stringContaining(says);
      await expect(provider.mount()).rejects.toMatchObject({ code, message });
      await expect(provider.mount()).rejects.toMatchObject({
        message: expect.stringMatching(/proxy transport not available: .*set --sni-name/),
      });
      await provider.close();
    }
    expect(seen).toEqual([]);
  });

  it('does not wait for an API server that says nothing', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const port = String(portOf(silent));
    await expect(
      findServerName({ host: '127.0.0.1', port }, clusterCa.certificate.toString(), { timeoutMs: 50 }),
    ).rejects.toMatchObject({
      code: 'ERR_UNREACHABLE',
      message: expect.stringContaining(
        `127.0.0.1:${port} did not give the cluster's id: TLS TLS_TIMEOUT: no TLS handshake`,
      ),
    });
    silent.close();
  });

  it('calls a token proxy that hangs by its name', async () => {
    emulator.faults.add({ on: 'entra', action: { kind: 'hang' } });
    const provider = providerWith();
    const error = await provider.mount(1_500).catch((thrown: unknown) => thrown);
    emulator.faults.clear();
    await provider.close();
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', details: { phase: 'token-proxy' } });
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /the cluster's token proxy at [^;]*; check the route from the node to the API server/,
      ),
    });
  });

  it('says what keeps the token proxy away, and tries again at the next mount', async () => {
    const caFile = join(directory, 'later.crt');
    const provider = providerWith({ caFile });
    const message = expect.stringContaining('proxy transport not available: ');
    await expect(provider.mount()).rejects.toMatchObject({ code: 'ERR_SETUP', message });
    writeFileSync(caFile, readFileSync(join(directory, 'cluster-ca.crt')));
    expect((await provider.mount()).files).toHaveLength(1);
    await provider.close();
  });
});
