import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { connectProvider, type ProviderClient } from '../../src/driver/client.ts';
import { directTarget } from '../../src/driver/direct.ts';
import { mountRequestOf, type PublishRequest, publish, requestFiles } from '../../src/driver/publish.ts';
import { answerWith, type FakeProvider, startProvider } from '../support/fake-provider.ts';

let root: string;
let provider: FakeProvider | undefined;
let client: ProviderClient | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'akv-publish-'));
});
afterEach(() => {
  client?.close();
  provider?.close();
  client = undefined;
  provider = undefined;
  rmSync(root, { recursive: true, force: true });
});

async function connect(...answers: Parameters<typeof startProvider>[0]): Promise<ProviderClient> {
  provider = await startProvider(answers);
  client = connectProvider(provider.endpoint);
  return client;
}

function request(changes: Partial<PublishRequest> = {}): PublishRequest {
  return {
    parameters: { keyvaultName: 'kv', tenantID: 't' },
    pod: { name: 'web-0', namespace: 'prod', uid: 'u-1', serviceAccount: 'web' },
    targetDir: join(root, 'volume'),
    ...changes,
  };
}

const pod = {
  'csi.storage.k8s.io/pod.name': 'web-0',
  'csi.storage.k8s.io/pod.namespace': 'prod',
  'csi.storage.k8s.io/pod.uid': 'u-1',
  'csi.storage.k8s.io/serviceAccount.name': 'web',
};
const ephemeral = { 'csi.storage.k8s.io/ephemeral': 'true' };

describe('the request a driver sends', () => {
  it('overrides parameters with the volume’s attributes and those with the kubelet’s, with sorted keys', () => {
    const { attributes } = mountRequestOf(
      request({
        volumeAttributes: {
          secretProviderClass: 'spc',
          keyvaultName: 'other',
          'csi.storage.k8s.io/pod.name': 'forged',
        },
      }),
    );
    expect(JSON.parse(attributes)).toEqual({
      keyvaultName: 'other',
      tenantID: 't',
      secretProviderClass: 'spc',
      ...pod,
      ...ephemeral,
    });
    const keys = Object.keys(JSON.parse(attributes));
    expect(keys).toEqual([...keys].sort());
  });

  it('carries the tokens as text inside the attributes', () => {
    const tokens = '{"api://AzureADTokenExchange":{"token":"t"}}';
    const { attributes } = mountRequestOf(request({ tokens: new Secret(tokens) }));
    expect(JSON.parse(attributes)['csi.storage.k8s.io/serviceAccount.tokens']).toBe(tokens);
  });

  const mounted = [{ id: 'secret/a', version: '1' }];
  const nodePublishSecret = { clientid: new Secret('id') };
  it.each([
    ['v1.6 first mount', {}, { secrets: 'null', currentObjectVersion: [] }],
    ['v1.6 republish', { mounted }, { secrets: 'null', currentObjectVersion: [] }],
    ['v1.5 first mount', { family: 'v1.5' }, { secrets: 'null', currentObjectVersion: [] }],
    ['v1.5 rotation', { family: 'v1.5', mounted }, { secrets: '{}', currentObjectVersion: mounted }],
    ['v1.6 with a secret', { nodePublishSecret }, { secrets: '{"clientid":"id"}', currentObjectVersion: [] }],
    [
      'v1.5 rotation with a secret',
      { family: 'v1.5', mounted, nodePublishSecret },
      { secrets: '{"clientid":"id"}', currentObjectVersion: mounted },
    ],
  ] as [string, Partial<PublishRequest>, object][])(
    '%s: secrets, permission and current versions',
    (_, changes, expected) => {
      expect(mountRequestOf(request(changes))).toMatchObject({
        ...expected,
        permission: '420',
        targetPath: join(root, 'volume'),
      });
    },
  );

  it('a v1.5 rotation omits the volume’s attributes and the ephemeral attribute', () => {
    const { attributes } = mountRequestOf(
      request({ family: 'v1.5', mounted, volumeAttributes: { secretProviderClass: 'spc', keyvaultName: 'other' } }),
    );
    expect(JSON.parse(attributes)).toEqual({ keyvaultName: 'kv', tenantID: 't', ...pod });
  });
});

