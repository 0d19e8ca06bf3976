import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CLASS_NAME, filter, RESOURCE, withoutLabels, workload } from './streams.ts';

const CONFIG_MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n';
const ADDED_MOUNT = `          volumeMounts:
          - name: ${CLASS_NAME}
            mountPath: /tls
            readOnly: true
`;

function documentsOf(text: string) {
  return parseAllDocuments(text).map((document): Record<string, never> => document.toJS());
}

function kindsOf(text: string): readonly string[] {
  return documentsOf(text).map(({ kind = '' }) => kind);
}

describe('documents that ask for nothing', () => {
  it.each([
    [
      'comments, blanks and quotes',
      `# a\n\n---   # b\n${CONFIG_MAP}data:   {a: 'x',  "b": 0010 } # c\n\n# d\n---\n# e\n`,
    ],
    ['line breaks of Windows', CONFIG_MAP.replaceAll('\n', '\r\n')],
    ['a byte order mark', `\uFEFF${CONFIG_MAP}`],
    ['anchors and merges', `${CONFIG_MAP}data: &d {a: b}\nx: {<<: *d}\n`],
    ['no line break at the end', CONFIG_MAP.trimEnd()],
    ['ends of documents and directives', `%YAML 1.1\n---\n${CONFIG_MAP}...\n# a\n%YAML 1.1\n---\n${CONFIG_MAP}...\n`],
    ['JSON', `{"kind": "ConfigMap",\t"metadata": {"name": "c"}}`],
    ['a custom resource with a keyVault of its own', `${CONFIG_MAP}spec: {keyVault: {url: x}}\n`],
    ['a workload that does not ask', workload('BrokerListener/front').replace('akv-csi/mount', 'other')],
    ['a stream of nothing', ''],
    ['a stream of comments', '# a\n---\n# b\n'],
  ])('stay byte for byte: %s', (_, text) => {
    expect(filter([text])).toMatchObject({ text, mistakes: [] });
  });

  it('of several files are joined by marks where none are', () => {
    const bare = CONFIG_MAP.trimEnd();
    expect(filter([bare, `\uFEFF${bare}`, `# a\n---\n${bare}`, `%YAML 1.1\n---\n${bare}`]).text).toBe(
      `${bare}\n---\n${bare}\n# a\n---\n${bare}\n...\n%YAML 1.1\n---\n${bare}`,
    );
  });
});

