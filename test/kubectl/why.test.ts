import { describe, expect, it } from 'vitest';
import { runWhy } from '../../src/cli/kubectl/why.ts';
import { logLine } from '../../src/cli/log-line.ts';
import { causeOfEvent, causeOfLine, NEXT_STEPS } from '../../src/kubectl/causes.ts';
import { fieldsOf } from '../../src/kubectl/log-lines.ts';
import type { Diagnosis } from '../../src/kubectl/why.ts';
import { STATUS_OF } from '../../src/server/status.ts';
import { recordedIo } from '../support/cli.ts';
import type { StubObject } from '../support/kube-stub.ts';
import { undocumentedFields } from '../support/markdown.ts';
import { clock, event, mountFailed, node, pod, spc, useCluster } from './cluster.ts';

const { stub, options } = useCluster();

async function why(objects: readonly StubObject[], name = 'web-0') {
  stub().objects.push(...objects);
  const io = recordedIo();
  const code = await runWhy(name, { ...options(), output: 'json' }, io);
  expect(undocumentedFields(JSON.parse(io.printed.stdout || '{}'), 'docs/kubectl.md', 'JSON')).toEqual([]);
  return { code, io, ...(JSON.parse(io.printed.stdout || '{}') as Diagnosis) };
}

/** A line of the provider's log about the pod. */
function line(fields: Readonly<Record<string, string>>, json = false): string {
  const all = { ts: '2026-11-29T11:59:00Z', namespace: 'shop', pod: 'web-0', secretProviderClass: 'web', ...fields };
  return logLine(Object.entries(all), json);
}

const NOT_FOUND =
  'rpc error: code = Unknown desc = failed to get secretproviderclass shop/web, error: secretproviderclasses.secrets-store.csi.x-k8s.io "web" not found';