describe('publish over a socket', () => {
  it('writes the files of the response and returns whether anything changed', async () => {
    const target = await connect(answerWith({ a: '1' }), answerWith({ a: '1' }), answerWith({ a: '2' }, '2'));
    expect(await publish(target, request())).toEqual({
      files: [{ path: 'a', mode: 0o644, contents: Buffer.from('1') }],
      sources: [{ id: 'secret/a', version: '1' }],
      objectVersions: [{ id: 'secret/a', version: '1' }],
      changed: true,
    });
    expect((await publish(target, request())).changed).toBe(false);
    expect(await publish(target, request())).toMatchObject({
      objectVersions: [{ id: 'secret/a', version: '2' }],
      changed: true,
    });
    expect(readFileSync(join(root, 'volume', 'a'), 'utf8')).toBe('2');
  });

  it('returns the object of each file if several files are of one object', async () => {
    const { files } = answerWith({ 'tls.crt': 'c', 'tls.key': 'k', 'ca.crt': 'r' });
    const [server, chain, other] = ['server', 'chain', 'other'].map((name) => ({ id: `secret/${name}`, version: '1' }));
    if (server === undefined || chain === undefined || other === undefined) throw new Error('unreachable');
    const target = await connect(
      { files, objectVersion: [server, server, chain, other] },
      { files, objectVersion: [server, chain] },
    );
    expect(await publish(target, request())).toMatchObject({
      sources: [server, server, chain],
      objectVersions: [server, chain, other],
    });
    expect(await publish(target, request())).toMatchObject({ sources: [undefined, undefined, undefined] });
  });

  it('keeps the old files if the response contains none', async () => {
    const target = await connect(answerWith({ a: '1' }), {
      objectVersion: [{ id: 'secret/a', version: '2' }],
      files: [],
    });
    await publish(target, request());
    expect(await publish(target, request())).toMatchObject({ files: [], changed: false });
    expect(readFileSync(join(root, 'volume', 'a'), 'utf8')).toBe('1');
  });

  it('sends the kubelet’s deadline, and none in a v1.5 rotation', async () => {
    const target = await connect(answerWith({ a: '1' }));
    await publish(target, request());
    await publish(target, request({ family: 'v1.5', mounted: [] }));
    const [first, rotation] = provider?.deadlines ?? [];
    expect(Number(first)).toBeLessThanOrEqual(Date.now() + 120_000);
    expect(Number(first)).toBeGreaterThan(Date.now());
    expect(rotation).toBe(Number.POSITIVE_INFINITY);
  });

  it('throws status and message of a failed Mount, and writes nothing', async () => {
    const target = await connect({ code: status.PERMISSION_DENIED, details: 'no access to secret "a"' });
    const failure = await publish(target, request()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ProviderError);
    expect(failure).toMatchObject({
      code: 'ERR_FORBIDDEN',
      message: 'Mount failed with PERMISSION_DENIED (7): no access to secret "a"',
      cause: { code: status.PERMISSION_DENIED },
    });
    expect(existsSync(join(root, 'volume'))).toBe(false);
  });

  it.each([
    ['a path out of the volume', { ...answerWith({ '../a': 'x' }) }, 'must not contain'],
    ['no versions', { ...answerWith({ a: 'x' }), objectVersion: [] }, 'missing object versions'],
    ['an error code', { ...answerWith({ a: 'x' }), error: { code: 'Bad' } }, 'provider error code Bad'],
  ])('an answer the driver refuses writes nothing: %s', async (_, answer, message) => {
    const target = await connect(answer);
    await expect(publish(target, request())).rejects.toThrow(message);
    expect(readdirSync(root)).toEqual([]);
  });

  it('a response over 4 MiB fails in the client', async () => {
    const target = await connect(answerWith({ a: 'x'.repeat(5 * 1024 * 1024) }));
    await expect(publish(target, request())).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' });
  });
});

describe('provider client', () => {
  it('asks for the version', async () => {
    const target = await connect(answerWith({ a: '1' }));
    expect(await target.version({ deadlineMs: 5000 })).toEqual({
      version: 'v1alpha1',
      runtimeName: 'fake',
      runtimeVersion: 'v9',
    });
  });

  it('calls three times if the provider answers UNAVAILABLE, and once for any other code', async () => {
    const target = await connect({ code: status.UNAVAILABLE, details: 'busy' });
    await expect(requestFiles(target, request())).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' });
    expect(provider?.requests).toHaveLength(3);
    provider?.close();
    const once = await connect({ code: status.INTERNAL, details: 'no' });
    await expect(requestFiles(once, request())).rejects.toMatchObject({ cause: { code: status.INTERNAL } });
    expect(provider?.requests).toHaveLength(1);
  });

  it('ends at its deadline and when it is cancelled', async () => {
    const target = await connect('never');
    await expect(requestFiles(target, request({ deadlineMs: 50 }))).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    const abort = new AbortController();
    const call = target.mount(mountRequestOf(request()), { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    await expect(target.mount(mountRequestOf(request()), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: status.CANCELLED,
    });
  });

  it('reports that there is no socket', () => {
    expect(() => connectProvider(`unix://${root}/none.sock`)).toThrow(
      `provider not found: there is no socket ${root}/none.sock`,
    );
  });

  it.each(['http://localhost', 'azure.sock', 'unix:', 'tcp:'])('refuses the endpoint %s', (endpoint) => {
    expect(() => connectProvider(endpoint)).toThrow(/is not supported; write unix:/);
  });
});

describe('publish in this process', () => {
  it('passes the three texts and the deadline to the handler', async () => {
    let seen: unknown;
    const target = directTarget(async (input, { timeoutMs }) => {
      seen = { input, timeoutMs };
      const { files, objectVersion } = answerWith({ a: '1' });
      return { files, objectVersions: objectVersion };
    });
    const asked = request({ deadlineMs: 1000 });
    const { attributes, secrets, permission } = mountRequestOf(asked);
    expect(await publish(target, asked)).toMatchObject({ changed: true });
    expect(seen).toEqual({ input: { attributes, secrets, permission }, timeoutMs: 1000 });
  });

  it('throws the handler’s error unchanged', async () => {
    const error = new ProviderError('ERR_NOT_FOUND', 'no such secret');
    await expect(
      publish(
        directTarget(() => Promise.reject(error)),
        request(),
      ),
    ).rejects.toBe(error);
  });
});
