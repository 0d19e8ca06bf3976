/**
 * Runs the commands of docs/into.md with the real helm, kustomize and kubectl on the files of that page, and on a chart.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { findHelm } from '../chart/helm.ts';
import { codeBlocks, root, textOf } from '../support/markdown.ts';
import { findTool } from '../support/tools.ts';

const PAGE = textOf('docs/into.md');
const hasHelm = findHelm() !== undefined;
const hasKustomize = findTool('kustomize', 'version');
const CLASS = 'broker-listener-tls-listener-manual-tls';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-into-'));
  put('akv-csi', `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist/main.js')}' "$@"\n`);
  chmodSync(join(directory, 'akv-csi'), 0o755);
  for (const block of codeBlocks(PAGE, 'yaml')) put(/^# (\S+)\n/.exec(block)?.[1] ?? '', block);
  mkdirSync(join(directory, 'broker'));
  for (const name of ['broker-listener.yaml', 'broker-authentication.yaml'])
    cpSync(join(root, 'examples', name), join(directory, 'broker', name));
  putChart();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function put(name: string, text: string): void {
  writeFileSync(join(directory, name), text);
}

/** Charts of a Deployment with annotations from its values: `chart` with a broker resource, `plain` without. */
function putChart(): void {
  mkdirSync(join(directory, 'chart/templates'), { recursive: true });
  put('chart/Chart.yaml', 'apiVersion: v2\nname: broker\nversion: 0.1.0\n');
  put('chart/values.yaml', 'podAnnotations: {}\n');
  put(
    'chart/templates/deployment.yaml',
    `apiVersion: apps/v1
kind: Deployment
metadata: {name: mosquitto, namespace: azure-iot-operations}
spec:
  selector: {matchLabels: {app: mosquitto}}
  template:
    metadata:
      labels: {app: mosquitto}
      annotations: {{- toYaml .Values.podAnnotations | nindent 8 }}
    spec:
      containers:
        - name: mosquitto
          image: eclipse-mosquitto:2
`,
  );
  cpSync(join(directory, 'chart'), join(directory, 'plain'), { recursive: true });
  cpSync(join(root, 'examples/broker-listener.yaml'), join(directory, 'chart/templates/listener.yaml'));
}

function run(command: string) {
  const env = { ...process.env, PATH: `${directory}${delimiter}${process.env.PATH ?? ''}` };
  return spawnSync('bash', ['-o', 'pipefail', '-c', command], { cwd: directory, env, encoding: 'utf8' });
}

/** Returns the commands of the page that begin with a word, as they are there. */
function commandsOf(word: string): readonly string[] {
  return codeBlocks(PAGE, 'sh').flatMap((block) => (block.startsWith(word) ? [block.trim()] : []));
}

function manifestsOf(text: string): readonly Record<string, unknown>[] {
  return parseAllDocuments(text).map((document) => document.toJS());
}

function kindsOf(text: string): readonly unknown[] {
  return manifestsOf(text).map(({ kind }) => kind);
}

it('in a pipe: the first command of the page, without kubectl', () => {
  const [command = ''] = commandsOf('akv-csi');
  const { status, stdout } = run(command.replace(' | kubectl apply -f -', ''));
  expect(status).toBe(0);
  expect(kindsOf(stdout)).toEqual([
    'BrokerAuthentication',
    'SecretProviderClass',
    'BrokerListener',
    'SecretProviderClass',
    'Deployment',
  ]);
  expect(stdout).toContain('        - name: mosquitto # keeps its comments\n');
  expect(stdout).toContain('directoryId: 11111111-1111-1111-1111-111111111111\n');
});

it('without arguments the program filters a pipe or a file, and helps at a terminal', () => {
  expect(run('echo "kind: ConfigMap" | akv-csi').stdout).toBe('kind: ConfigMap\n');
  expect(run('akv-csi < deployment.yaml').stderr).toContain(
    'there is no BrokerListener "tls-listener-manual" in the stream',
  );
  expect(run('akv-csi < /dev/null').stderr).toContain('Usage: akv-csi');
});

describe.skipIf(!hasHelm)('as a post-renderer of helm', () => {
  it.each(commandsOf('helm').map((command) => [command]))('%s', (command) => {
    const { status, stdout, stderr } = run(command);
    expect([status, stderr]).toEqual([0, '']);
    const others = command.includes('./plain') ? ['SecretProviderClass'] : ['BrokerListener'];
    expect(kindsOf(stdout).toSorted()).toEqual([...others, 'Deployment', 'SecretProviderClass'].toSorted());
    expect(stdout).toContain(`            secretProviderClass: ${CLASS}\n`);
    expect(stdout).toContain(`  provider: ${command.includes('azure-next') ? 'azure-next' : 'azure'}\n`);
  });

  it('stops helm after a mistake, with the mistake', () => {
    const { status, stdout, stderr } = run(
      `${commandsOf('helm')[0]?.replace('tls-listener-manual', 'tls-listner-manual')}`,
    );
    expect([status === 0, stdout]).toEqual([false, '']);
    expect(stderr).toContain('there is no BrokerListener "tls-listner-manual" in the stream; did you mean');
  });
});

describe.skipIf(!hasKustomize)('as a function of kustomize', () => {
  it.each(commandsOf('kustomize').map((command) => [command]))('%s', (command) => {
    const { status, stdout } = run(command);
    expect(status).toBe(0);
    expect(kindsOf(stdout).toSorted()).toEqual([
      'BrokerAuthentication',
      'BrokerListener',
      'Deployment',
      'SecretProviderClass',
      'SecretProviderClass',
    ]);
    expect(stdout).toContain('mountPath: /mosquitto/tls\n');
    expect(stdout).toContain('mountPath: /etc/akv/my-authentication\n');
    // Annotations of the convention do not reach the output.
    expect(stdout).not.toContain('config.kubernetes.io');
    const again = execFileSync(
      'node',
      [
        join(root, 'dist/main.js'),
        'render',
        '--into',
        '--directory-id=11111111-1111-1111-1111-111111111111',
        '--mount-path=/etc/akv/{name}',
      ],
      { input: stdout, encoding: 'utf8' },
    );
    expect(again).toBe(stdout);
  });

  it('stops kustomize after a mistake, with the mistake', () => {
    const [deployment = ''] = codeBlocks(PAGE, 'yaml');
    put('deployment.yaml', deployment.replace('BrokerListener/tls', 'BrokerListener/tsl'));
    const { status, stdout, stderr } = run(commandsOf('kustomize')[0] ?? '');
    expect([status === 0, stdout]).toEqual([false, '']);
    expect(stderr).toContain('there is no BrokerListener "tsl-listener-manual" in the stream; did you mean');
  });
});