describe('what the cluster shows to be missing', () => {
  it.each<[string, readonly StubObject[]]>([
    ['NO_VOLUME', [{ ...pod('web-0'), spec: { nodeName: 'n1' } }, ...node()]],
    ['NO_CLASS_NAMED', [pod('web-0', { className: '' }), ...node()]],
    ['CLASS_MISSING', [pod('web-0'), ...node()]],
    ['CLASS_WRONG', [pod('web-0'), spc('web', { keyvaultName: 'x' }), ...node()]],
    ['SECRET_MISSING', [pod('web-0', { secret: 'aio-akv-sp' }), spc('web'), ...node()]],
    ['DRIVER_NOT_INSTALLED', [pod('web-0'), spc('web'), ...node().slice(1)]],
    ['DRIVER_NOT_ON_NODE', [pod('web-0', { node: 'n2' }), spc('web'), ...node()]],
    ['PROVIDER_NOT_ON_NODE', [pod('web-0'), spc('web'), ...node().slice(0, 2)]],
    ['PROVIDER_NOT_READY', [pod('web-0'), spc('web'), ...node({ ready: false })]],
  ])('is the cause %s', async (expected, objects) => {
    const { code, cause } = await why(objects);
    expect([code, cause?.code, cause?.nextStep]).toEqual([1, expected, NEXT_STEPS[expected as 'NO_VOLUME']]);
  });

  it('is nothing, if all is in place', async () => {
    const { code, cause, findings } = await why([
      pod('web-0', { secret: 'aio-akv-sp' }),
      spc('web'),
      { kind: 'Secret', metadata: { name: 'aio-akv-sp', namespace: 'shop' }, data: { clientsecret: 'c2VjcmV0' } },
      ...node(),
    ]);
    expect([code, cause]).toEqual([0, undefined]);
    expect(findings.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });
});

describe('a pod with several volumes', () => {
  it('has its provider looked at once, also if a class is missing', async () => {
    const volumeOf = (className: string) => (pod('web-0', { className }).spec as { volumes: object[] }).volumes;
    const spec = { nodeName: 'n1', volumes: ['web', 'gone'].flatMap(volumeOf) };
    const { findings } = await why([{ ...pod('web-0'), spec }, spc('web'), ...node()]);
    expect(findings.filter(({ subject }) => subject === 'provider')).toHaveLength(1);
  });
});

describe('a provider under another name', () => {
  const next = () => spc('web', {}, 'azure-next');

  it('is the one that the class asks for, if it is on the node', async () => {
    const { code, findings } = await why([
      pod('web-0'),
      next(),
      ...node({ args: ['--endpoint=unix:///provider/azure-next.sock', '--healthz-port=9989'] }),
    ]);
    expect([code, findings.map(({ state }) => state)]).toEqual([0, ['ok', 'ok', 'ok']]);
  });

  it.each([
    ['azure-next', '--endpoint=unix:///provider/azure.sock'],
    ['azure', '--endpoint=unix:///provider/azure-next.sock'],
  ])('is not taken for the provider %s', async (asked, argument) => {
    const { cause } = await why([pod('web-0'), spc('web', {}, asked), ...node({ args: [argument] })]);
    expect(cause?.text).toMatch(
      new RegExp(`^provider: no pod of the provider "${asked}" is on node n1; kube-system/akv-n1 serves "azure`),
    );
  });
});

describe('what events say', () => {
  const ready = [pod('web-0'), spc('web'), ...node()];

  it.each<[string, StubObject]>([
    ['ERR_FORBIDDEN', mountFailed('web-0', 'PermissionDenied', 'failed to mount objects, error: 403 Forbidden')],
    ['ERR_NOT_FOUND', mountFailed('web-0', 'NotFound', 'failed to mount objects, error: 404')],
    ['ERR_AUTHENTICATION', mountFailed('web-0', 'Unauthenticated', 'failed to mount objects, error: AADSTS7000215')],
    ['ERR_BAD_PARAMETERS', mountFailed('web-0', 'InvalidArgument', 'keyvaultName is not provided')],
    ['ERR_NO_CREDENTIALS', mountFailed('web-0', 'FailedPrecondition', 'nodePublishSecretRef secret is not set')],
    ['OTHER', mountFailed('web-0', 'FailedPrecondition', 'failed to mount objects, error: disabled')],
    ['PROVIDER_SILENT', mountFailed('web-0', 'DeadlineExceeded', 'context deadline exceeded')],
    [
      'PROVIDER_SILENT',
      event(
        'web-0',
        'FailedMount',
        'MountVolume.SetUp failed for volume "certs" : rpc error: code = DeadlineExceeded desc = context deadline exceeded',
      ),
    ],
    [
      'SECRET_MISSING',
      event(
        'web-0',
        'FailedMount',
        'MountVolume.SetUp failed for volume "certs" : fetching NodePublishSecretRef shop/aio-akv-sp failed: kubernetes.io/csi: failed to find the secret aio-akv-sp in the namespace shop with error: secrets "aio-akv-sp" not found',
      ),
    ],
    [
      'PROVIDER_NOT_ON_NODE',
      event(
        'web-0',
        'FailedMount',
        'rpc error: code = Unknown desc = failed to mount secrets store objects for pod shop/web-0, err: error connecting to provider "azure": provider not found: provider "azure"',
      ),
    ],
    [
      'DRIVER_NOT_ON_NODE',
      event(
        'web-0',
        'FailedMount',
        'MountVolume.SetUp failed for volume "certs" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name secrets-store.csi.k8s.io not found in the list of registered CSI drivers',
      ),
    ],
    ['CLASS_MISSING', event('web-0', 'FailedMount', NOT_FOUND)],
    [
      'VOLUME_NOT_READ_ONLY',
      event('web-0', 'FailedMount', 'rpc error: code = InvalidArgument desc = Readonly is not true in request'),
    ],
    ['NOT_SCHEDULED', event('web-0', 'FailedScheduling', '0/3 nodes are available: 3 Insufficient memory.')],
  ])('is the cause %s', (expected, { reason, message }) => {
    expect(causeOfEvent({ reason: String(reason), message: String(message) }).code).toBe(expected);
  });

  it('is the cause of a pod that waits', async () => {
    const { code, cause, events } = await why([...ready, mountFailed('web-0', 'NotFound', 'gone')]);
    expect([code, cause?.code, cause?.text, events.length]).toEqual([1, 'ERR_NOT_FOUND', 'gone', 1]);
  });

  it('is not what the kubelet sums up later', async () => {
    const late = { lastTimestamp: '2026-11-29T11:59:00Z', metadata: { name: 'late', namespace: 'shop' } };
    const text = 'Unable to attach or mount volumes: unmounted volumes=[certs]: timed out waiting for the condition';
    const sum = { ...event('web-0', 'FailedMount', text), ...late };
    const { cause } = await why([...ready, mountFailed('web-0', 'NotFound', 'gone'), sum]);
    expect(cause?.code).toBe('ERR_NOT_FOUND');
  });

  it('is over once the pod runs', async () => {
    const running = [pod('web-0', { phase: 'Running' }), spc('web'), ...node()];
    const { code, events } = await why([...running, mountFailed('web-0', 'NotFound', 'x')]);
    expect([code, events.length]).toEqual([0, 1]);
  });

  it('is of this pod, and not of an earlier one with its name', async () => {
    const old = mountFailed('web-0', 'NotFound', 'x');
    const { events } = await why([...ready, { ...old, involvedObject: { kind: 'Pod', name: 'web-0', uid: 'other' } }]);
    expect(events).toEqual([]);
  });
});

describe('what the provider wrote', () => {
  const ready = [pod('web-0'), spc('web'), ...node()];

  it.each([true, false])('is read in both formats (JSON: %s), and each error code has its next step', (json) => {
    for (const code of Object.keys(STATUS_OF)) {
      const text = line({ level: 'error', msg: 'Mount failed', code, error: 'the "reason"\nand more' }, json);
      const nextStep = NEXT_STEPS[code as 'ERR_VAULT'];
      expect(causeOfLine(fieldsOf(text.trimEnd()))).toEqual({ code, text: 'the "reason"\nand more', nextStep });
    }
    for (const text of ['', 'plain text', '{"level":', '{"level":"error","code":"x"}', 'level=error code=ERR_X'])
      expect(causeOfLine(fieldsOf(text))).toBeUndefined();
  });

  it('is about this pod only, and the last line of each class decides', async () => {
    const failed = { level: 'error', msg: 'Mount failed', code: 'ERR_NOT_FOUND', error: 'gone' };
    const done = { level: 'info', msg: 'Mounted', code: 'OK' };
    stub().logs.set(
      'akv-n1',
      [
        line({ ...failed, pod: 'web-01' }),
        line({ ...failed, namespace: 'other' }),
        line(failed),
        line({ ...done, secretProviderClass: 'second' }),
      ].join(''),
    );
    const first = await why(ready);
    expect([first.log.length, first.cause?.code]).toEqual([2, 'ERR_NOT_FOUND']);
    stub().logs.set('akv-n1', `${stub().logs.get('akv-n1')}${line(done)}`);
    expect((await why([])).cause).toBeUndefined();
  });

  it('shows the last five lines, and a failed rotation of a pod that runs', async () => {
    const failed = line({ level: 'error', msg: 'Mount failed', code: 'ERR_FORBIDDEN', error: 'no role' });
    stub().logs.set('akv-n1', failed.repeat(30));
    const { log, cause } = await why([pod('web-0', { phase: 'Running' }), spc('web'), ...node()]);
    expect([log.length, cause?.code]).toEqual([5, 'ERR_FORBIDDEN']);
  });
});

describe('what may not be read', () => {
  it.each([
    ['/secrets/', /you may not look for the Secret aio-akv-sp/],
    ['events', /forbidden/],
    ['csidrivers', /forbidden/],
    ['csinodes', /forbidden/],
    ['secretproviderclasses', /forbidden/],
    ['/log$', /its log cannot be read/],
  ])('is unknown: %s', async (what, message) => {
    stub().forbidden = new RegExp(what);
    const secret = { kind: 'Secret', metadata: { name: 'aio-akv-sp', namespace: 'shop' } };
    const objects = [pod('web-0', { secret: 'aio-akv-sp' }), spc('web'), secret, ...node()];
    const { code, findings } = await why(objects);
    expect(code).toBe(0);
    expect(findings.filter(({ state }) => state === 'unknown').map((one) => one.message)).toEqual([
      expect.stringMatching(message),
    ]);
  });

  it('is no pod of the webhook, which has the same name in its labels', async () => {
    const [driver, registered, provider] = node();
    const labels = { ...provider?.metadata.labels, 'app.kubernetes.io/component': 'webhook' };
    const webhook = { ...provider, metadata: { ...provider?.metadata, name: 'akv-webhook', labels } } as StubObject;
    const { cause } = await why([pod('web-0'), spc('web'), ...([driver, registered] as StubObject[]), webhook]);
    expect(cause?.code).toBe('PROVIDER_NOT_ON_NODE');
  });

  it('is looked for in kube-system, if the pods of all namespaces may not be listed', async () => {
    stub().forbidden = /^GET \/api\/v1\/pods$/;
    const { findings } = await why([pod('web-0'), spc('web'), ...node()]);
    expect(findings).toContainEqual(expect.objectContaining({ state: 'ok', subject: 'provider' }));
  });
});

describe('kubectl akv why', () => {
  it('prints what it looked at, the cause and one next step', async () => {
    const io = recordedIo();
    stub().objects.push(pod('web-0'), spc('web'), ...node(), mountFailed('web-0', 'NotFound', 'no such secret'));
    const failed = line({ level: 'error', msg: 'Mount failed', code: 'ERR_NOT_FOUND', error: 'no such secret' });
    stub().logs.set('akv-n1', failed.repeat(2));
    expect(await runWhy('pod/web-0', options(), io, clock)).toBe(1);
    expect(io.printed.stdout).toBe(`Pod shop/web-0: Pending on node n1
Events:
  5m ago (x3) FailedMount: no such secret
Looked at:
  ok       volume certs: SecretProviderClass web has no errors
  ok       driver: secrets-store.csi.k8s.io is registered on node n1
  ok       provider: pod kube-system/akv-n1 on node n1 is ready
Last lines of the provider about this pod:
  2026-11-29T11:59:00Z (x2) error Mount failed: ERR_NOT_FOUND: no such secret
Cause (ERR_NOT_FOUND): no such secret
Next step: create the object in the vault, or correct its name or version in the SecretProviderClass
`);
    expect(io.printed.stderr).toBe('');
  });

  it('prints no control characters of the cluster', async () => {
    const io = recordedIo();
    const bad = '\u001b[2J\u202e';
    const error = line({ level: 'error', msg: 'Mount failed', code: 'ERR_VAULT', error: bad });
    stub().objects.push(pod('web-0'), spc('web'), ...node(), event('web-0', 'FailedMount', bad));
    stub().logs.set('akv-n1', error);
    await runWhy('web-0', options(), io, clock);
    expect(io.printed.stdout.match(/\\x1b\[2J\\u202e/g)).toHaveLength(3);
    for (const character of bad.replace('[2J', '')) expect(io.printed.stdout).not.toContain(character);
  });

  it('never asks for the contents of a Secret', async () => {
    const secret = { kind: 'Secret', metadata: { name: 'aio-akv-sp', namespace: 'shop' } };
    await why([pod('web-0', { secret: 'aio-akv-sp' }), spc('web'), secret, ...node()]);
    const asked = stub().requests.filter(({ url }) => url.includes('/secrets/'));
    expect(asked.map(({ headers }) => headers.accept)).toEqual([
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
  });

  it('names the nearest pod, if there is none of the name', async () => {
    const { code, io } = await why([pod('web-0')], 'web-9');
    expect([code, io.printed.stderr]).toEqual([
      1,
      'error: there is no pod "web-9" in namespace "shop"; did you mean "web-0"?\n',
    ]);
  });

  it('looks no further at a pod of another provider', async () => {
    const aws = { ...spc('web', {}, 'aws'), spec: { provider: 'aws', parameters: { objects: '' } } };
    const { code, findings } = await why([pod('web-0'), aws]);
    expect([code, findings.map(({ state }) => state)]).toEqual([0, ['unknown']]);
  });

  it('refuses what is no name of a pod', async () => {
    const { code, io } = await why([], 'deploy/web');
    expect([code, io.printed.stderr]).toEqual([2, expect.stringContaining('"deploy/web" is no name of a pod')]);
  });
});
