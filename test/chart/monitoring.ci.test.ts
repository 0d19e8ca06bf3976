import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { requestFiles } from '../../src/driver/publish.ts';
import type { HttpEndpoint } from '../../src/server/http.ts';
import { createMetrics, startMetricsServer } from '../../src/server/metrics.ts';
import { createWebhookMetrics } from '../../src/webhook/metrics.ts';
import { CREDENTIALS, exampleVolumes, POD, startWorld, type World } from '../support/e2e.ts';
import { headings } from '../support/markdown.ts';
import { eventually, freePort } from '../support/process.ts';
import { findTool } from '../support/tools.ts';
import { chartDir, findHelm, render, type Tree } from './helm.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook', string>>;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (file: string) => readFileSync(join(chartDir, file), 'utf8');
const alertsFile = join(chartDir, 'files/alerts.yaml');
const rules = (parse(read('files/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const dashboard = JSON.parse(read('files/dashboard.json')) as { panels: Panel[] };
const panels = dashboard.panels.filter(({ targets }) => targets !== undefined);
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** The metrics of a webhook whose certificate ends in a week. */
function webhookMetrics() {
  const period = { notBefore: 0, notAfter: systemClock.wall() + 7 * 86_400_000 };
  return createWebhookMetrics(['/validate'], {
    version: '0',
    inFlight: () => 0,
    periods: () => ({ serving: period, authority: period }),
    logLinesDropped: () => 0,
  });
}

/** The names of all metrics and their series, such as `grpc_request_bucket`. */
async function seriesNames(): Promise<ReadonlySet<string>> {
  const metrics = createMetrics({
    version: '0',
    objectNames: true,
    clock: systemClock,
    sweeper: new Sweeper(systemClock),
    log: silentLogger,
  });
  const texts = (await metrics.text()) + (await webhookMetrics().text());
  const types = [...texts.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Set(
    types.flatMap(([, name = '', type]) => (type === 'histogram' ? [`${name}_count`, `${name}_bucket`] : [name])),
  );
}

test('alerts and dashboard name metrics that exist', async () => {
  const known = await seriesNames();
  for (const expr of [...rules.map((rule) => rule.expr), ...queries]) {
    const named =
      expr.match(/\b(akv_csi|process|grpc|keyvault)_\w+/g)?.filter((name) => !/^grpc_(code|method)$/.test(name)) ?? [];
    expect(
      named.filter((name) => !known.has(name)),
      expr,
    ).toEqual([]);
    expect(named.length, expr).toBeGreaterThan(0);
  }
});

test('each alert has a severity and a section of the runbook, and the runbook has no other', () => {
  const sections = headings('docs/runbook.md').filter((title) => title.startsWith('AkvCsi'));
  expect(sections).toEqual(rules.map(({ alert }) => alert));
  for (const { alert, labels, annotations } of rules) {
    expect(['info', 'warning', 'critical']).toContain(labels.severity);
    expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook']);
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
  }
});

describe.skipIf(findHelm() === undefined)('the chart', () => {
  const kinds = (monitoring: Tree) =>
    [...render({ monitoring }).keys()].filter((kind) => /Monitor|Rule$|Map$|^Service$/.test(kind));

  test.each([
    ['nothing', {}, []],
    ['a PodMonitor', { podMonitor: { enabled: true } }, ['PodMonitor']],
    ['a ServiceMonitor with its Service', { serviceMonitor: { enabled: true } }, ['Service', 'ServiceMonitor']],
    ['a PrometheusRule', { prometheusRule: { enabled: true } }, ['PrometheusRule']],
    ['a dashboard', { dashboard: { enabled: true } }, ['ConfigMap']],
  ])('renders %s', (_, monitoring, expected) => {
    expect(kinds(monitoring)).toEqual(expected);
  });

  const all = { enabled: true, interval: '15s', labels: { release: 'prometheus' } };
  const rendered = () =>
    render({
      metricsAddr: 9100,
      monitoring: {
        podMonitor: all,
        serviceMonitor: all,
        prometheusRule: { enabled: true, labels: all.labels },
        dashboard: { enabled: true, labels: { grafana: 'main' } },
      },
    });

  test('selects the pods of the release, keeps the labels of the metrics, and adds the node', () => {
    const objects = rendered();
    const pods = (objects.get('DaemonSet') as unknown as { spec: { template: { metadata: { labels: Tree } } } }).spec;
    const scrape = { port: 'metrics', path: '/metrics', honorLabels: true, interval: '15s' };
    const relabelings = [{ sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' }];
    for (const [kind, member] of [
      ['PodMonitor', 'podMetricsEndpoints'],
      ['ServiceMonitor', 'endpoints'],
    ] as const) {
      const { metadata, spec } = objects.get(kind) as unknown as { metadata: { labels: Tree }; spec: Tree };
      expect(metadata.labels).toMatchObject({ release: 'prometheus' });
      expect(spec[member]).toEqual([{ ...scrape, relabelings }]);
      expect(pods.template.metadata.labels).toMatchObject((spec.selector as { matchLabels: Tree }).matchLabels);
    }
    expect(objects.get('Service')).toMatchObject({
      spec: { clusterIP: 'None', ports: [{ port: 9100, targetPort: 'metrics' }] },
    });
  });

  test('passes alerts and dashboard on as they are', () => {
    const objects = rendered();
    expect(objects.get('PrometheusRule')).toMatchObject({ spec: parse(read('files/alerts.yaml')) });
    const map = objects.get('ConfigMap') as unknown as { metadata: { labels: Tree }; data: Record<string, string> };
    expect(map.metadata.labels).toMatchObject({ grafana: 'main' });
    expect(JSON.parse(map.data['akv-csi-provider.json'] ?? '')).toEqual(dashboard);
  });

  test('puts the namespace, the label of the pods and the URL of the runbook into the alerts', () => {
    const prometheusRule = { enabled: true, runbookURL: 'https://wiki.example/x?a=1&b=2' };
    const objects = render({ nameOverride: 'akv-next', monitoring: { prometheusRule } }, ['--namespace', 'akv']);
    const { groups } = (objects.get('PrometheusRule') as unknown as { spec: { groups: { rules: Rule[] }[] } }).spec;
    const expected = parse(
      read('files/alerts.yaml')
        .replaceAll('--namespace kube-system', '--namespace akv')
        .replaceAll('app=csi-secrets-store-provider-azure', 'app=akv-next')
        .replaceAll('runbook: docs/runbook.md#', 'runbook_url: https://wiki.example/x?a=1&b=2#'),
    );
    expect(groups).toEqual(expected.groups);
    expect(JSON.stringify(groups)).toMatch(/--namespace akv .*app=akv-next .*runbook_url/);
  });
});

describe.skipIf(!findTool('promtool', '--version'))('alerts, tested by promtool', () => {
  it('fire when they should, and not before', async () => {
    const cases = join(import.meta.dirname, 'alerts.yaml');
    const tested = spawn('promtool', ['test', 'rules', cases], { stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [tested.stdout, tested.stderr])
      stream.on('data', (text) => {
        told += text;
      });
    const [code] = await once(tested, 'close');
    expect(code, told).toBe(0);
    const fired = (
      parse(readFileSync(cases, 'utf8')) as {
        tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
      }
    ).tests
      .flatMap((one) => one.alert_rule_test)
      .filter(({ exp_alerts = [] }) => exp_alerts.length > 0)
      .map(({ alertname }) => alertname);
    expect([...new Set(fired)].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });
});

describe.skipIf(!findTool('prometheus', '--version'))(
  'the dashboard, on a Prometheus that scrapes a provider with faults',
  () => {
    let world: World;
    let stopPrometheus = async () => {};
    let ask: (path: string) => Promise<Tree>;
    let webhook: HttpEndpoint | undefined;

    beforeAll(async () => {
      const [metricsPort, port] = [await freePort(), await freePort()];
      world = await startWorld({ serveArgs: ['--cache-ttl=0', '--prometheus-port', String(metricsPort)] });
      webhook = await startMetricsServer({ host: '127.0.0.1', port: 0, metrics: webhookMetrics() });
      const config = join(world.directory, 'prometheus.yml');
      writeFileSync(
        config,
        stringify({
          global: { scrape_interval: '1s', evaluation_interval: '1s' },
          rule_files: [alertsFile],
          scrape_configs: [
            {
              job_name: 'akv-csi',
              honor_labels: true,
              static_configs: [{ targets: [`127.0.0.1:${metricsPort}`], labels: { node: 'node-1' } }],
            },
            {
              job_name: 'akv-csi-webhook',
              static_configs: [
                { targets: [`127.0.0.1:${webhook.port}`], labels: { namespace: 'kube-system', pod: 'hook' } },
              ],
            },
          ],
        }),
      );
      const data = join(world.directory, 'data');
      mkdirSync(data);
      const args = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`];
      const prometheus = spawn('prometheus', args, { stdio: 'ignore' });
      stopPrometheus = async () => {
        const ended = once(prometheus, 'exit');
        prometheus.kill('SIGKILL');
        await ended;
      };
      ask = async (path) => (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as Tree;
      await eventually(() =>
        ask('status/config').then(
          ({ status }) => status === 'success',
          () => false,
        ),
      );
    }, 120_000);

    afterAll(async () => {
      await stopPrometheus();
      await webhook?.close();
      await world?.close();
    });

    /** Makes a Mount for a pod, and ignores its failure. */
    const attempt = async (
      pod: string,
      parameters: Readonly<Record<string, string>>,
      clientsecret: Secret = CREDENTIALS.clientsecret,
    ) => {
      const client = connectProvider(world.endpoint);
      const volumeAttributes = { secretProviderClass: 'web' };
      const nodePublishSecret = { ...CREDENTIALS, clientsecret };
      const request = {
        parameters,
        volumeAttributes,
        pod: { ...POD, name: pod },
        nodePublishSecret,
        targetDir: `/pods/${pod}`,
        deadlineMs: 20_000,
      };
      await requestFiles(client, request).catch(() => {});
      client.close();
    };

    it('answers every query, with series in every panel', async () => {
      const { parameters } = exampleVolumes().listener;
      const { faults } = world.emulator;
      await attempt('good', parameters);
      await attempt('missing', { keyVault: (parameters.keyVault ?? '').replace('my-server-certificate', 'not-there') });
      await attempt('wrong-secret', parameters, new Secret('not-the-secret'));
      faults.add({ on: 'vault', count: 1, action: { kind: 'answer', status: 429, headers: { 'retry-after': '1' } } });
      await attempt('throttled', parameters);
      faults.add({ on: 'vault', action: { kind: 'drop' } });
      await attempt('away', parameters);
      faults.clear();
      // A loss: the provider listens again at once.
      rmSync(new URL(world.endpoint.replace('unix:', 'file:')));
      const at = (expr: string) => expr.replaceAll('$node', '.*').replaceAll('$__rate_interval', '30s');
      const empty = async () => {
        const found: string[] = [];
        for (const { title, targets = [] } of panels) {
          let series = 0;
          for (const { expr } of targets) {
            const { status, data, error } = await ask(`query?query=${encodeURIComponent(at(expr))}`);
            expect(status, `${expr}: ${error}`).toBe('success');
            series += (data as { result: unknown[] }).result.length;
          }
          if (series === 0) found.push(title);
        }
        return found;
      };
      await expect.poll(empty, { timeout: 60_000, interval: 1000 }).toEqual([]);
      const { data } = await ask('rules');
      const { groups } = data as { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
      const states = groups
        .flatMap((group) => group.rules)
        .map(({ name, health, lastError = '' }) => [name, health, lastError]);
      expect(states).toEqual(rules.map(({ alert }) => [alert, 'ok', '']));
    }, 120_000);
  },
);
