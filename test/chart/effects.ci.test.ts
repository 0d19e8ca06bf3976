// Every value reaches the manifests: for each, the chart is rendered with another value than the default.
import { execFile } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { SERVE_FLAGS } from '../../src/cli/serve-flag-specs.ts';
import { WEBHOOK_FLAGS } from '../../src/cli/webhook-flags.ts';
import { chartDir, type DaemonSet, findHelm, manifestsOf, type Tree, withImage } from './helm.ts';
import { type Rule, settings } from './settings.ts';

const helm = findHelm();

/** Values that may not be set. Tests of refusals hold the messages. */
const REFUSED = ['rbac.pspEnabled', 'windows.enabled', 'enableArcExtension', 'Azure.proxySettings.isProxyEnabled'];
/** Values that change no manifest: the first accepts a name, the second is ignored, the third is for the notes. */
const WITHOUT_EFFECT = ['linux.image.allowOfficial', 'linux.kubeletRootDir', 'secrets-store-csi-driver.install'];

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const POD_NETWORK = { linux: { hostNetwork: false } };
const WEBHOOK = { webhook: { enabled: true, certificate: { source: 'secret', secret: 'tls', caBundle: PEM } } };
const CERT_MANAGER = { webhook: { enabled: true, certificate: { source: 'cert-manager' } } };
const enabled = (section: string) => nest(`${section}.enabled`, true);

/** The values next to which values of a section, or one value, have an effect. The longest path counts. */
const NEXT_TO: Readonly<Record<string, Tree>> = {
  offlineCache: { offlineCache: { directory: '/var/lib/a', keySecret: 'k' } },
  'caBundle.key': { caBundle: { secret: 'ca' } },
  networkPolicy: { ...POD_NETWORK, networkPolicy: { enabled: true } },
  'networkPolicy.enabled': POD_NETWORK,
  ...Object.fromEntries(
    ['podMonitor', 'serviceMonitor', 'prometheusRule', 'dashboard'].map((name) => [
      `monitoring.${name}`,
      enabled(`monitoring.${name}`),
    ]),
  ),
  webhook: WEBHOOK,
  'webhook.certificate.issuerRef': CERT_MANAGER,
};

/** Another value than the default, where the type alone does not give one that the chart accepts. */
const OTHER: Readonly<Record<string, unknown>> = {
  imagePullSecrets: [{ name: 'a' }],
  identityModes: ['workload-identity'],
  allowVolumeAttributes: ['*'],
  metricsHost: '10.0.0.1',
  cloudFileDir: '/a',
  tokenProxyURL: 'https://a',
  memoryBudget: '24Mi',
  'monitoring.prometheusRule.runbookURL': 'https://a',
  'offlineCache.directory': '/a',
  extraArgs: ['-v=3'],
  env: [{ name: 'A', value: 'b' }],
  envFrom: [{ secretRef: { name: 'a' } }],
  'linux.image.digest': `sha256:${'0'.repeat(64)}`,
  'linux.updateStrategy': { type: 'OnDelete' },
  'linux.hostNetwork': false,
  'linux.healthzPath': '/a',
  'linux.providersDir': '/a',
  'linux.affinity': { podAntiAffinity: {} },
  'webhook.excludedNamespaces': ['a'],
  'webhook.namespaceSelector': { matchLabels: { a: 'b' } },
  'webhook.apiServerCIDRs': ['10.0.0.1/32'],
  'webhook.certificate.caBundle': PEM.replace('AAAA', 'BBBB'),
  'webhook.extraArgs': ['-v=3'],
  'webhook.certificate.source': 'cert-manager',
};
const PER_TYPE: Readonly<Record<string, (rule: Rule) => unknown>> = {
  boolean: (rule) => !rule.default,
  integer: (rule) => Number(rule.default) + 1,
  duration: () => '7s',
  text: ({ oneOf = ['other'], ...rule }) => oneOf.find((word) => word !== rule.default),
  words: () => ({ other: 'a' }),
  map: () => ({ other: 'a' }),
  list: () => [{ other: 'a' }],
};

function nest(path: string, value: unknown): Tree {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Tree;
}

function merge(left: Tree, right: Tree): Tree {
  const isMap = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const both = Object.entries(right).map(([name, value]) => {
    const before = left[name];
    return [name, isMap(before) && isMap(value) ? merge(before as Tree, value as Tree) : value];
  });
  return { ...left, ...Object.fromEntries(both) };
}

/** Returns the values without and with another value at a path. */
function pairOf(path: string, rule: Rule): readonly [Tree, Tree] {
  const [section = ''] = Object.keys(NEXT_TO)
    .filter((one) => path === one || path.startsWith(`${one}.`))
    .toSorted((a, b) => b.length - a.length);
  const before = path === 'webhook.enabled' ? { webhook: { ...WEBHOOK.webhook, enabled: false } } : NEXT_TO[section];
  const isOn = path === `${section}.enabled` && section !== 'webhook';
  const value = isOn ? false : (OTHER[path] ?? PER_TYPE[rule.type]?.(rule));
  const base = withImage(before);
  if (path === 'webhook.certificate.source') return [base, withImage(CERT_MANAGER)];
  return [base, merge(base, nest(path, value))];
}

/** Renders the chart with each of these values, each only once, two at a time. Returns the texts by the values as JSON. */
async function renderAll(all: readonly Tree[]): Promise<(values: Tree) => string> {
  const texts = new Map(all.map((values) => [JSON.stringify(values), '']));
  const left = texts.keys();
  const work = async () => {
    for (const values of left) texts.set(values, await helmTemplate(values));
  };
  await Promise.all([work(), work()]);
  return (values) => texts.get(JSON.stringify(values)) ?? '';
}

function helmTemplate(values: string): Promise<string> {
  const args = ['template', 'akv', chartDir, '--kube-version=1.34.0', '--values=-'];
  return new Promise((resolve, reject) => {
    const child = execFile('helm', args, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    child.stdin?.end(values);
  });
}

describe.skipIf(helm === undefined)('chart, with another value for each of its values', () => {
  const pairs = Object.entries(settings.values)
    .filter(([path]) => !REFUSED.includes(path))
    .map(([path, rule]) => ({ path, pair: pairOf(path, rule) }));
  let textOf: (values: Tree) => string;
  beforeAll(async () => {
    textOf = await renderAll(pairs.flatMap(({ pair }) => pair));
  }, 600_000);

  test('shows it in the manifests, unless it is known to have no effect', () => {
    const equal = pairs.filter(({ pair: [before, after] }) => textOf(before) === textOf(after));
    expect(equal.map(({ path }) => path).toSorted()).toEqual(WITHOUT_EFFECT.toSorted());
  });

  test.each([
    ['DaemonSet', 'serve', SERVE_FLAGS],
    ['Deployment', 'webhook', WEBHOOK_FLAGS],
  ])('gives the containers of the %s flags of %s only', (kind, _command, known) => {
    const manifests = pairs.flatMap(({ pair: [, after] }) => manifestsOf(textOf(after)));
    const args = manifests
      .filter((manifest) => manifest.kind === kind)
      .flatMap((manifest) => (manifest as unknown as DaemonSet).spec.template.spec.containers)
      .flatMap((container) => container.args);
    const names = new Set(args.map((arg) => arg.replace(/^--?([^=]*).*$/, '$1')));
    expect(names.size).toBeGreaterThan(7);
    expect([...names].filter((name) => !known.some((flag) => flag.name === name))).toEqual([]);
  });
});
