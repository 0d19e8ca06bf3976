import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createMount } from '../../src/mount/mount.ts';
import { type Lab, READER, SUBJECT, startLab, TENANT, WORKLOAD } from '../support/azure.ts';
import { type KeptLog, keptLog } from '../support/mount.ts';
import { issue, keyPem } from '../support/pki.ts';

const CLIENT_SECRET = 'Pr1ncipal~Secret+/&"<>ü%';
const CERTIFICATE_PASSWORD = 'the password of a PFX';
const PROXY_PASSWORD = 'pa$$ of the proxy';
/** Not a JWT, so that only its origin shows that it is a secret. */
const BEARER = 'opaque.bearer/token+of=Entra-0123456789';
const GIVEN_AWAY = [CLIENT_SECRET, CERTIFICATE_PASSWORD, PROXY_PASSWORD];

/** Returns all texts of a request, in all encodings, and texts that a server may know from elsewhere. */
function echoOf(headers: NodeJS.Dict<string | string[]>, body: string): string {
  const form = new URLSearchParams(body);
  const fields = ['client_secret', 'client_assertion'].flatMap((name) => form.getAll(name));
  // The most important texts come first, because the provider shortens long texts.
  const sent = [...fields, String(headers.authorization ?? ''), ...GIVEN_AWAY, body].filter((one) => one !== '');
  const forms = sent.flatMap((one) => [
    one,
    encodeURIComponent(one),
    Buffer.from(one).toString('base64'),
    Buffer.from(`x${one}`).toString('base64url'),
  ]);
  return forms.join(' | ');
}

let lab: Lab;
let log: KeptLog;
let login: https.Server;
let vault: https.Server;
let refusesLogins = false;
/** The texts that servers have sent back. */
let echoed: string[] = [];

type Reply = { readonly status: number; readonly body: unknown };

async function serve(name: string, reply: (request: { url: string; echo: string; host: string }) => Reply) {
  const { certificate, key } = await issue({ name });
  const server = https.createServer({ cert: certificate.toString(), key: keyPem(key) }, async (request, response) => {
    const echo = echoOf(request.headers, await text(request));
    echoed.push(echo);
    const { status, body } = reply({ url: request.url ?? '', echo, host: request.headers.host ?? '' });
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-ms-request-id': echo.split(' | ')[1] ?? '',
    });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, pem: certificate.toString(), port: (server.address() as AddressInfo).port };
}

beforeAll(async () => {
  const entra = await serve('login.localhost', ({ url, echo, host }) => {
    const base = `https://${host}/${TENANT}`;
    if (url.includes('openid-configuration')) {
      const endpoints = { token_endpoint: `${base}/token`, authorization_endpoint: `${base}/authorize` };
      return {
        status: 200,
        body: { issuer: `${base}/v2.0`, ...endpoints, end_session_endpoint: base, jwks_uri: base },
      };
    }
    if (refusesLogins) return { status: 401, body: { error: 'invalid_client', error_description: `AADSTS1: ${echo}` } };
    return { status: 200, body: { token_type: 'Bearer', access_token: BEARER, expires_in: 3600 } };
  });
  const keyVault = await serve('echo.vault.localhost', ({ echo }) => ({
    status: 403,
    body: { error: { code: `Forbidden`, message: echo, innererror: { code: 'ForbiddenByRbac' } } },
  }));
  login = entra.server;
  vault = keyVault.server;
  lab = await startLab({ trust: entra.pem + keyVault.pem });
  const cloud = {
    name: 'AzureStackCloud',
    activeDirectoryEndpoint: `https://login.localhost:${entra.port}/`,
    keyVaultEndpoint: `https://vault.localhost:${keyVault.port}/`,
    keyVaultDNSSuffix: `vault.localhost:${keyVault.port}`,
  };
  mount = (parameters, secrets) =>
    createMount({
      vaults: lab.azure.vaults,
      defaults: { cloudName: 'AzureStackCloud', orderChain: true, split: false },
      readCloudFile: async () => ({ name: 'cloud', text: JSON.stringify(cloud) }),
      certificatePolicy: 'warn',
      telemetry: silentTelemetry,
      clock: systemClock,
      sweeper: new Sweeper(systemClock),
      log: log.log,
      confidential: [PROXY_PASSWORD],
    })(
      {
        attributes: JSON.stringify({
          keyvaultName: 'echo',
          tenantID: TENANT,
          'csi.storage.k8s.io/pod.name': 'web-0',
          'csi.storage.k8s.io/pod.namespace': 'prod',
          objects: 'array:\n  - {objectName: s0, objectType: secret}\n',
          ...parameters,
        }),
        secrets: JSON.stringify(secrets),
        permission: '420',
      },
      { timeoutMs: 60_000, signal: new AbortController().signal },
    );
});
beforeEach(() => {
  log = keptLog();
  echoed = [];
});
afterAll(async () => {
  await lab.close();
  for (const server of [login, vault]) {
    server.closeAllConnections();
    server.close();
  }
});

let mount: (parameters: object, secrets: object) => Promise<unknown>;

/** Returns the message of a Mount and all lines of its log. */
async function textAfter(parameters: object, secrets: object): Promise<string> {
  const error = await mount(parameters, secrets).then(
    () => expect.unreachable(),
    (thrown: Error) => thrown,
  );
  expect(error.message).toContain('[redacted]');
  return JSON.stringify([error.message, error, log.lines]);
}

/** Expects no usable part of a secret, in any encoding. */
function expectNoneOf(shown: string, secrets: readonly string[]): void {
  for (const secret of secrets) {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').replace(/=+$/, '')];
    for (const form of forms) {
      const part = form.slice(2, -2);
      expect(shown).not.toContain(JSON.stringify(part).slice(1, -1));
    }
  }
}

describe('servers that send back what they were sent', () => {
  const secrets = { clientid: READER, clientsecret: CLIENT_SECRET, clientcertificatepassword: CERTIFICATE_PASSWORD };
  const token = () =>
    lab.emulator.issueServiceAccountToken({
      subject: SUBJECT,
      audience: 'api://AzureADTokenExchange',
      expiresInSeconds: 600,
    });
  const workloadOf = (pod: string) => ({
    clientID: WORKLOAD,
    'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify({ 'api://AzureADTokenExchange': { token: pod } }),
  });

  it('at a login: the client secret stands in no text', async () => {
    refusesLogins = true;
    const shown = await textAfter({}, secrets);
    expect(echoed.join()).toContain(CLIENT_SECRET);
    expectNoneOf(shown, GIVEN_AWAY);
    expect(shown).toContain(READER);
  });

  it("at a login: the pod's token stands in no text", async () => {
    refusesLogins = true;
    const pod = token();
    const shown = await textAfter(workloadOf(pod), {});
    expect(echoed.join()).toContain(pod);
    expectNoneOf(shown, [pod, ...pod.split('.'), PROXY_PASSWORD]);
  });

  it('at a vault: neither the bearer token nor what the vault should not know stands in a text', async () => {
    refusesLogins = false;
    const shown = await textAfter({}, secrets);
    expect(echoed.join()).toContain(BEARER);
    expectNoneOf(shown, [BEARER, ...GIVEN_AWAY]);
    expect(shown).toContain('ForbiddenByRbac');
  });
});
