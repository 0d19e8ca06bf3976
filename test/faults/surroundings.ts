/**
 * Starts what a lane of faults needs: relays before the hosts, an emulator behind them, a name server, and the built provider
 * as a process that knows these hosts only.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { classObject } from '../support/cluster-api.ts';
import { type DnsAnswer, nameServer, resolverFiles, type Zone } from '../support/name-server.ts';
import { tokenKey } from '../support/pki.ts';
import { type Provider, scratch, serve } from '../support/process.ts';
import { type Relay, startRelay, type Upstream } from '../support/relay.ts';
import { authority } from './authority.ts';
import { BYSTANDER, type Call, type Cell, cellOf, parametersOf, seedOf } from './calls.ts';
import type { Fault } from './faults.ts';

type Defer = (undo: () => void | Promise<void>) => void;

/** Starts everything around the Mounts of a lane. `defer` registers what stops it. */
export async function openSurroundings(call: Call, faults: readonly Fault[], defer: Defer): Promise<Surroundings> {
  const directory = scratch(defer);
  const inside = (name: string) => join(directory, name);
  const cells = new Map(faults.map(({ name }, i) => [name, cellsOf(4 * i + 1)]));
  const all = [cellOf(BYSTANDER), ...[...cells.values()].flatMap((three) => Object.values(three))];
  const tls = await authority();
  let emulator: Emulator;
  const azure: Upstream = { kind: 'forward', tls: true, port: () => emulator.port };
  const node: Upstream = { kind: 'forward', tls: false, port: () => Number(new URL(emulator.imdsUrl).port) };
  const api: Upstream = {
    kind: 'answer',
    answer: (request, response) => answerClass(call, all, request.url, response),
  };
  const open = async (upstream: Upstream) => {
    const relay = await startRelay(upstream, upstream === node ? undefined : tls);
    defer(() => relay.close());
    return relay;
  };
  const [vault, login] = [await open(azure), await open(azure)];
  const proxy: Upstream = { ...azure, hostHeader: `login.faults.test:${login.port}` };
  const upstreams = { issuer: azure, proxy, imds: node, nmi: node, api };
  const { host } = call;
  const chosen = host === 'vault' ? vault : host === 'login' ? login : await open(upstreams[host]);
  const issuer = host === 'issuer' ? `https://oidc.localhost:${chosen.port}` : '';
  emulator = await startEmulator({
    seed: seedOf(call, all, issuer),
    tokenKey: tokenKey(),
    hosts: ['*.vault.faults.test', 'login.faults.test'],
  });
  defer(() => emulator.close());
  mkdirSync(inside('account'));
  writeFileSync(inside('ca.pem'), tls.ca + emulator.caPem);
  writeFileSync(inside('account/ca.crt'), tls.ca);
  writeFileSync(inside('account/token'), 'token.of.the~provider');
  writeFileSync(inside('direct.json'), emulator.cloudFile);
  const names: { answer: DnsAnswer } = { answer: ['127.0.0.1'] };
  const isFaulty = (name: string) => name.endsWith(`${host}.faults.test`);
  const find = (_: Zone, name: string) => (isFaulty(name) ? names.answer : ['127.0.0.1']);
  const server = await nameServer(new Proxy<Zone>({}, { get: (zone, name) => find(zone, String(name)) }), {
    ttl: 0,
    defer,
  });
  const { resolvConf } = resolverFiles(directory, [server]);
  const suffix = `vault.faults.test:${vault.port}`;
  const lanes = {
    name: 'AzureStackCloud',
    activeDirectoryEndpoint: `https://login.faults.test:${login.port}/`,
    keyVaultEndpoint: `https://${suffix}/`,
    keyVaultDNSSuffix: suffix,
  };
  writeFileSync(inside('cloud.json'), JSON.stringify(lanes));
  const provider = await serve(inside('azure.sock'), {
    args: [
      '--cloud-name=AzureStackCloud',
      '--cache-ttl=0',
      '--pinned-cache-ttl=0',
      '-v=5',
      ...(host === 'proxy'
        ? [`--token-proxy-url=https://proxy.faults.test:${chosen.port}`, '--sni-name=proxy.faults.test']
        : []),
    ],
    defer,
    env: {
      AZURE_ENVIRONMENT_FILEPATH: inside('cloud.json'),
      SSL_CERT_FILE: inside('ca.pem'),
      NODE_OPTIONS: `--require ${new URL('./node-places.cjs', import.meta.url).pathname}`,
      FAULTS_SERVICE_ACCOUNT_DIR: inside('account'),
      FAULTS_RESOLV_CONF: resolvConf,
      FAULTS_NMI_PORT: String(host === 'nmi' ? chosen.port : 0),
      AZURE_POD_IDENTITY_AUTHORITY_HOST: host === 'imds' ? `http://127.0.0.1:${chosen.port}` : emulator.imdsUrl,
      ...(host === 'api'
        ? { KUBERNETES_SERVICE_HOST: 'api.faults.test', KUBERNETES_SERVICE_PORT: String(chosen.port) }
        : {}),
    },
  });
  const client = connectProvider(`unix://${provider.path}`);
  defer(() => client.close());
  const relays = [vault, login, chosen];
  return { call, cells, directory, emulator, names, relay: chosen, relays, provider, client };
}

/** The Mounts of one fault. */
export interface Cells {
  readonly first: Cell;
  readonly repeat: Cell;
  readonly many: Cell;
  /** Mounts after the fault, when the host answers again. */
  readonly after: Cell;
}

function cellsOf(number: number): Cells {
  return { first: cellOf(number), repeat: cellOf(number + 1), many: cellOf(number + 2), after: cellOf(number + 3) };
}

interface Response {
  writeHead(status: number, headers: Record<string, string>): { end(text: string): unknown };
}

/** Answers a request for the SecretProviderClass of a cell, as an API server does. */
function answerClass(call: Call, cells: readonly Cell[], url: string | undefined, response: Response): void {
  const name = url?.split('/').at(-1) ?? '';
  const cell = cells.find(({ className }) => className === name);
  const body = cell && classObject({ namespace: 'prod', name }, parametersOf(call, cell));
  response
    .writeHead(cell === undefined ? 404 : 200, { 'content-type': 'application/json' })
    .end(JSON.stringify(body ?? { kind: 'Status', code: 404 }));
}

/** Everything around the Mounts of a lane. */
export interface Surroundings {
  readonly call: Call;
  readonly cells: ReadonlyMap<string, Cells>;
  readonly directory: string;
  readonly emulator: Emulator;
  /** The answer for the names of the host of the call. */
  readonly names: { answer: DnsAnswer };
  /** The relay before the host of the call. */
  readonly relay: Relay;
  readonly relays: readonly Relay[];
  readonly provider: Provider;
  readonly client: ProviderClient;
}
