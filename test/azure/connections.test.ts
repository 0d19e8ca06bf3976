import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { createPipelineRequest, RestError } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { MetadataCache } from '../../src/azure/http/metadata-cache.ts';
import { networkFailure } from '../../src/azure/http/network-error.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { readTrust, type TrustSources } from '../../src/azure/http/trust.ts';
import { TokenProxy } from '../../src/azure/login/token-proxy.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from '../support/clocks.ts';
import { deafPort } from '../support/deaf-port.ts';
import { issue, keyPem } from '../support/pki.ts';

const NOWHERE: TrustSources = { certFile: undefined, certDir: undefined, extraCaFile: undefined };
let directory: string;
let server: https.Server;
let url: string;
let pem: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'akv-trust-'));
  const { certificate, key } = await issue({ name: 'private.localhost' });
  pem = certificate.toString();
  server = https.createServer({ cert: pem, key: keyPem(key) }, (_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://private.localhost:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

/** Writes a file into the test's directory and returns its path. */
function fileOf(name: string, text: string): string {
  const file = join(directory, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** Returns the status of a request to the private server, or the code of its failure. */
async function outcomeWith(trust: Partial<TrustSources>): Promise<unknown> {
  const agents = new Agents(await readTrust({ ...NOWHERE, ...trust }));
  try {
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 5_000 });
    const { status } = await transport.sendRequest(createPipelineRequest({ url }));
    return status;
  } catch (error) {
    return error instanceof RestError ? error.code : error;
  } finally {
    agents.close();
  }
}

describe('a connection that fails at TCP', () => {
  const failureAt = async (port: number, connectTimeoutMs: number) => {
    const agents = new Agents([], { connectTimeoutMs });
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 60_000 });
    const sent = transport.sendRequest(createPipelineRequest({ url: `https://kv.vault.localhost:${port}/` }));
    const failure = networkFailure(await sent.catch((error: unknown) => error));
    agents.close();
    return failure;
  };

  it.runIf(process.platform === 'linux')('names the address that did not answer', async () => {
    const { port, close } = await deafPort();
    const failure = await failureAt(port, 300);
    close();
    expect(failure?.code).toBe('ETIMEDOUT');
    expect(failure?.explanation).toMatch(
      new RegExp(`^the host does not answer \\(tried 127\\.0\\.0\\.1:${port}\\); check routes`),
    );
  });

  it('names the address that refused', async () => {
    expect((await failureAt(1, 30_000))?.explanation).toMatch(
      /^the host refuses the connection \(tried 127\.0\.0\.1:1\); check address/,
    );
  });

  it('names all addresses, in one order', () => {
    const one = (address: string) => Object.assign(new Error('x'), { code: 'ECONNREFUSED', address, port: 443 });
    const all = ['10.0.0.9', '2001:db8::1', '10.0.0.10', '10.0.0.9'].map(one);
    const text = (errors: Error[]) =>
      networkFailure(Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' }))?.explanation;
    expect(text(all)).toContain('(tried 10.0.0.10:443, 10.0.0.9:443, [2001:db8::1]:443)');
    expect(text(all.toReversed())).toBe(text(all));
  });
});

describe('a server of a private CA', () => {
  it('is not trusted without it', async () => {
    expect(await outcomeWith({})).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it('is trusted by SSL_CERT_FILE, with text around the certificate', async () => {
    expect(await outcomeWith({ certFile: fileOf('ca.pem', `# our CA\n${pem}\n# the end\n`) })).toBe(200);
  });

  it('is trusted by any directory of SSL_CERT_DIR, with things in it that are no certificates', async () => {
    fileOf('certs/ca.crt', pem);
    fileOf('certs/garbage.crt', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    fileOf('certs/inner/readme', 'nothing');
    execFileSync('mkfifo', [join(directory, 'certs/pipe')]);
    expect(await outcomeWith({ certDir: `${join(directory, 'none')}:${join(directory, 'certs')}` })).toBe(200);
  });

  it('is trusted by NODE_EXTRA_CA_CERTS beside SSL_CERT_FILE, which Node alone would forget', async () => {
    const certFile = fileOf('other.pem', (await issue({ name: 'other' })).certificate.toString());
    expect(await outcomeWith({ certFile, extraCaFile: fileOf('extra.pem', pem) })).toBe(200);
  });

  it('needs none of the authorities that Node has itself, however they are written', async () => {
    const [own = '', second = ''] = rootCertificates;
    const inOneLine = own.replaceAll('\n', '').replace(/(BEGIN CERTIFICATE-----)(.*)(-----END)/, '$1\n$2\n$3\n');
    const certFile = fileOf(
      'system.pem',
      [own, `${second.replaceAll('\n', '\r\n')}\r\n`, inOneLine, pem, pem].join('\n'),
    );
    expect(await readTrust({ ...NOWHERE, certFile })).toEqual([pem.trim()]);
    expect(await readTrust({ ...NOWHERE, certFile: fileOf('own.pem', own) })).toEqual([]);
  });

  it('is asked by its own trust where the files are not there', async () => {
    expect(await outcomeWith({ certFile: join(directory, 'missing.pem') })).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  });
});

describe('OpenID metadata', () => {
  const METADATA = 'https://login.example/t/v2.0/.well-known/openid-configuration';
  const request = (target = METADATA) => createPipelineRequest({ url: target });

  it('is asked for once by all who need it at the same time, and again where the answer was none', async () => {
    const whole = JSON.stringify({ issuer: 'x', authorization_endpoint: 'y', token_endpoint: 'z' });
    const bodies = ['<html>', '{"error":"captive"}', whole];
    let asked = 0;
    const client = new MetadataCache(new Sweeper(manualClock())).clientOf({
      sendRequest: async (one) => ({
        status: 200,
        request: one,
        headers: one.headers,
        bodyAsText: bodies[asked++] ?? null,
      }),
    });
    await Promise.all([client.sendRequest(request()), client.sendRequest(request())]);
    expect(asked).toBe(1);
    await client.sendRequest(request());
    const { bodyAsText } = await client.sendRequest(request());
    await client.sendRequest(request());
    expect([bodyAsText, asked]).toEqual([whole, 3]);
  });

  it('fails nobody because the one who asked for it first went away', async () => {
    let asked = 0;
    const client = new MetadataCache(new Sweeper(manualClock())).clientOf({
      sendRequest: async (one) => {
        if (++asked === 1) throw new DOMException('gone', 'AbortError');
        return { status: 200, request: one, headers: one.headers, bodyAsText: '{}' };
      },
    });
    const [first, second] = await Promise.allSettled([client.sendRequest(request()), client.sendRequest(request())]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
  });

  it('is kept for each client apart, in one cache however many clients come and go', async () => {
    const sweeper = new Sweeper(manualClock());
    const metadata = new MetadataCache(sweeper);
    const registered = vi.spyOn(sweeper, 'add');
    const text = (issuer: string) => JSON.stringify({ issuer, authorization_endpoint: 'y', token_endpoint: 'z' });
    const issuers = ['old authority', 'new authority'];
    for (const issuer of issuers) {
      const client = metadata.clientOf({
        sendRequest: async (one) => ({ status: 200, request: one, headers: one.headers, bodyAsText: text(issuer) }),
      });
      await client.sendRequest(request());
      expect((await client.sendRequest(request())).bodyAsText).toBe(text(issuer));
    }
    expect([sweeper.size, registered.mock.calls.length]).toEqual([issuers.length, 0]);
  });

  it('is not kept where it is larger than any', async () => {
    const sweeper = new Sweeper(manualClock());
    const bodyAsText = JSON.stringify({ issuer: 'x'.repeat(65_536), authorization_endpoint: 'y', token_endpoint: 'z' });
    const client = new MetadataCache(sweeper).clientOf({
      sendRequest: async (one) => ({ status: 200, request: one, headers: one.headers, bodyAsText }),
    });
    expect((await client.sendRequest(request())).bodyAsText).toBe(bodyAsText);
    expect(sweeper.size).toBe(0);
  });
});

describe('the token proxy of identity binding', () => {
  const PROXY = 'https://api.localhost:6443/bound/';
  const NOWHERE_API = { host: '', port: '' };

  it('keeps its path when the SDK sends a request again', async () => {
    const seen: string[] = [];
    const caFile = fileOf('cluster.pem', pem);
    const proxy = new TokenProxy({ url: PROXY, sniName: 'a.ests.aks', apiServer: NOWHERE_API, caFile }, () => ({
      async sendRequest(one) {
        seen.push(one.url);
        throw new RestError('', { code: 'ECONNRESET' });
      },
    }));
    const client = await proxy.client();
    const one = createPipelineRequest({ url: 'https://login.microsoftonline.com/t/oauth2/v2.0/token?x=1' });
    for (let i = 0; i < 2; i++) await expect(client.sendRequest(one)).rejects.toThrow(RestError);
    expect(seen).toEqual(Array(2).fill('https://api.localhost:6443/bound/t/oauth2/v2.0/token?x=1'));
  });

  it('is looked for again after its CA was missing', async () => {
    const caFile = join(directory, 'later.pem');
    const proxy = new TokenProxy({ url: PROXY, sniName: 'a.ests.aks', apiServer: NOWHERE_API, caFile }, () => ({
      sendRequest: () => Promise.reject(new Error('not reached')),
    }));
    await expect(proxy.client()).rejects.toMatchObject({
      code: 'ERR_SETUP',
      message: expect.stringMatching(/^proxy transport not available: the cluster's CA cannot be read/),
    });
    fileOf('later.pem', pem);
    expect(await proxy.client()).toBe(await proxy.client());
  });
});

describe('idle connections', () => {
  it('are bounded over all hosts, most of all at rest, and the one idle for longest goes first', async () => {
    const { certificate, key } = await issue({ name: '*.idle.localhost' });
    const cert = certificate.toString();
    const many = https.createServer({ cert, key: keyPem(key) }, (_, response) => response.end('{}'));
    // The server closes no connection during the test.
    many.keepAliveTimeout = 600_000;
    let opened = 0;
    many.on('secureConnection', () => opened++);
    await new Promise<void>((resolve) => many.listen(0, '127.0.0.1', resolve));
    const { port } = many.address() as AddressInfo;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const agents = new Agents([cert]);
    const transport = createTransport({ agents, userAgent: 'test', timeoutMs: 5_000 });
    const ask = (i: number) =>
      transport.sendRequest(createPipelineRequest({ url: `https://vault-${i}.idle.localhost:${port}/` }));
    const open = () => new Promise<number>((resolve) => many.getConnections((_, count) => resolve(count)));
    try {
      for (let i = 0; i < 110; i++) await ask(i);
      await expect.poll(open).toBe(100);
      await ask(10);
      expect(opened).toBe(110);
      vi.advanceTimersByTime(2_000);
      await expect.poll(open).toBe(16);
      await ask(10);
      await ask(109);
      expect(opened).toBe(110);
      await ask(11);
      expect(opened).toBe(111);
    } finally {
      vi.useRealTimers();
      agents.close();
      many.closeAllConnections();
      await new Promise((resolve) => many.close(resolve));
    }
  });
});
