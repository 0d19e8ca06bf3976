/** A server that accepts connections and never answers, and Mounts that wait for it. */
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { NODE_PUBLISH_SECRET, TENANT } from '../../src/cli/demo/fixtures.ts';
import { call, grpcClient } from './server.ts';

/** Starts a server that never answers. Also returns the cloud file of a provider that can reach no other Azure. */
export async function silentServer(directory: string, { defer = onTestFinished } = {}) {
  const sockets = new Set<Socket>();
  let connected = () => {};
  const reached = new Promise<void>((resolve) => {
    connected = resolve;
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    connected();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cloudFile = join(directory, 'silent-cloud.json');
  writeFileSync(
    cloudFile,
    cloudOf({ login: `login.localhost:${address.port}`, vaults: `vault.localhost:${address.port}` }),
  );
  return { port: address.port, cloudFile, reached };
}

/** Returns a custom cloud environment file. */
export function cloudOf({ login, vaults }: { readonly login: string; readonly vaults: string }): string {
  return JSON.stringify({
    name: 'AzureStackCloud',
    activeDirectoryEndpoint: `https://${login}/`,
    keyVaultEndpoint: `https://${vaults}/`,
    keyVaultDNSSuffix: vaults,
  });
}

/** The failure of a Mount. */
export interface Failure {
  readonly code: number;
  readonly details: string;
}

/** Additional parameters of the SecretProviderClass and keys of the node-publish secret. */
export interface Asked {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Calls `Mount` for one secret. `failed` resolves with the failure, or with undefined if there is none. */
export function mountOne(path: string, { parameters = {}, secrets = {} }: Asked = {}) {
  const client = grpcClient(`unix:${path}`, { 'grpc.default_authority': 'localhost' });
  const attributes = {
    'csi.storage.k8s.io/pod.name': 'p',
    'csi.storage.k8s.io/pod.namespace': 'n',
    keyvaultName: 'my-key-vault',
    tenantID: TENANT,
    objects: 'array:\n  - {objectName: my-username-password-db, objectType: secret}',
    ...parameters,
  };
  const request = {
    attributes: JSON.stringify(attributes),
    secrets: JSON.stringify({ ...NODE_PUBLISH_SECRET, ...secrets }),
    permission: '420',
    targetPath: '/x',
  };
  let cancel = () => {};
  const started = (running: { cancel(): void }) => {
    cancel = () => running.cancel();
  };
  const failed = call(client, 'Mount', request, { started }).then(
    () => undefined,
    ({ code, details }: Failure) => ({ code, details }),
  );
  return { failed, cancel: () => cancel() };
}
