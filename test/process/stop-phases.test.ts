// Stops the provider in each phase of a Mount. The Mount must be answered as without a stop, and the process must end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { EC_SEED } from '../support/e2e.ts';
import { issue, keyPem, tokenKey } from '../support/pki.ts';
import { eventually, scratch, serve } from '../support/process.ts';
import { type Asked, cloudOf, mountOne } from '../support/process-hanging.ts';
import { type Relay, type RelayTls, startRelay, type Upstream } from '../support/relay.ts';

const NODE_IDENTITY: Asked = { parameters: { useVMManagedIdentity: 'true' } };

let emulator: Emulator;
let tls: RelayTls;
let ca: string;
beforeAll(async () => {
  emulator = await startEmulator({ seed: EC_SEED, tokenKey: tokenKey() });
  const issuer = await issue({ name: 'relays', ca: true });
  const { certificate, key } = await issue({
    name: 'relay',
    dnsNames: ['login.localhost', '*.vault.localhost'],
    issuer,
  });
  const pem = { cert: certificate.toString(), key: keyPem(key) };
  tls = { right: pem, untrusted: pem, wrongName: pem };
  ca = issuer.certificate.toString();
});
afterAll(() => emulator.close());

type Host = 'login' | 'vault' | 'imds';

/** What makes a Mount wait. */
interface Wait {
  /** Returns true once the Mount waits. */
  begun(): boolean;
  end(): Promise<void> | void;
}

interface Phase {
  readonly host: Host;
  readonly asked?: Asked;
  begin(relay: Relay): Promise<Wait>;
}

/** Holds the requests of a host. */
const held: Phase['begin'] = async (relay) => {
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  relay.arm({ matches: () => true, until });
  return { begun: () => relay.hits() > 0, end: () => release() };
};

/** Answers the first request for a secret with an error after which the provider tries again, and holds the others. */
const refused =
  (status: number, headers: Readonly<Record<string, string>>): Phase['begin'] =>
  async (relay) => {
    let end: Wait['end'] | undefined;
    relay.arm({
      matches: ({ url = '' }) => url.startsWith('/secrets/'),
      async answer({ response }) {
        end = (await held(relay)).end;
        response.writeHead(status, headers).end();
      },
    });
    return { begun: () => end !== undefined, end: () => end?.() };
  };

const PHASES: Readonly<Record<string, Phase>> = {
  'the login service has not answered': { host: 'login', begin: held },
  'the metadata service of the node has not answered': { host: 'imds', asked: NODE_IDENTITY, begin: held },
  'the vault has not answered': { host: 'vault', begin: held },
  'the connection to the vault is not open': {
    host: 'vault',
    async begin(relay) {
      await relay.setMode('silent');
      return { begun: () => relay.hits() > 0, end: () => relay.setMode('up') };
    },
  },
  'the vault asked to wait': { host: 'vault', begin: refused(429, { 'retry-after': '1' }) },
  'the vault failed, and the read is tried again': { host: 'vault', begin: refused(503, {}) },
};

/** Starts a provider that reaches Azure by relays. */
async function start() {
  const azure: Upstream = { kind: 'forward', tls: true, port: () => emulator.port };
  const node: Upstream = { kind: 'forward', tls: false, port: () => Number(new URL(emulator.imdsUrl).port) };
  const relays = {
    login: await startRelay(azure, tls),
    vault: await startRelay(azure, tls),
    imds: await startRelay(node),
  };
  for (const relay of Object.values(relays)) onTestFinished(() => relay.close());
  const directory = scratch();
  const [cloud, caFile] = [join(directory, 'cloud.json'), join(directory, 'ca.pem')];
  const login = `login.localhost:${relays.login.port}`;
  writeFileSync(cloud, cloudOf({ login, vaults: `vault.localhost:${relays.vault.port}` }));
  writeFileSync(caFile, ca);
  const provider = await serve(join(directory, 'a.sock'), {
    args: ['--cloud-name=AzureStackCloud'],
    env: {
      AZURE_ENVIRONMENT_FILEPATH: cloud,
      SSL_CERT_FILE: caFile,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: `http://127.0.0.1:${relays.imds.port}`,
    },
  });
  return { provider, relays };
}

describe('a provider that is stopped answers its Mount, and ends, while', () => {
  it.each(Object.entries(PHASES))('%s', async (_, { host, asked, begin }) => {
    const { provider, relays } = await start();
    const wait = await begin(relays[host]);
    const { failed } = mountOne(provider.path, asked);
    await eventually(wait.begun);
    const ended = provider.stop();
    await provider.until(/ msg=Stopping signal=SIGTERM mountsInFlight=1\n/);
    await wait.end();
    expect(await failed).toBeUndefined();
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(provider.output('stdout')).toMatch(/ msg=Stopped\n$/);
  });
});
