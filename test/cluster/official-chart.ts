// A stand-in for the official chart: the names, labels and selector of its DaemonSet and ServiceAccount, and the real chart
// of the CSI driver that it brings along. migrate.ci.test.ts upgrades a release of it to our chart.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { driverSource } from './programs.ts';

const NAME = 'csi-secrets-store-provider-azure';
const DRIVER = 'secrets-store-csi-driver';

/** Writes the chart to a new directory. Values: those of the driver below its name, where `install` is true by default. */
export function writeOfficialChart(directory: string): void {
  const driver = join(driverSource('v1.5.6'), 'charts', DRIVER);
  cpSync(driver, join(directory, 'charts', DRIVER), { recursive: true });
  const labels = { app: NAME };
  const container = {
    name: 'provider-azure-installer',
    image: 'registry.example/provider-azure:v1.8.2',
    args: ['--endpoint=unix:///provider/azure.sock'],
    ports: [{ name: 'healthz', containerPort: 8989 }],
    volumeMounts: [{ name: 'provider-vol', mountPath: '/provider' }],
  };
  const volumes = [{ name: 'provider-vol', hostPath: { path: '/var/run/secrets-store-csi-providers' } }];
  const spec = { hostNetwork: true, serviceAccountName: NAME, containers: [container], volumes };
  const files = {
    'Chart.yaml': {
      apiVersion: 'v2',
      name: NAME,
      version: '1.8.2',
      dependencies: [{ name: DRIVER, version: '*', repository: '', condition: `${DRIVER}.install` }],
    },
    'values.yaml': { [DRIVER]: { install: true, fullnameOverride: DRIVER, linux: { crds: { enabled: false } } } },
    'templates/serviceaccount.yaml': { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, labels } },
    'templates/daemonset.yaml': {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: `{{ .Release.Name }}-${NAME}`, labels },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  };
  mkdirSync(join(directory, 'templates'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), stringify(content));
}
