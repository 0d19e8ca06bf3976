// Runs the commands of docs/kubectl.md with the rights of the page.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { runPlugin } from '../../src/cli/kubectl.ts';
import { NEXT_STEPS } from '../../src/kubectl/causes.ts';
import { STATUS_OF } from '../../src/server/status.ts';
import type { StubObject, StubRequest } from '../support/kube-stub.ts';
import { codeBlocks, firstColumn, root, section, textOf } from '../support/markdown.ts';
import { mounted, node, pod, spc, TENANT, useCluster } from './cluster.ts';

const { stub } = useCluster();
const directMount = () => Promise.reject(new Error('no Mount is asked for'));
const PAGE = 'docs/kubectl.md';
const NAMESPACE = 'azure-iot-operations';
const blocks = (language: string) => codeBlocks(textOf(PAGE), language);
const commands = blocks('sh').flatMap((text) => text.trim().split('\n'));
const rules = blocks('yaml')
  .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()))
  .flatMap(({ rules }) => rules as readonly Record<'apiGroups' | 'resources' | 'verbs', readonly string[]>[]);

/** The right that a request needs, as `verb group/resource`. Discovery needs none. */
function rightOf({ method, url }: StubRequest): readonly [string, string, string] | undefined {
  const [path = ''] = url.split('?');
  const [, group = '', rest = ''] = /^\/(?:api|apis\/([^/]+))\/v[^/]+\/(.+)$/.exec(path) ?? [];
  if (rest === '') return undefined;
  const [plural = '', name, part] = rest.replace(/^namespaces\/[^/]+\//, '').split('/');
  const verb = method === 'PATCH' ? 'patch' : name === undefined ? 'list' : 'get';
  return [verb, group, part === undefined ? plural : `${plural}/${part}`];
}

function isGranted(request: StubRequest): boolean {
  const right = rightOf(request);
  if (right === undefined) return true;
  const [verb, group, resource] = right;
  const has = (list: readonly string[], one: string) => list.includes(one) || list.includes('*');
  return rules.some((rule) => has(rule.apiGroups, group) && has(rule.resources, resource) && has(rule.verbs, verb));
}

function objects(): readonly StubObject[] {
  const moved = (one: StubObject): StubObject => ({ ...one, metadata: { ...one.metadata, namespace: NAMESPACE } });
  const text = readFileSync('examples/broker-listener.yaml', 'utf8').replace('<AKV directory ID>', TENANT);
  const listener = moved(parse(text) as StubObject);
  const containers = [{ name: 'broker', image: 'eclipse-mosquitto' }];
  const spec = { template: { spec: { containers } } };
  return [
    ...node(),
    listener,
    spc('web'),
    ...[spc('web'), pod('broker-2'), mounted('broker-1', 'v1', '2026-11-29T11:00:00Z')].map(moved),
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'mosquitto', namespace: NAMESPACE }, spec },
  ];
}

describe('docs/kubectl.md', () => {
  it('shows each command', () => {
    expect([...new Set(commands.map((line) => line.split(' ')[2]))]).toEqual(['status', 'why', 'check', 'connect']);
  });

  it.each(commands)('%s works with the rights of the page', async (line) => {
    stub().objects.push(...objects());
    stub().metrics.set('akv-n1', '');
    const refused: string[] = [];
    stub().answer = (request, response) => {
      if (isGranted(request)) return false;
      refused.push(`${request.method} ${request.url}`);
      response.writeHead(403).end('{}');
      return true;
    };
    const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const remarks = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const [, , ...args] = line.split(' ');
    try {
      await runPlugin([...args, '--kubeconfig', stub().kubeconfig], { directMount });
      expect([refused, output.mock.calls.length > 0, process.exitCode]).toEqual([[], true, 0]);
    } finally {
      output.mockRestore();
      remarks.mockRestore();
      process.exitCode = undefined;
    }
  });

  it.each(['kubectl-akv', 'kubectl-akv.js'])('the program is the plugin under the name %s', async (name) => {
    const path = join(mkdtempSync(join(tmpdir(), 'akv-plugin-')), name);
    symlinkSync(join(root, 'dist/main.js'), path);
    const { stdout } = await promisify(execFile)(process.execPath, [path, 'status', '--help']);
    expect(stdout).toContain('Usage: kubectl akv status');
  });

  it('lists the causes of why', () => {
    const own = Object.keys(NEXT_STEPS).filter((code) => !(code in STATUS_OF));
    expect(
      firstColumn(section(PAGE, 'why'))
        .map((cell) => cell.replaceAll('`', ''))
        .toSorted(),
    ).toEqual(own.toSorted());
  });
});
