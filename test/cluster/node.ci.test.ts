// A reader of the README on a real node: the chart, the real driver, and pods that mount volumes while the provider is
// upgraded, killed and away, and while values change.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { NODE_PUBLISH_SECRET, RESOURCES, SERVER_CERTIFICATE, TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { builtProgram } from '../support/e2e.ts';
import { codeBlocks, root, textOf } from '../support/markdown.ts';
import { eventually } from '../support/process.ts';
import type { KubernetesObject } from './api-server.ts';
import { type Azure, DB_PASSWORD, readmeLines, startAzure } from './azure.ts';
import { installMosquitto, type Mosquitto } from './mosquitto.ts';
import { type Cluster, nodeWanted, startCluster } from './node.ts';
import { podOf, QUICK_START_POD, README_CERTIFICATE, README_SECRETS, ROTATED } from './pods.ts';

const LIMIT_MS = 600_000;
const BROKERS = 'azure-iot-operations';
const DAEMON_SET = 'daemonset/akv-csi-secrets-store-provider-azure';
const DRIVER = 'daemonset/csi-secrets-store-secrets-store-csi-driver';
const SYSTEM = '--namespace=kube-system';
const SOCKETS = '/var/run/secrets-store-csi-providers';
const MANAGED = ['-l', 'secrets-store.csi.k8s.io/managed', '-o', 'json'];
const [install = ''] = readmeLines('helm');

