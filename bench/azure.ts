/**
 * Starts and stops the emulator for the benchmark and counts its requests. `provider.ts` calls it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addHostsLines, removeHostsLines } from '../src/emulator/host/hosts-file.ts';
import type { AzureMethods } from './azure-process.ts';
import { type Remote, startHelper } from './ipc.ts';
import { type AzureAddress, STANDARD, seedOf, VAULT, type WorldSize } from './world.ts';

const HOSTS_FILE = '/etc/hosts';
const PUBLIC_NAMES = ['login.microsoftonline.com', '*.vault.azure.net'];

/** Delay of the responses of the vault and of Entra ID, in milliseconds. */
export interface Latency {
  readonly vaultMs: number;
  readonly entraMs: number;
}

/** Numbers of requests that the emulator received. */
export interface Counts {
  /** Requests to the vault that had a token. */
  readonly reads: number;
  /** Requests to the vault without a token. */
  readonly challenges: number;
  readonly tokens: number;
  /** Requests to Entra ID, except token requests. */
  readonly metadata: number;
}

/** The emulator as the benchmark uses it. */
export interface Azure {
  readonly address: AzureAddress;
  /** Host and port of the listener. It serves the names of the public cloud too, to clients that connect to it by address. */
  readonly listener: string;
  readonly latency: Latency;
  readonly remote: Pick<Remote<AzureMethods>, 'clearRequests' | 'requests' | 'addFault' | 'clearFaults'>;
  /** True if clients use the host names of the public cloud. */
  readonly publicNames: boolean;
  readonly cloudFile: string;
  readonly caFile: string;
  counts(): Promise<Counts>;
  stop(): Promise<void>;
}

/**
 * Starts the emulator. With `publicNames` it serves the host names of the public cloud on port 443 and adds them to the
 * machine's hosts file, for providers that cannot resolve `.localhost` names.
 */
export async function startAzure(latency: Latency, publicNames: boolean, size: WorldSize = STANDARD): Promise<Azure> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-azure-'));
  const { remote, stop } = startHelper<AzureMethods>('azure-process');
  const port = publicNames ? 443 : 0;
  const started = await remote.start({ seed: seedOf(size), latency, port, hosts: PUBLIC_NAMES });
  const { caPem } = started;
  const address = publicNames
    ? { caPem, authorityHost: `https://${PUBLIC_NAMES[0]}/`, vaultUrl: `https://${VAULT}.vault.azure.net` }
    : { caPem, authorityHost: started.authorityHost, vaultUrl: started.vaultUrl };
  if (publicNames) addHostsLines(HOSTS_FILE, await remote.hostsLines());
  const file = (name: string, contents: string) => {
    const path = join(directory, name);
    writeFileSync(path, contents);
    return path;
  };
  return {
    address,
    listener: `127.0.0.1:${started.port}`,
    latency,
    remote,
    publicNames,
    cloudFile: file('cloud.json', started.cloudFile),
    caFile: file('ca.pem', caPem),
    async counts() {
      const requests = await remote.requests();
      const vault = requests.filter(({ kind }) => kind === 'vault');
      const entra = requests.filter(({ kind }) => kind === 'entra');
      const tokens = entra.filter(({ method }) => method === 'POST').length;
      const challenges = vault.filter(({ status }) => status === 401).length;
      return { reads: vault.length - challenges, challenges, tokens, metadata: entra.length - tokens };
    },
    async stop() {
      if (publicNames) removeHostsLines(HOSTS_FILE);
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
