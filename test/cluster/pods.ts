// Pods and classes in the classic form of the README, and changes of them. node.ci.test.ts creates them.
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { builtProgram } from '../support/e2e.ts';
import { codeBlocks, section, shellLines, textOf } from '../support/markdown.ts';

/** The manifests of the README: a certificate in the `keyVault` form, and secrets in the classic form. */
export const [README_CERTIFICATE = '', README_SECRETS = ''] = codeBlocks(textOf('README.md'), 'yaml');

/** The commands of step 4 of the quick start, in a directory of their own, with the names of the emulator. */
export const QUICK_START_POD = [
  'set -eu; cd "$(mktemp -d)"',
  `akv-csi() { '${process.execPath}' '${builtProgram()}' "$@"; }`,
  ...shellLines(textOf('docs/emulator.md')).filter((line) => line.startsWith('export VAULT=')),
  ...codeBlocks(section('docs/quick-start.md', '4. A pod'), 'sh'),
].join('\n');

/** Returns the pod of the README's classic form with another name and class. */
export function podOf(name: string, secretProviderClass = 'app'): string {
  const [, pod = ''] = README_SECRETS.split('---\n');
  return pod
    .replace('name: app', `name: ${name}`)
    .replace('secretProviderClass: app', `secretProviderClass: ${secretProviderClass}`);
}

/** A class of one secret, `rotated`, which the driver keeps in a Secret too, and a pod that takes its variable from that. */
export const ROTATED = `
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: { name: rotated }
spec:
  provider: azure
  parameters:
    keyvaultName: ${VAULT}
    tenantID: ${TENANT}
    clientID: 33333333-3333-3333-3333-333333333333
    objects: |
      array: ["{objectName: rotated, objectType: secret}"]
  secretObjects:
    - { secretName: rotated, type: Opaque, data: [{ key: value, objectName: rotated }] }
---
${podOf('rotated', 'rotated').replace(
  /^ *command: /m,
  (line) => `      env: [{ name: VALUE, valueFrom: { secretKeyRef: { name: rotated, key: value } } }]\n${line}`,
)}`;