/** The fields of objects that these tests read. */
interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: { readonly containerStatuses: readonly { readonly restartCount: number }[] };
}
interface Workload {
  readonly spec: { readonly template: { readonly spec: { readonly volumes?: unknown } } };
}
interface Secret {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

describe.skipIf(!nodeWanted())('a cluster of one node', { timeout: LIMIT_MS }, () => {
  let cluster: Cluster;
  let azure: Azure;
  let mosquitto: Mosquitto;
  let client: MqttClient;
  let firstCertificate: string;
  let closed = false;
  beforeAll(async () => {
    cluster = await startCluster();
    azure = await startAzure(cluster);
  }, LIMIT_MS);
  afterAll(async () => {
    await azure?.close();
    await cluster?.stop();
  }, LIMIT_MS);

  const ready = (pod: string, namespace = 'default') =>
    cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=10m', `pod/${pod}`, `--namespace=${namespace}`]);
  const rolledOut = () => cluster.kubectl(['rollout', 'status', DAEMON_SET, SYSTEM, '--timeout=10m']);
  const createPod = (name: string) => cluster.apply(podOf(name));
  const fileOf = (pod: string, name = 'db-password') => cluster.exec(pod, ['cat', `/secrets/${name}`]);
  /** Returns the names of the pods of an upgrade of which a mount failed. */
  const failedMounts = async () => {
    const names = '--output=jsonpath={range .items[*]}{.involvedObject.name} {end}';
    const listed = await cluster.kubectl(['get', 'events', '--field-selector=reason=FailedMount', names]);
    return listed.split(' ').filter((name) => name.startsWith('upgrade-'));
  };
  const providerPods = async () => {
    const listed = await cluster.kubectl(['get', 'pods', SYSTEM, '-l', 'app.kubernetes.io/instance=akv', '-o', 'json']);
    return (JSON.parse(listed) as { readonly items: readonly Pod[] }).items;
  };
  const upgrade = (...flags: readonly string[]) =>
    azure.shell([install.replace('install', 'upgrade'), '--values', azure.valuesFile, ...flags].join(' '));

  test('installs the chart by the line of the README', async () => {
    await azure.shell(`${install} --values ${azure.valuesFile}`);
    await rolledOut();
    const restarts = (await providerPods()).map(({ status }) =>
      status.containerStatuses.map((one) => one.restartCount),
    );
    expect(restarts).toEqual([[0]]);
  });

  test('mounts a secret by step 4 of the quick start, with the names of docs/emulator.md', async () => {
    const shown = await azure.shell(QUICK_START_POD);
    expect(shown.split('\n').at(-1)).toBe(DB_PASSWORD);
    await cluster.kubectl(['delete', 'pod/app', '--now']);
  });

  test('mounts both examples of the README and shows their files', async () => {
    await cluster.kubectl(['create', 'namespace', BROKERS]);
    const [create = '', ...reads] = readmeLines('kubectl');
    await azure.shell(create);
    for (const manifest of [README_CERTIFICATE, README_SECRETS]) await cluster.apply(manifest);
    await ready('tls-listener', BROKERS);
    await ready('app');
    const contents: string[] = [];
    for (const line of reads) contents.push(await azure.shell(line));
    expect(contents).toEqual([expect.stringMatching(/^-----BEGIN CERTIFICATE-----/), DB_PASSWORD]);
    expect(await fileOf('app', 'tls/web.pem')).toContain('PRIVATE KEY');
  });

  test('shows what is mounted, and why a pod waits, by the kubectl plugin', async () => {
    const [classOfReadme = ''] = README_SECRETS.split('---\n');
    await cluster.apply(classOfReadme.replace('name: app', 'name: absent').replace('db-password', 'no-such-secret'));
    await cluster.apply(podOf('absent', 'absent'));
    const plugin = (line: string) => azure.shell(`${process.execPath} dist/kubectl-akv.js ${line}`);
    await cluster.kubectl(['wait', '--for=create', '--timeout=5m', 'events', '--field-selector=reason=FailedMount']);
    const status = await plugin('status -A');
    expect(status).toMatch(/^azure-iot-operations +tls-listener +1\/1 +current +in \d+d +-$/m);
    // From the metrics of the provider, through the API server and the kubelet.
    expect(status).toMatch(
      /^default +absent +0\/1 +- +- +.*pod absent failed \d+ times in a row: failed to mount objects/m,
    );
    // From its log.
    const why = await plugin('why absent').catch((error: Error) => error.message);
    expect(why).toMatch(/\(x\d+\) error Mount failed: ERR_NOT_FOUND: failed to mount objects/);
    expect(why).toMatch(/^Cause \(ERR_NOT_FOUND\): .*no-such-secret.*\nNext step: create the object in the vault/m);
    expect(await plugin('why tls-listener -n azure-iot-operations')).toContain('Nothing is wrong.');
    await cluster.kubectl(['delete', 'pod,secretproviderclass', 'absent', '--wait=false']);
  });

  test('mounts the three broker resources as render prints them, and keeps their Secrets', async () => {
    const render = (...args: readonly string[]) =>
      execFileSync(
        process.execPath,
        [builtProgram(), 'render', '--directory-id', TENANT, ...args, ...RESOURCES.map(({ name }) => name)],
        { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
    const classes = render('--sync-secrets');
    await cluster.apply(classes);
    const { volumes, volumeMounts } = parse(render('--format', 'volumes')) as {
      readonly volumes: readonly object[];
      readonly volumeMounts: readonly { readonly mountPath: string }[];
    };
    const container = { name: 'main', image: 'busybox:1.37', volumeMounts };
    const metadata = { name: 'broker', namespace: BROKERS };
    await cluster.apply(
      JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container], volumes } }),
    );
    await ready('broker', BROKERS);
    const paths = volumeMounts.map(({ mountPath }) => mountPath);
    const listed = await cluster.exec('broker', ['sh', '-c', `ls ${paths.join(' ')}`], BROKERS);
    expect(listed.trim().split('\n\n')).toEqual([
      '/mnt/secrets-store/broker-authentication-my-authentication-username-password:\npasswords.toml',
      '/mnt/secrets-store/broker-listener-tls-listener-manual-tls:\nca.crt\ntls.crt\ntls.key',
      '/mnt/secrets-store/mqtt-bridge-connector-my-bridge-x509:\nclient_cert.pem\nclient_intermediate_certs.pem\nclient_key.pem',
    ]);
    const secrets = async () => {
      const listed = await cluster.kubectl(['get', 'secrets', '-n', BROKERS, ...MANAGED]);
      return (JSON.parse(listed) as { readonly items: readonly Secret[] }).items;
    };
    await eventually(async () => (await secrets()).length === 3);
    expect((await secrets()).map(({ type, data }) => [type, Object.keys(data).join()])).toEqual([
      ['Opaque', 'passwords.toml'],
      ['kubernetes.io/tls', 'tls.crt,tls.key'],
      ['Opaque', 'client_cert.pem,client_intermediate_certs.pem,client_key.pem'],
    ]);
    await cluster.kubectl(['delete', 'pod/broker', '--now', `--namespace=${BROKERS}`]);
    await eventually(async () => (await secrets()).length === 0);
    await cluster.kubectl(['delete', '-f', '-'], classes);
  });

  test('runs the mosquitto of a chart with the volumes that the post-renderer adds', async () => {
    mosquitto = await installMosquitto(cluster, azure);
    client = await mosquitto.connect();
    client.on('close', () => {
      closed = true;
    });
    await client.subscribeAsync('demo');
    firstCertificate = await mosquitto.fingerprint();
    await azure.emulator.rotateCertificate(VAULT, SERVER_CERTIFICATE);
  });

  test('gives a pod a value as a file and, by its Secret, as a variable of the environment', async () => {
    azure.emulator.setSecret(VAULT, 'rotated', 'first');
    await cluster.apply(ROTATED);
    await ready('rotated');
    expect(await fileOf('rotated', 'rotated')).toBe('first');
    expect(await cluster.exec('rotated', ['sh', '-c', 'echo $VALUE'])).toBe('first\n');
    azure.emulator.setSecret(VAULT, 'rotated', 'second');
  });

