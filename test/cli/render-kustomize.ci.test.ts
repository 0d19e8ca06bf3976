/**
 * Runs the commands of docs/kustomize.md with the real kustomize and kubectl, and merges patches into workloads of each kind.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { codeBlocks, root, textOf } from '../support/markdown.ts';
import { findTool } from '../support/tools.ts';

const hasKustomize = findTool('kustomize', 'version');
const CLASS = 'broker-listener-tls-listener-manual-tls';
const [command = '', build = ''] = (codeBlocks(textOf('docs/kustomize.md'), 'sh')[0] ?? '').trim().split('\n');
const [overlay = ''] = codeBlocks(textOf('docs/kustomize.md'), 'yaml');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-kustomize-'));
  put('akv-csi', `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist/main.js')}' "$@"\n`);
  chmodSync(join(directory, 'akv-csi'), 0o755);
  put('overlay/kustomization.yaml', overlay);
  put('base/kustomization.yaml', 'resources: [workload.yaml]\n');
  mkdirSync(join(directory, 'broker'));
  cpSync(join(root, 'examples/broker-listener.yaml'), join(directory, 'broker/broker-listener.yaml'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(name: string, text: string): void {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Puts a workload of a kind into the base. */
function putWorkload(apiVersion: string, kind: string, path: readonly string[] = ['spec', 'template']): void {
  const containers = [
    { name: 'mosquitto', image: 'eclipse-mosquitto:2', volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { name: 'side', image: 'side' },
  ];
  const spec = { containers, volumes: [{ name: 'data', emptyDir: {} }] };
  const inner = [...path, 'spec'].reduceRight<object>((value, key) => ({ [key]: value }), spec);
  put(
    'base/workload.yaml',
    stringify({ apiVersion, kind, metadata: { name: 'mosquitto', namespace: 'azure-iot-operations' }, ...inner }),
  );
}

function run(line: string) {
  const env = { ...process.env, PATH: `${directory}${delimiter}${process.env.PATH ?? ''}` };
  return spawnSync('bash', ['-o', 'pipefail', '-c', line], { cwd: directory, env, encoding: 'utf8' });
}

interface Built {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

function built(text: string): readonly Built[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Built);
}

describe.skipIf(!hasKustomize)('with the real Kustomize', () => {
  it.each([
    ['apps/v1', 'Deployment'],
    ['apps/v1', 'StatefulSet'],
    ['apps/v1', 'DaemonSet'],
    ['apps/v1', 'ReplicaSet'],
    ['v1', 'ReplicationController'],
    ['v1', 'Pod', []],
    ['v1', 'PodTemplate', ['template']],
    ['batch/v1', 'Job'],
    ['batch/v1', 'CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
  ] as const)('%s %s keeps what it has, and gets its volume', (apiVersion, kind, path?: readonly string[]) => {
    putWorkload(apiVersion, kind, path);
    expect(run(command.replace('/deploy/', `/${kind}/`)).status).toBe(0);
    const { status, stdout, stderr } = run('kustomize build overlay');
    expect([status, stderr]).toEqual([0, '']);
    const [workload, spc] = built(stdout).toSorted((a, b) => Number(b.kind === kind) - Number(a.kind === kind));
    expect(spc).toMatchObject({ kind: 'SecretProviderClass', metadata: { name: CLASS } });
    const spec = [...(path ?? ['spec', 'template']), 'spec'].reduce<unknown>(
      (value, key) => (value as Record<string, unknown>)[key],
      workload,
    );
    const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name).toSorted();
    const { containers, volumes } = spec as {
      containers: { name: string; image: string; volumeMounts?: { name: string; mountPath: string }[] }[];
      volumes: { name: string }[];
    };
    expect(names(volumes)).toEqual([CLASS, 'data']);
    expect(containers.map(({ image }) => image)).toEqual(['eclipse-mosquitto:2', 'side']);
    expect(names(containers[0]?.volumeMounts ?? [])).toEqual([CLASS, 'data']);
    expect(containers[1]?.volumeMounts).toBeUndefined();
  });

  it('gives the same as kubectl kustomize, the command of the page', () => {
    putWorkload('apps/v1', 'Deployment');
    expect(run(command).status).toBe(0);
    const [shown = ''] = build.split(' | ');
    expect(shown).toBe('kubectl kustomize overlay');
    expect(run(shown)).toMatchObject({ status: 0, stdout: run('kustomize build overlay').stdout });
  });

  it('stops if the base has no such workload', () => {
    putWorkload('apps/v1', 'StatefulSet');
    run(command);
    const { status, stderr } = run('kustomize build overlay');
    expect(status).not.toBe(0);
    expect(stderr).toContain('no resource matches strategic merge patch');
  });
});
