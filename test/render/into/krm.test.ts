import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { functionOptions } from '../../../src/render/into/krm.ts';
import { CLASS_NAME, filter, RESOURCE, workload } from './streams.ts';

interface List {
  readonly items: readonly { readonly kind: string; readonly metadata: object }[];
  readonly results?: readonly object[];
}

function listOf(...texts: readonly string[]): string {
  const items = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
  return stringify({ apiVersion: 'config.kubernetes.io/v1', kind: 'ResourceList', items });
}

function filtered(text: string): List {
  return parse(filter([text]).text);
}

describe('a ResourceList', () => {
  it('gets the classes as items, and remarks as results', () => {
    const { items, results } = filtered(listOf(workload('BrokerListener/front'), RESOURCE));
    expect(items.map(({ kind }) => kind)).toEqual(['Deployment', 'BrokerListener', 'SecretProviderClass']);
    expect(results).toEqual([
      { message: expect.stringContaining('kubectl label secret aio-akv-sp'), severity: 'info' },
    ]);
  });

  it('needs no change a second time', () => {
    const { text } = filter([listOf(workload('BrokerListener/front'), RESOURCE)]);
    expect(filter([text]).text).toBe(text);
  });

  it('tells mistakes in its results, and its items stay', () => {
    const { items, results = [] } = filtered(listOf(workload('BrokerListener/nope'), RESOURCE));
    expect(items.map(({ kind }) => kind)).toEqual(['Deployment', 'BrokerListener']);
    expect(results).toContainEqual({ message: expect.stringContaining('did you mean'), severity: 'error' });
  });

  it('keeps the comments of items', () => {
    const list = `apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n${indented(workload('BrokerListener/front'))}${indented(RESOURCE)}`;
    expect(filter([list]).text).toContain('        - name: main # its only one\n');
  });

  it.each([
    ['broker/front.yaml', `broker/secretproviderclass_${CLASS_NAME}.yaml`],
    ['front.yaml', `secretproviderclass_${CLASS_NAME}.yaml`],
  ])('names the file of a class next to that of its resource: %s', (path, expected) => {
    const annotations = `  annotations: {config.kubernetes.io/path: ${path}, config.kubernetes.io/index: '1'}\n`;
    const { items } = filtered(listOf(RESOURCE.replace('  name: front\n', `  name: front\n${annotations}`)));
    expect(items[1]?.metadata).toMatchObject({
      annotations: { 'config.kubernetes.io/path': expected, 'akv-csi/from': 'BrokerListener/front/tls' },
    });
    expect(items[1]?.metadata).not.toHaveProperty(['annotations', 'config.kubernetes.io/index']);
  });

  it('on one line names the file of a class next to that of its resource too', () => {
    const items = [parse(RESOURCE), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }];
    for (const [index, { metadata }] of items.entries())
      metadata.annotations = { 'config.kubernetes.io/path': `${index}/file.yaml` };
    const list = filtered(JSON.stringify({ apiVersion: 'config.kubernetes.io/v1', kind: 'ResourceList', items }));
    expect(list.items[2]?.metadata).toMatchObject({
      annotations: { 'config.kubernetes.io/path': `0/secretproviderclass_${CLASS_NAME}.yaml` },
    });
  });
});

/** Returns a document as an item of a list. */
function indented(document: string): string {
  return document
    .replace(/^/gm, '  ')
    .replace(/^ {2}(?! *#)/m, '- ')
    .replace(/ +$/, '');
}

describe('the configuration of a function', () => {
  it('is the data of a ConfigMap, or the spec of any other kind', () => {
    const options = { provider: 'azure-next', pods: 'deploy/a=X/a\n\ndeploy/b=X/b\n' };
    const read = { options: { provider: 'azure-next', pods: ['deploy/a=X/a', 'deploy/b=X/b'] }, mistakes: [] };
    expect(functionOptions({ kind: 'ConfigMap', data: options })).toEqual(read);
    expect(
      functionOptions({ kind: 'RenderInto', spec: { ...options, pods: options.pods.trim().split('\n\n') } }),
    ).toEqual(read);
    expect(functionOptions({ kind: 'RenderInto' })).toEqual({ options: {}, mistakes: [] });
  });

  it.each([
    [{ mountPaht: '/a' }, 'functionConfig.spec.mountPaht is unknown; did you mean "mountPath"?'],
    [
      { other: 'x' },
      'functionConfig.spec.other is unknown; there are: "directoryId", "provider", "mountPath", "syncSecrets", "watchImage", "fileNames", "pods" or "watches"',
    ],
    [{ syncSecrets: 'yes' }, 'functionConfig.spec.syncSecrets is neither true nor false'],
    [{ provider: ['a'] }, 'functionConfig.spec.provider is not a text'],
    [{ pods: { a: 'b' } }, 'functionConfig.spec.pods is neither a list of texts nor a text with a line for each'],
  ])('is refused if it is %j', (spec, mistake) => {
    expect(functionOptions({ kind: 'X', spec }).mistakes).toEqual([mistake]);
  });
});