  const OWN_NETWORK = '--set "identityModes={workload-identity,service-principal}"';
  test.each([
    ["on the node's network", '', 'node'],
    ["from the node's network to a network of its own", OWN_NETWORK, 'leave'],
    ['on a network of its own, without a gap', OWN_NETWORK, 'own'],
  ])('upgrades %s while pods are created, and no mount fails', async (name, flags, round) => {
    await upgrade(flags, `--set-string linux.podAnnotations.round=${round}`);
    let over = false;
    const upgraded = rolledOut().finally(() => {
      over = true;
    });
    const pods: string[] = [];
    // Some pods more after the end of the upgrade.
    for (let more = 5; more > 0; more -= over ? 1 : 0) {
      const pod = `upgrade-${round}-${pods.length}`;
      await createPod(pod);
      pods.push(pod);
    }
    await upgraded;
    for (const pod of pods) {
      await ready(pod);
      expect(await fileOf(pod)).toBe(DB_PASSWORD);
    }
    console.log(`${pods.length} pods ${name}`);
    expect(await failedMounts()).toEqual([]);
    await cluster.kubectl(['delete', 'pod', '--now', ...pods]);
  });

  test('mounts after the process of the provider was killed', async () => {
    for (const pid of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/app/main.js\0serve'))
        process.kill(Number(pid), 'SIGKILL');
    }
    await createPod('killed');
    await ready('killed');
    expect(await fileOf('killed')).toBe(DB_PASSWORD);
    expect((await providerPods()).map(({ status }) => status.containerStatuses[0]?.restartCount)).toEqual([1]);
  });

  test('mounts a pod that was created while the provider was away, when it is back', async () => {
    const select = (selector: object) =>
      cluster.kubectl([
        'patch',
        DAEMON_SET,
        SYSTEM,
        '--patch',
        JSON.stringify({ spec: { template: { spec: { nodeSelector: selector } } } }),
      ]);
    await select({ away: 'true' });
    await eventually(async () => (await providerPods()).length === 0);
    expect(readdirSync(SOCKETS)).toEqual([]);
    await createPod('away');
    const { metadata } = await cluster.get<Pod>('pod', 'away');
    // The driver has been asked, and waits.
    await eventually(() => existsSync(`/var/lib/kubelet/pods/${metadata.uid}/volumes/kubernetes.io~csi/secrets/mount`));
    await select({ away: null });
    await ready('away');
    expect(await fileOf('away')).toBe(DB_PASSWORD);
  });

  test('brings the changed value into the file and the Secret by the republish of the kubelet', async () => {
    await eventually(async () => (await fileOf('rotated', 'rotated')) === 'second');
    const value = async () => (await cluster.get<Secret>('secret', 'rotated')).data.value;
    await eventually(async () => Buffer.from((await value()) ?? '', 'base64').toString() === 'second');
  });

  test('has the renewed certificate in mosquitto, whose client has stayed connected', async () => {
    await eventually(async () => (await mosquitto.fingerprint()) !== firstCertificate);
    expect(await mosquitto.watchLog()).toMatch(/tls\.crt/);
    const received = new Promise((resolve) => client.once('message', (_topic, payload) => resolve(String(payload))));
    await client.publishAsync('demo', 'still here');
    expect(await received).toBe('still here');
    expect(closed).toBe(false);
    await client.endAsync(true);
  });

  test('gives the pod of a StatefulSet its volume by the webhook, and leaves the StatefulSet alone', async () => {
    await upgrade('--set webhook.enabled=true');
    const component = '--selector=app.kubernetes.io/component=webhook';
    await cluster.kubectl(['rollout', 'status', 'deployment', component, SYSTEM, '--timeout=5m']);
    const [shown = ''] = codeBlocks(textOf('docs/webhook.md'), 'yaml').filter((text) =>
      text.includes('kind: StatefulSet'),
    );
    const sleeping = shown.replace('"eclipse-mosquitto:2.0"', '"busybox:1.37"');
    await cluster.apply(sleeping);
    const { metadata, spec } = parse(sleeping) as KubernetesObject & Workload;
    const pod = `${metadata.name}-0`;
    await cluster.kubectl(['wait', '--for=create', '--timeout=5m', `pod/${pod}`, `--namespace=${BROKERS}`]);
    await ready(pod, BROKERS);
    expect(await cluster.exec(pod, ['cat', '/tls/tls.crt'], BROKERS)).toMatch(/^-----BEGIN CERTIFICATE-----/);
    const stored = await cluster.get<Workload>('statefulset', metadata.name, BROKERS);
    expect(stored.spec.template.spec.volumes).toBeUndefined();
    expect(stored.spec.template).toMatchObject(spec.template);
  });

  test('writes no credentials and no tokens to a log', async () => {
    const logs = [
      cluster.logOf('kubelet'),
      await cluster.kubectl(['logs', DAEMON_SET, SYSTEM]),
      await cluster.kubectl(['logs', DRIVER, SYSTEM, '--all-containers']),
    ];
    expect(logs.every((log) => log.length > 100)).toBe(true);
    for (const log of logs)
      expect(log).not.toMatch(new RegExp(`${NODE_PUBLISH_SECRET.clientsecret}|eyJ|${DB_PASSWORD}`));
  });

  test('leaves no socket behind when it is uninstalled', async () => {
    await azure.shell('helm uninstall akv --namespace kube-system');
    await eventually(() => readdirSync(SOCKETS).length === 0);
  });
});
