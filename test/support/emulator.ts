/**
 * An emulator and HTTPS requests to it, for tests of the emulator.
 */
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { ClientSecretCredential, type TokenCredential } from '@azure/identity';
import { CertificateClient } from '@azure/keyvault-certificates';
import { KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/emulator.ts';
import { tokenKey } from './pki.ts';

export const TENANT = '11111111-1111-1111-1111-111111111111';
export const OTHER_TENANT = '99999999-9999-9999-9999-999999999999';
export const CLIENT = '22222222-2222-2222-2222-222222222222';
export const CLIENT_SECRET = 'first-client-secret';
export const VAULT = 'test-vault';

/**
 * Returns the YAML of a seed: one tenant with one client that may do everything in one vault, and the additions of the
 * test.
 */
export function seedWith(vault: string, rest = ''): string {
  return `
tenants:
  - id: "${TENANT}"
    names: [contoso.onmicrosoft.com]
    identities:
      - name: app
        clientId: "${CLIENT}"
        secrets: [{value: ${CLIENT_SECRET}}]
${rest}
vaults:
  - name: ${VAULT}
    tenant: "${TENANT}"
    grants:
      - {identity: app, secrets: all, keys: all, certificates: all}
${vault}
`;
}

/** An emulator with everything that a test needs to call it. */
export interface Lab {
  readonly emulator: Emulator;
  readonly agent: https.Agent;
  /** A client secret credential of the client in the seed. */
  readonly credential: TokenCredential;
  readonly secrets: SecretClient;
  readonly keys: KeyClient;
  readonly certificates: CertificateClient;
  close(): Promise<void>;
}

const toLoopback: LookupFunction = (_host, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

/** Returns options for clients of the Azure SDK. They trust the emulator's CA and resolve its names. */
export function sdkOptions(agent: https.Agent) {
  return { agent, retryOptions: { maxRetries: 0 } };
}

export function identityOptions({ emulator, agent }: Pick<Lab, 'emulator' | 'agent'>) {
  return { ...sdkOptions(agent), authorityHost: emulator.authorityHost, disableInstanceDiscovery: true };
}

/** Returns an agent for requests to an emulator: it trusts the emulator's CA, and resolves its names. */
export function agentOf(emulator: Pick<Emulator, 'caPem'>): https.Agent {
  return new https.Agent({ ca: emulator.caPem, lookup: toLoopback, keepAlive: true });
}

export async function openLab(seed: string, options: Partial<EmulatorOptions> = {}): Promise<Lab> {
  const emulator = await startEmulator({ seed, tokenKey: tokenKey(), ...options });
  const agent = agentOf(emulator);
  const credential = new ClientSecretCredential(TENANT, CLIENT, CLIENT_SECRET, identityOptions({ emulator, agent }));
  const url = emulator.vaultUrl(VAULT);
  return {
    emulator,
    agent,
    credential,
    secrets: new SecretClient(url, credential, sdkOptions(agent)),
    keys: new KeyClient(url, credential, sdkOptions(agent)),
    certificates: new CertificateClient(url, credential, sdkOptions(agent)),
    close: async () => {
      agent.destroy();
      await emulator.close();
    },
  };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly json: any;
}

/** Sends one HTTPS request without an SDK. */
export function raw(
  lab: Pick<Lab, 'agent'>,
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const request = https.request(url, { agent: lab.agent, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Sends a POST with a form to the token endpoint of a tenant. */
export function requestToken(
  lab: Pick<Lab, 'agent' | 'emulator'>,
  form: Record<string, string>,
  tenant = TENANT,
): Promise<RawAnswer> {
  return raw(lab, `${lab.emulator.authorityHost}${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

/** Returns an access token for the emulator's vaults. */
export async function vaultToken(
  lab: Lab,
  scope = `https://vault.localhost:${lab.emulator.port}/.default`,
): Promise<string> {
  const answer = await requestToken(lab, {
    grant_type: 'client_credentials',
    client_id: CLIENT,
    client_secret: CLIENT_SECRET,
    scope,
  });
  return answer.json.access_token;
}

/** Sends a GET with a token to the vault. `path` contains the query. */
export async function vaultGet(lab: Lab, path: string, token?: string): Promise<RawAnswer> {
  const authorization = token ?? (await vaultToken(lab));
  return raw(lab, `${lab.emulator.vaultUrl(VAULT)}${path}`, {
    headers: authorization === '' ? {} : { authorization: `Bearer ${authorization}` },
  });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
