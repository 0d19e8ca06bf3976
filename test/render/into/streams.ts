import { readFileSync } from 'node:fs';
import { filterInputs, type IntoOptions } from '../../../src/render/into/filter.ts';
import { readInputSource } from '../../../src/render/into/manifests.ts';
import { formatRemark } from '../../../src/render/remark.ts';

/** A BrokerListener with the name `front`, and the name of its SecretProviderClass. */
export const RESOURCE = readFileSync('examples/broker-listener.yaml', 'utf8')
  .replace('name: tls-listener-manual', 'name: front')
  .replace('  namespace: azure-iot-operations\n', '')
  .replace('<AKV directory ID>', '11111111-1111-1111-1111-111111111111');
export const CLASS_NAME = 'broker-listener-front-tls';

/** Filters texts as files with the names `0.yaml`, `1.yaml`, … */
export function filter(texts: readonly string[], options: IntoOptions = {}) {
  const inputs = texts.map((text, index) => readInputSource({ name: `${index}.yaml`, text }));
  const { text, remarks, mistakes } = filterInputs(inputs, options);
  return { text: text ?? '', remarks: remarks.map(formatRemark), mistakes };
}

/** Returns the remarks that are not about labels of Secrets. */
export function withoutLabels(remarks: readonly string[]): readonly string[] {
  return remarks.filter((remark) => !remark.includes('secrets-store.csi.k8s.io/used=true'));
}

/** A Deployment whose pod asks for items, as a person writes it. */
export function workload(items: string, name = 'app'): string {
  return `# The application
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  template:
    metadata:
      annotations:
        akv-csi/mount: ${items}   # the volumes
    spec:
      containers:
        - name: main # its only one
          image: "busybox:1.37"
          args: [a,   b]

      terminationGracePeriodSeconds: 0010
`;
}
