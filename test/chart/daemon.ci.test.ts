import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { container, findHelm, type Tree } from './helm.ts';
import { officialValues } from './official-values.ts';

const helm = findHelm();
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** Every value of the chart that becomes an argument. */
const everyFlag: Tree = {
  logFormatJSON: true,
  logVerbosity: 5,
  constructPEMChain: false,
  writeCertAndKeyInSeparateFiles: true,
  cloudName: 'AzureUSGovernmentCloud',
  tokenProxyURL: 'https://token-proxy.example',
  sniName: 'a.ests.aks',
  certificatePolicy: 'enforce',
  metricsObjectNames: 'false',
  cloudFileDir: '/etc/clouds',
  identityModes: ['managed-identity', 'workload-identity'],
  allowVolumeAttributes: ['objects', 'keyvaultName'],
  serviceAccountLookup: true,
  cacheTTL: '10s',
  pinnedCacheTTL: '5m',
  maxStale: '2h',
  verifyTokensOffline: false,
  linux: { customUserAgent: 'team a' },
};

const official: Tree = { ...officialValues, linux: { ...(officialValues.linux as Tree), image: { tag: 'a' } } };

let directory: string;
let daemon: ChildProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-daemon-'));
});
afterEach(async () => {
  if (daemon?.exitCode === null && daemon.kill('SIGKILL')) await once(daemon, 'exit');
  daemon = undefined;
  rmSync(directory, { recursive: true });
});

/** Returns two free ports. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer().listen(0), createServer().listen(0)] as const;
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const [first, second] = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  if (first === undefined || second === undefined) throw new Error('no port');
  return [first, second];
}

/**
 * Starts the built program with the arguments of the container. Its paths and ports are replaced by those of this
 * machine.
 */
async function start(values: Tree): Promise<{ readonly health: string; readonly socket: string; log(): string }> {
  const [healthPort, metricsPort] = await freePorts();
  const { args } = container(values);
  const socket = join(directory, 'azure.sock');
  const moved: Readonly<Record<string, string>> = {
    '--endpoint': `unix://${socket}`,
    '--healthz-port': String(healthPort),
    '--prometheus-port': String(metricsPort),
  };
  const here = args.map((arg) => {
    const name = arg.split('=', 1)[0] ?? '';
    return name in moved ? `${name}=${moved[name]}` : arg;
  });
  daemon = spawn(process.execPath, [program, 'serve', ...here], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [daemon.stdout, daemon.stderr]) stream?.on('data', (chunk) => lines.push(String(chunk)));
  const path = args.find((arg) => arg.startsWith('--healthz-path='))?.split('=')[1];
  return { health: `http://127.0.0.1:${healthPort}${path}`, socket, log: () => lines.join('') };
}

/**
 * Returns the response of the health endpoint. Repeats the request until it is answered, as the kubelet's startup probe
 * does.
 */
async function probe(url: string, log: () => string): Promise<{ readonly status: number; readonly body: string }> {
  for (;;) {
    if (daemon?.exitCode !== null) throw new Error(`the daemon stopped: ${log()}`);
    try {
      const answer = await fetch(url);
      if (answer.ok) return { status: answer.status, body: await answer.text() };
    } catch {
      // The program does not listen yet.
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

describe.skipIf(helm === undefined)('daemon, started with the arguments of the chart', () => {
  test.each<[string, Tree]>([
    ['its default values', {}],
    ['every value that becomes an argument', everyFlag],
    ['the values file of the official chart and an image of ours', official],
  ])('serves and stops with %s', async (_name, values) => {
    const { health, socket, log } = await start(values);
    expect(await probe(health, log)).toEqual({ status: 200, body: 'ok' });
    expect(existsSync(socket)).toBe(true);
    daemon?.kill('SIGTERM');
    expect(await once(daemon as ChildProcess, 'exit')).toEqual([0, null]);
    expect(existsSync(socket)).toBe(false);
  });
});
