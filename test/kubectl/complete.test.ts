import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { complete } from '../../src/cli/kubectl/complete.ts';
import { pluginProgram } from '../../src/cli/kubectl.ts';
import { recordedIo } from '../support/cli.ts';
import { pod, useCluster } from './cluster.ts';

const { stub } = useCluster();
const directMount = () => Promise.reject(new Error('no Mount is asked for'));

async function completed(...words: readonly string[]): Promise<readonly string[]> {
  const io = recordedIo({ env: { KUBECONFIG: stub().kubeconfig } });
  await complete(words, pluginProgram({ directMount }), io);
  const lines = io.printed.stdout.trimEnd().split('\n');
  expect(lines.pop()).toBe(':4');
  return lines;
}

describe('the completion of kubectl akv', () => {
  it('completes commands, options and their values', async () => {
    expect(await completed('')).toEqual(['status', 'why', 'check', 'connect']);
    expect(await completed('c')).toEqual(['check', 'connect']);
    expect(await completed('status', '--all')).toEqual(['--all-namespaces']);
    expect(await completed('status', '-o', '')).toEqual(['wide', 'json']);
    expect(await completed('connect', '--dry-run', 's')).toEqual(['server']);
    expect(await completed('nonsense', '')).toEqual(['status', 'why', 'check', 'connect']);
  });

  it('completes pods for why, and nothing if the cluster does not answer', async () => {
    stub().objects.push(pod('web-0'), pod('web-1'), pod('db-0'));
    expect(await completed('why', 'web')).toEqual(['web-0', 'web-1']);
    expect(await completed('why', 'web-0', '')).toEqual([]);
    stub().forbidden = /pods/;
    expect(await completed('why', '')).toEqual([]);
  });

  it('completes pods of the namespace and the cluster that the words before choose', async () => {
    stub().objects.push(pod('web-0'));
    expect(await completed('why', '-n', 'other', '')).toEqual([]);
    expect(await completed('why', '--namespace=shop', '')).toEqual(['web-0']);
    expect(await completed('why', '--context', 'absent', '')).toEqual([]);
    expect(await completed('why', '--context', 'stub', '-o', 'nonsense', '')).toEqual([]);
    expect(await completed('why', '-n', 'shop', 'web-0', '')).toEqual([]);
  });

  it('is the program under the name that kubectl calls', () => {
    const printed = execFileSync(process.execPath, ['dist/kubectl_complete-akv.js', 'wh'], { encoding: 'utf8' });
    expect(printed).toBe('why\n:4\n');
  });
});
