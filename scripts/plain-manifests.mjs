// Prints deploy/provider.yaml: the chart with its default values as plain manifests for `kubectl apply -k deploy`. Needs
// helm. `npm run deploy:manifests` writes the file after a change of the chart, and a test of the chart compares it.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** The names of the official provider's plain manifests, so that `kubectl apply` replaces its DaemonSet. */
const RELEASE = 'csi-secrets-store-provider-azure';
/** The name that deploy/kustomization.yaml replaces with the image in a registry. */
const IMAGE = 'akv-csi-provider';
const NAMESPACE = 'kube-system';
/** Labels that are true only for objects that Helm manages. */
const HELM_LABELS = ['app.kubernetes.io/instance', 'app.kubernetes.io/managed-by', 'helm.sh/chart'];
const HEADER =
  '# Generated from charts/akv-csi-provider by `npm run deploy:manifests`. Do not edit: change the values of\n' +
  '# the chart, or patch it with a kustomization of your own.\n';

const rendered = execFileSync(
  'helm',
  [
    ...['template', RELEASE, 'charts/akv-csi-provider', '--namespace', NAMESPACE],
    ...['--set', `linux.image.repository=${IMAGE}`],
  ],
  { cwd: ROOT, encoding: 'utf8' },
);
const documents = parseAllDocuments(rendered).map((document) => {
  const [error] = document.errors;
  if (error) throw error;
  for (const path of [['metadata'], ['spec', 'template', 'metadata']])
    for (const label of HELM_LABELS)
      if (document.hasIn([...path, 'labels', label])) document.deleteIn([...path, 'labels', label]);
  // Helm names the template of each manifest in a comment.
  document.commentBefore = null;
  document.contents.commentBefore = null;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).replace(/^---\n/, '');
});
process.stdout.write(HEADER + documents.join('---\n'));
