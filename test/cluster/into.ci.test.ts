/**
 * A chart of a broker through `helm install --post-renderer`, with the real helm and a real API server: the release holds
 * the SecretProviderClass, and the Deployment its volume.
 */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findHelm } from '../chart/helm.ts';
import { builtProgram } from '../support/e2e.ts';
import { root } from '../support/markdown.ts';
import { type ApiServer, type KubernetesObject, startApiServer } from './api-server.ts';
import { BROKER_CRDS } from './broker-crds.ts';
import { run } from './process.ts';
import { clusterWanted } from './programs.ts';

const NAMESPACE = 'azure-iot-operations';
const CLASS = 'broker-listener-tls-listener-manual-tls';

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: mosquitto}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: mosquitto}}
  template:
    metadata:
      labels: {app: mosquitto}
      annotations: {{- toYaml .Values.podAnnotations | nindent 8 }}
    spec:
      containers: [{name: mosquitto, image: "eclipse-mosquitto:2"}]
`;

describe.skipIf(!clusterWanted() || findHelm() === undefined)(
  'helm install --post-renderer, with a real API server',
  () => {
    let server: ApiServer;
    beforeAll(async () => {
      server = await startApiServer();
      await server.createNamespace(NAMESPACE);
      await server.define(BROKER_CRDS);
      symlinkSync(builtProgram(), join(server.directory, 'akv-csi'));
      const templates = join(server.directory, 'chart/templates');
      mkdirSync(templates, { recursive: true });
      writeFileSync(join(templates, '../Chart.yaml'), 'apiVersion: v2\nname: broker\nversion: 0.1.0\n');
      const annotations = 'podAnnotations: {akv-csi/mount: "BrokerListener/tls-listener-manual:/tls"}\n';
      writeFileSync(join(templates, '../values.yaml'), `replicas: 1\n${annotations}`);
      writeFileSync(join(templates, 'deployment.yaml'), DEPLOYMENT);
      cpSync(join(root, 'examples/broker-listener.yaml'), join(templates, 'listener.yaml'));
    }, 300_000);
    afterAll(() => server?.stop(), 300_000);

    function helm(...args: readonly string[]): Promise<string> {
      const directory = join(server.directory, 'helm');
      const env = {
        KUBECONFIG: server.kubeconfig,
        HELM_CACHE_HOME: directory,
        HELM_DATA_HOME: directory,
        HELM_CONFIG_HOME: directory,
      };
      return run('helm', args, { env });
    }

    function release(action: string, ...args: readonly string[]): Promise<string> {
      const renderer = `--post-renderer=${join(server.directory, 'akv-csi')}`;
      return helm(action, 'broker', join(server.directory, 'chart'), '--namespace', NAMESPACE, renderer, ...args);
    }

    interface Deployment extends KubernetesObject {
      readonly metadata: KubernetesObject['metadata'] & { readonly generation: number };
      readonly spec: {
        readonly template: {
          readonly spec: {
            readonly volumes: readonly object[];
            readonly containers: readonly { readonly volumeMounts: readonly object[] }[];
          };
        };
      };
    }

    it('gives the pods their volume; an upgrade keeps it, and the end of the release removes the class', {
      timeout: 300_000,
    }, async () => {
      await release('install');
      const created = await server.get<Deployment>('deployment', 'mosquitto', NAMESPACE);
      const { volumes, containers } = created.spec.template.spec;
      expect(volumes).toEqual([
        {
          name: CLASS,
          csi: {
            driver: 'secrets-store.csi.k8s.io',
            readOnly: true,
            volumeAttributes: { secretProviderClass: CLASS },
            nodePublishSecretRef: { name: 'aio-akv-sp' },
          },
        },
      ]);
      expect(containers[0]?.volumeMounts).toEqual([{ name: CLASS, mountPath: '/tls', readOnly: true }]);
      const made = await server.get('secretproviderclass', CLASS, NAMESPACE);
      expect(made.metadata.annotations).toMatchObject({
        'akv-csi/from': 'BrokerListener/tls-listener-manual/tls',
        'meta.helm.sh/release-name': 'broker',
      });

      await release('upgrade');
      const same = await server.get<Deployment>('deployment', 'mosquitto', NAMESPACE);
      expect(same.metadata.generation).toBe(created.metadata.generation);

      await expect(release('upgrade', '--set', 'podAnnotations.akv-csi/mount=BrokerListener/nope')).rejects.toThrow(
        'there is no BrokerListener "nope" in the stream',
      );
      await helm('uninstall', 'broker', '--namespace', NAMESPACE);
      await expect(server.get('secretproviderclass', CLASS, NAMESPACE)).rejects.toThrow('not found');
    });
  },
);