describe('SecretProviderClasses', () => {
  it('follow the resource that they are of, and everything else stays', () => {
    const { text } = filter([`# top\n${RESOURCE}---\n${CONFIG_MAP}`]);
    expect(kindsOf(text)).toEqual(['BrokerListener', 'SecretProviderClass', 'ConfigMap']);
    expect(text.startsWith(`# top\n${RESOURCE}---\n# From BrokerListener front, spec.tls.keyVault\n`)).toBe(true);
    expect(text.endsWith(`\n---\n${CONFIG_MAP}`)).toBe(true);
  });

  it('have the line breaks of the resource', () => {
    expect(filter([RESOURCE.replaceAll('\n', '\r\n')]).text).not.toMatch(/[^\r]\n/);
  });

  it('are items of the List that the resource is in', () => {
    const list = JSON.stringify({ kind: 'List', apiVersion: 'v1', items: [documentsOf(RESOURCE)[0]] }, null, 2);
    const items = JSON.parse(filter([list]).text).items;
    expect(items.map(({ kind }: { kind: string }) => kind)).toEqual(['BrokerListener', 'SecretProviderClass']);
  });

  it('follow a list of one kind, and kubectl reads the stream as YAML', () => {
    const list = JSON.stringify({ kind: 'BrokerListenerList', apiVersion: 'v1', items: [documentsOf(RESOURCE)[0]] });
    const { text } = filter([list]);
    expect(text.startsWith(`---\n${list}\n---\n`)).toBe(true);
    expect(kindsOf(text)).toEqual(['BrokerListenerList', 'SecretProviderClass']);
  });

  it('that render made are brought up to date where they are, with what others wrote there', () => {
    const made = filter([RESOURCE]).text.replace(
      '  annotations:\n',
      '  labels: {a: b}\n  annotations:\n    c: d # own\n',
    );
    const changed = made.replace('name: my-server-certificate', 'name: other');
    const { text } = filter([`${changed}---\n${CONFIG_MAP}`]);
    expect(kindsOf(text)).toEqual(['BrokerListener', 'SecretProviderClass', 'ConfigMap']);
    expect(text.match(/name: other/g)).toHaveLength(2);
    expect(text).toContain(
      '  labels: {a: b}\n  annotations:\n    c: d # own\n    akv-csi/from: BrokerListener/front/tls\n',
    );
  });

  it('that are in the stream twice are both brought up to date', () => {
    const [, made = ''] = filter([RESOURCE]).text.split(/(?=---\n# From)/);
    const old = made.replace('name: my-server-certificate', 'name: old');
    const { text, remarks } = filter([RESOURCE, old, old]);
    expect(text).toBe(RESOURCE + made + made);
    expect(withoutLabels(remarks)).toEqual([]);
  });

  it('that render printed before it knew annotations get theirs', () => {
    const old = filter([RESOURCE]).text.replace(/ {2}annotations:\n.*\n/, '');
    expect(filter([old]).text).toContain('    akv-csi/from: BrokerListener/front/tls\n');
  });

  it('of others are not replaced', () => {
    const foreign = `${CONFIG_MAP.replace('ConfigMap', 'SecretProviderClass').replace('name: c', `name: ${CLASS_NAME}`)}spec: {}\n`;
    const { text, remarks } = filter([RESOURCE, foreign]);
    expect(text).toBe('');
    expect(remarks.join('\n')).toContain(
      `1.yaml:1: error: SecretProviderClass "${CLASS_NAME}" would replace this one, which`,
    );
  });

  it('of a field that the resource no longer has stay, with a note, and pods do not get them', () => {
    const [, made = ''] = filter([RESOURCE]).text.split(/(?=---\n# From)/);
    const left = made.replaceAll('front/tls', 'front/old').replaceAll(CLASS_NAME, 'left');
    const { text, remarks } = filter([RESOURCE, left, workload('BrokerListener/front')]);
    expect(remarks.join('\n')).toContain('note: SecretProviderClass "left" stays, but pods no longer get it: ');
    expect(text.match(/^ {12}secretProviderClass: .*$/gm)).toEqual([`            secretProviderClass: ${CLASS_NAME}`]);
  });

  it('are made once if the resource is there twice, and refused if the two differ', () => {
    expect(kindsOf(filter([RESOURCE, RESOURCE]).text)).toEqual([
      'BrokerListener',
      'SecretProviderClass',
      'BrokerListener',
    ]);
    const { remarks } = filter([RESOURCE, RESOURCE.replace('name: my-server-certificate', 'name: other')]);
    expect(remarks.join('\n')).toContain(
      '1.yaml:1: error: BrokerListener front, spec.tls.keyVault differs from the same resource at 0.yaml:1;',
    );
  });
});

describe('workloads that ask', () => {
  it('get insertions, and every line that was there stays', () => {
    const { text } = filter([workload('BrokerListener/front:/tls'), RESOURCE]);
    const lines = workload('BrokerListener/front:/tls').replace('args: [a,   b]\n', `args: [a,   b]\n${ADDED_MOUNT}`);
    const volume = text.slice(text.indexOf('      volumes:'), text.indexOf('---'));
    expect(text.slice(0, text.indexOf('---'))).toBe(lines + volume);
    expect(parseAllDocuments(volume)[0]?.toJS().volumes[0].csi.nodePublishSecretRef).toEqual({ name: 'aio-akv-sp' });
  });

  it('need no change a second time', () => {
    const once = filter([workload('BrokerListener/front:/tls'), RESOURCE]).text;
    expect(filter([once]).text).toBe(once);
  });

  it('get classes that are in the stream without their resource', () => {
    const [, made = ''] = filter([RESOURCE]).text.split(/(?<=\n)---\n/);
    expect(filter([made, workload('BrokerListener/front:/tls')]).text).toContain(ADDED_MOUNT);
    expect(filter([made, workload(`SecretProviderClass/${CLASS_NAME}:/tls`)]).text).toContain(ADDED_MOUNT);
  });

  it('are found in lists, also of one kind', () => {
    const { text } = filter([
      JSON.stringify({ kind: 'DeploymentList', items: documentsOf(workload('BrokerListener/front')) }),
      RESOURCE,
    ]);
    expect(JSON.parse(text.slice(4, text.indexOf('\n---'))).items[0].spec.template.spec.volumes).toHaveLength(1);
  });

  it('may share parts by anchors and merges: others do not change', () => {
    const shared = `apiVersion: v1
kind: Pod
metadata: {name: p, annotations: {akv-csi/mount: 'b=BrokerListener/front'}}
spec:
  containers:
    - &main
      name: a
      tty: "true" # quoted
      stdin: true
      volumeMounts: &mounts [{name: d, mountPath: /d}]
    - <<: *main
      name: b
    - {name: c, volumeMounts: *mounts}
`;
    const { text } = filter([shared, RESOURCE]);
    const [pod] = documentsOf(text);
    const { containers = [] } = (pod?.spec ?? {}) as { containers?: { volumeMounts: unknown[] }[] };
    expect(containers.map(({ volumeMounts }) => volumeMounts.length)).toEqual([1, 2, 1]);
    expect(containers[1]).toMatchObject({ name: 'b', tty: 'true', stdin: true });
    expect(text).toContain('tty: "true" # quoted');
    expect(filter([text]).text).toBe(text);
  });

  it('get the container that watches, whose mounts are those that were added', () => {
    const text = workload('BrokerListener/front').replace(
      '        akv-csi/mount',
      '        akv-csi/watch: HUP main\n        akv-csi/mount',
    );
    const once = filter([text, RESOURCE], { watchImage: 'registry.example.com/p:1' });
    expect(once.mistakes).toEqual([]);
    expect(once.text.match(/^ *image: .*/gm)).toEqual([
      '          image: "busybox:1.37"',
      expect.stringContaining('registry.example.com/p:1'),
    ]);
    expect(once.text).toContain('          args: [a,   b]\n');
    expect(filter([once.text], { watchImage: 'registry.example.com/p:1' }).text).toBe(once.text);
    const own = once.text.replace(/( *)- name: akv-csi-watch\n/, '$&$1  livenessProbe: {periodSeconds: 5} # ours\n');
    const changed = own.replace('image: registry.example.com/p:1', 'image: "registry.example.com/p:2"');
    expect(filter([own], { watchImage: 'registry.example.com/p:2' }).text).toBe(changed);
  });

  it('may ask by an option', () => {
    const pods = [
      { target: 'deploy/app', namespace: '', kind: 'deploy', name: 'app', items: 'BrokerListener/front:/tls' },
    ];
    const plain = workload('x').replace('akv-csi/mount', 'other');
    expect(filter([plain, RESOURCE], { pods }).text).toContain(ADDED_MOUNT);
    expect(filter([plain, plain, RESOURCE], { pods }).mistakes[0]).toBe(
      '--pod deploy/app: there are 2 of it; write NAMESPACE/deploy/app',
    );
    const [missing] = filter([workload('x', 'ap'), RESOURCE], { pods }).mistakes;
    expect(missing).toBe('--pod deploy/app: there is no such workload in the stream; did you mean Deployment/ap?');
  });
});

describe('bad input', () => {
  it.each([
    [
      'a Helm template',
      '{{- if .Values.x }}\nkind: Pod\n{{- end }}\n',
      /1:\d+: error: this is a template, not YAML; render it first, with Helm: helm template RELEASE CHART \| akv-csi render --into -$/,
    ],
    [
      'Markdown with a header',
      '---\ntitle: A\n---\n\n# A\n\n```yaml\nkind: Pod\n```\n\n- [x](y): z\n',
      /1:1: error: this is Markdown, not YAML/,
    ],
    ['Markdown', '# A\n\n```yaml\nkind: Pod\n```\n\n- [x](y): z\n', /error: this is Markdown, not YAML/],
    [
      'a JSON patch',
      '- {op: add, path: /a, value: b}\n',
      /1: error: this is a JSON patch, not a manifest; apply it first: kubectl kustomize DIR \|/,
    ],
    ['a list', '- a\n', /1: error: this is a list, not a manifest/],
    ['text', 'Hello, world\n', /1: error: this is a text, not a manifest/],
    ['a kustomization', 'resources: [a.yaml]\n', /1: error: this is a kustomization, not a manifest to apply/],
    [
      'a kustomization with a kind',
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
      /1: error: this is a kustomization/,
    ],
    ['values of a chart', 'image: {tag: x}\n', /1: error: this is no manifest: it has no "kind"/],
    ['Chart.yaml', 'apiVersion: v2\nname: a\nversion: 0.1.0\n', /1: error: this is the Chart.yaml of a Helm chart/],
    [
      'an ARM template',
      '{"$schema": "x", "resources": []}',
      /1: error: this is an ARM template, not a manifest; render it without --into$/,
    ],
  ])('%s: one line says what it is and what to do', (_, text, message) => {
    const { text: printed, remarks } = filter([`${CONFIG_MAP}`, text]);
    expect([printed, remarks.length]).toEqual(['', 1]);
    expect(remarks[0]).toMatch(message);
  });

  it('in several documents: a line for each, at its own line', () => {
    expect(filter([`- a\n---\n${CONFIG_MAP}---\n\n- b\n`]).remarks.map((remark) => remark.split(' ')[0])).toEqual([
      '0.yaml:1:',
      '0.yaml:8:',
    ]);
  });

  it('leaves alone what Flux calls a Kustomization, and Helm a release', () => {
    const text =
      'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n';
    expect(filter([text])).toEqual({ text, remarks: [], mistakes: [] });
  });

  it('passes over foreign keyVault maps with a note, and never looks at status and metadata', () => {
    const text = `${CONFIG_MAP}spec: {keyVault: {url: x}}\nstatus: {keyVault: {vault: {}, vaultSecret: {}}}\n`;
    expect(filter([text]).remarks).toEqual([expect.stringMatching(/^0.yaml:4:\d+: note: spec.keyVault is skipped: /)]);
  });

  it('names workload, annotation, item and what there is; nothing is printed', () => {
    const { text, remarks } = filter([RESOURCE, workload('BrokerListener/frnt')]);
    expect(text).toBe('');
    expect(withoutLabels(remarks)).toEqual([
      '1.yaml:2: error: Deployment app: annotation akv-csi/mount: item "BrokerListener/frnt": there is no BrokerListener "frnt" in the stream; did you mean "BrokerListener/front"?',
    ]);
  });

  it('is counted before it is read', () => {
    for (const document of ['---\n', 'a\n...\n'])
      expect(filter([document.repeat(100_001)]).remarks).toEqual([
        '0.yaml:1: error: there are 100001 documents; the limit is 100000; give it in parts',
      ]);
  });
});
