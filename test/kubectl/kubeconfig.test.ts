import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCheckLive } from '../../src/cli/kubectl/check.ts';
import type { ClusterOptions } from '../../src/cli/kubectl/cluster-options.ts';
import { runWhy } from '../../src/cli/kubectl/why.ts';
import { openKubeconfig } from '../../src/kubectl/kubeconfig.ts';
import { recordedIo } from '../support/cli.ts';
import { kubeconfigText } from '../support/kube-stub.ts';
import { spc, useCluster } from './cluster.ts';

const { stub, options } = useCluster();
const directory = mkdtempSync(join(tmpdir(), 'akv-kubeconfig-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;

function put(text: string, name = `config-${++files}`): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Cluster and CA of the running server. */
function own(): { server: string; ca: string; config: { clusters: { cluster: Record<string, string> }[] } } {
  const config = JSON.parse(readFileSync(stub().kubeconfig, 'utf8'));
  const [{ cluster }] = config.clusters;
  return { server: cluster.server, ca: cluster['certificate-authority-data'], config };
}

async function run(changes: Partial<ClusterOptions> = {}, env: Record<string, string> = {}) {
  const io = recordedIo({ env });
  const code = await runCheckLive([], { requestTimeout: '30s', ...changes }, io);
  return { code, out: io.printed.stdout, err: io.printed.stderr };
}

const CHECKED = '1 SecretProviderClass, 0 with keyVault fields checked: 0 errors, 0 warnings, 0 notes\n';

describe('the kubeconfig', () => {
  it('is that of KUBECONFIG: absent files are left out, and the first one that has a name decides', async () => {
    stub().objects.push(spc('web'));
    const { config, server, ca } = own();
    const wrong = JSON.parse(kubeconfigText('https://127.0.0.1:1', ca)) as typeof config;
    const list = [join(directory, 'absent'), put(''), put(JSON.stringify(config)), put(JSON.stringify(wrong))];
    expect(await run({}, { KUBECONFIG: list.join(delimiter) })).toEqual({ code: 0, out: CHECKED, err: '' });
    expect(server).toContain('127.0.0.1');
  });

  it('gives context, cluster, user and namespace, each by an option too', async () => {
    stub().objects.push(spc('web'));
    const { server, ca } = own();
    const config = JSON.parse(kubeconfigText(server, ca));
    config['current-context'] = 'none';
    config.contexts.push({ name: 'bare', context: { cluster: 'stub' } });
    const kubeconfig = put(JSON.stringify(config));
    expect((await run({ kubeconfig })).err).toContain('no context "none"; known: stub, bare');
    expect((await run({ kubeconfig, context: 'stbu' })).err).toContain('did you mean "stub"?');
    expect((await run({ kubeconfig, context: 'stub' })).out).toBe(CHECKED);
    expect((await run({ kubeconfig, context: 'bare', user: 'stub', namespace: 'shop' })).out).toBe(CHECKED);
    expect((await run({ kubeconfig, context: 'bare' })).err).toContain('Unauthorized; log in again');
    expect((await run({ kubeconfig, context: 'stub', user: 'me' })).err).toContain('no user "me"; known: stub');
    expect((await run({ kubeconfig, context: 'stub', cluster: 'x' })).err).toContain('no cluster "x"; known: stub');
  });

  it('sends the user and the groups to impersonate', async () => {
    await run({ ...options(), as: 'jane', asGroup: ['dev', 'ops'] });
    expect(stub().requests[0]?.headers).toMatchObject({ 'impersonate-user': 'jane', 'impersonate-group': 'dev, ops' });
  });

  it.each([
    ['absent file', () => join(directory, 'absent'), 'no such file'],
    ['no YAML', () => put('users: [{token: s3cret'), 'it is not YAML of the kind Config'],
    ['a list', () => put('- s3cret'), 'no kubeconfig with a cluster'],
    [
      'a cluster without server',
      () => put('clusters: [{name: a, cluster: {}}]'),
      'clusters[0].cluster.server is missing',
    ],
  ])('is refused without its text: %s', async (_, file, reason) => {
    const { code, err } = await run({ kubeconfig: file() }, { KUBERNETES_SERVICE_HOST: '127.0.0.1' });
    expect([code, err.includes('s3cret')]).toEqual([2, false]);
    expect(err).toContain(reason);
  });

  it('is read up to its limit, from a file without an end too', async () => {
    const { code, err } = await run({ kubeconfig: '/dev/zero' });
    expect([code, err]).toEqual([2, 'error: cannot read the kubeconfig /dev/zero: it has more than 4194304 bytes\n']);
  });

  it('is that of the environment, and its context decides, if options are empty', async () => {
    stub().objects.push(spc('web'));
    const empty = { kubeconfig: '', context: '', cluster: '', user: '', namespace: '', as: '' };
    expect(await run(empty, { KUBECONFIG: stub().kubeconfig })).toEqual({ code: 0, out: CHECKED, err: '' });
    expect(
      stub()
        .requests.map(({ url }) => url)
        .filter((path) => path.includes('/namespaces//')),
    ).toEqual([]);
  });

  it.each(['a/b', '..', 'a?b', 'A', '\u001b[31m'])(
    'takes no namespace "%s", which would change the path',
    async (namespace) => {
      const { code, err } = await run({ ...options(), namespace });
      expect([code, err]).toEqual([2, expect.stringContaining('cannot be a namespace')]);
      const io = recordedIo({ env: {} });
      expect(await runWhy('web-0', { ...options(), requestTimeout: '30s', providerNamespace: namespace }, io)).toBe(2);
      expect(io.printed.stderr).toContain('--provider-namespace: ');
      expect(stub().requests).toEqual([]);
    },
  );

  it('is asked for, if there is none', async () => {
    const { code, err } = await run({}, { KUBECONFIG: join(directory, 'absent') });
    expect([code, err]).toEqual([2, expect.stringMatching(/no kubeconfig with a cluster.*give --kubeconfig FILE/)]);
  });

  it.each(['0', '5', '5s', '2m', '1h', '3d', 'x', '', '99999999h'])(
    'takes --request-timeout "%s" or refuses it',
    async (requestTimeout) => {
      const { code, err } = await run({ ...options(), requestTimeout });
      const isTime = ['5', '5s', '2m', '1h'].includes(requestTimeout);
      expect([code, err.includes('--request-timeout')]).toEqual(isTime ? [1, false] : [2, true]);
    },
  );
});

describe('a login plugin of the kubeconfig', () => {
  const plugin = (script: string) => {
    const path = put(`#!/bin/sh\n${script}\n`, `plugin-${++files}`);
    chmodSync(path, 0o755);
    return path;
  };
  const using = (exec: object) => {
    const { server, ca } = own();
    return { kubeconfig: put(kubeconfigText(server, ca, { exec })) };
  };
  const apiVersion = 'client.authentication.k8s.io/v1beta1';

  it('gives the token, and what it prints for the user is shown', async () => {
    stub().objects.push(spc('web'));
    const command = plugin(
      `echo "open https://microsoft.com/devicelogin" >&2; echo "$KUBERNETES_EXEC_INFO" >&2
       echo '{"kind":"ExecCredential","status":{"token":"'$STUB'"}}'`,
    );
    const env = [{ name: 'STUB', value: 'stub-token' }];
    const { out, err } = await run(using({ apiVersion, command, env }));
    expect(out).toBe(CHECKED);
    expect(err).toContain('open https://microsoft.com/devicelogin');
    expect(err).toContain(`"apiVersion":"${apiVersion}"`);
    expect(err.match(/devicelogin/g)).toHaveLength(1);
  });

  it.each([
    ['is absent', { command: '/nowhere/kubelogin', installHint: 'get it from example.com' }, 'get it from example.com'],
    ['fails', { command: 'false' }, 'failed or did not print an ExecCredential'],
    ['prints no credential', { command: 'echo', args: ['s3cret'] }, 'failed or did not print an ExecCredential'],
    ['prints JSON without status', { command: 'echo', args: ['{}'] }, 'failed or did not print an ExecCredential'],
  ])('is named, if it %s', async (_, exec, reason) => {
    const { code, err } = await run(using({ apiVersion, ...exec }));
    expect([code, err.includes('s3cret')]).toEqual([1, false]);
    expect(err).toContain(reason);
  });

  it.each([
    ['standard output', 'yes s3cret'],
    ['standard error', 'yes quiet >&2'],
  ])('is stopped, if it prints without an end to %s', async (_, script) => {
    const { code, err } = await run(using({ apiVersion, command: 'sh', args: ['-c', script] }));
    expect([code, err.includes('s3cret')]).toEqual([1, false]);
    expect(err).toContain('its login plugin "sh" printed more than 1048576 bytes');
  });

  it('is stopped at its time limit, if it takes no signal and its children hold the pipes', async () => {
    const args = ['-c', 'trap "" TERM; sleep 60'];
    const { kubeconfig } = using({ apiVersion, command: 'sh', args });
    const access = await openKubeconfig({ kubeconfig }, { env: {}, stderr: () => {}, loginMs: 50 });
    await expect(access.requestOptions()).rejects.toThrow('its login plugin "sh" did not end within 0.05 s');
  });
});

describe('an API server', () => {
  const listening = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  it('that is not there is named with its context, and the next step', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    const { code, err } = await run({ kubeconfig: put(kubeconfigText(`https://127.0.0.1:${port}`, own().ca)) });
    expect([code, err]).toEqual([
      1,
      `error: API server https://127.0.0.1:${port}, context "stub": cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}; check that kubectl get pods works\n`,
    ]);
  });

  it('that does not answer is given up at the time limit', async () => {
    const server = createServer(() => {});
    const port = await listening(server);
    const kubeconfig = put(kubeconfigText(`http://127.0.0.1:${port}`, own().ca));
    const { err } = await run({ kubeconfig, requestTimeout: '50ms' });
    server.close();
    expect(err).toContain('no answer within 0.05 s');
  });

  it('of another CA is refused', async () => {
    const config = JSON.parse(readFileSync(stub().kubeconfig, 'utf8'));
    delete config.clusters[0].cluster['certificate-authority-data'];
    const { code, err } = await run({ kubeconfig: put(JSON.stringify(config)) });
    expect([code, err]).toEqual([1, expect.stringContaining('its certificate is not of the CA in the kubeconfig')]);
  });

  it.each([
    ['no JSON', '<html>', 'cannot be read: it is not valid JSON'],
    ['a list', '[]', 'cannot be read: it is no JSON object'],
    ['33 MiB', `{"a":"${'x'.repeat(33 * 1024 * 1024)}"}`, 'the answer has more than 33554432 bytes'],
    ['deep JSON', `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, 'levels deep'],
  ])('that answers with %s is refused', async (_, body, reason) => {
    stub().answer = (_request, response) => {
      response.writeHead(200).end(body);
      return true;
    };
    const { code, err } = await run(options());
    expect([code, err]).toEqual([1, expect.stringContaining(reason)]);
  });

  it('that refuses is quoted up to the end, where the namespace is, and within a limit', async () => {
    const user = `system:serviceaccount:shop:${'x'.repeat(200)}`;
    const refuse = (message: string) => {
      stub().answer = (_request, response) => {
        response.writeHead(403).end(JSON.stringify({ kind: 'Status', reason: 'Forbidden', message }));
        return true;
      };
      return run(options());
    };
    expect((await refuse(`User "${user}" cannot list resource "x" in the namespace "shop"`)).err).toContain(
      `User "${user}" cannot list resource "x" in the namespace "shop"; docs/kubectl.md`,
    );
    expect((await refuse('y'.repeat(100_000))).err).toContain(`: ${'y'.repeat(2_000)}…; docs/kubectl.md`);
  });

  it.each([
    [500, 'was answered 500 (500)'],
    [302, 'was answered 302 (302)'],
    [410, 'was answered 410 (410)'],
  ])('that answers %s is refused', async (status, reason) => {
    stub().answer = (_request, response) => {
      response.writeHead(status, { location: 'https://127.0.0.1:1/' }).end('x');
      return true;
    };
    const { code, err } = await run(options());
    expect([code, err]).toEqual([1, expect.stringContaining(reason)]);
  });
});
