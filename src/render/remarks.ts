/**
 * Makes the remarks on a rendered field: findings of the provider's parser, files that its place expects, and
 * requirements of the driver. Called by `render`. Names that Kubernetes would refuse are errors.
 */

import { namespaceProblem, subdomainProblem } from '../spc/kubernetes-names.ts';
import { isPlaceholder } from '../spc/placeholder.ts';
import type { ExpectedFile } from './field.ts';
import type { FoundKeyVault } from './find.ts';
import type { Prepared } from './prepare.ts';
import type { Remark } from './remark.ts';
import type { RenderedVolume } from './volume.ts';

/** Returns the place of a field, such as `BrokerListener front, spec.tls.keyVault`. */
export function originOf(found: FoundKeyVault): string {
  const who = `${found.resource.kind} ${found.resource.name}`.trim();
  return `${who === '' ? '' : `${who}, `}${fieldPathOf(found)}`;
}

/** Returns the path of a field in its resource, such as `spec.tls.keyVault`. */
export function fieldPathOf({ path }: FoundKeyVault): string {
  const place = path.map((element) => (typeof element === 'number' ? `[${element}]` : `.${element}`)).join('');
  return `${place}.keyVault`.replace(/^\./, '');
}

/** Returns all remarks on a field: the parser's findings, the files that its place expects, and synced Secrets. */
export function remarksOf(prepared: Prepared, volume: RenderedVolume): readonly Remark[] {
  return [
    ...nameRemarks(prepared),
    ...findingRemarks(prepared),
    ...roleRemarks(prepared),
    ...syncRemarks(prepared.found, volume),
  ];
}

/** Returns a note on the label that older drivers need on the Secret with the credentials, once for each Secret. */
export function labelRemark(volume: RenderedVolume, found: FoundKeyVault, labelled: Set<string>): readonly Remark[] {
  const secret = volume.volume.csi.nodePublishSecretRef?.name;
  const key = `${volume.namespace}/${secret}`;
  if (secret === undefined || isPlaceholder(secret) || labelled.has(key)) return [];
  labelled.add(key);
  const namespace = volume.namespace === '' ? '' : ` -n ${volume.namespace}`;
  const message =
    'drivers up to v1.5 rotate only if the Secret with the credentials has a label: ' +
    `kubectl label secret ${secret}${namespace} secrets-store.csi.k8s.io/used=true`;
  return [{ severity: 'note', source: found.source, line: found.line, message }];
}

/** Returns errors about names that Kubernetes refuses when the manifest is applied. */
function nameRemarks({ found, field }: Prepared): readonly Remark[] {
  const { namespace } = found.resource;
  const secret = field.identity.kind === 'service-principal' ? field.identity.secretName : '';
  const names = [
    { path: 'metadata.namespace', name: namespace, problemOf: namespaceProblem },
    { path: 'keyVault.vault.credentials.servicePrincipalLocalSecretName', name: secret, problemOf: subdomainProblem },
  ];
  return names.flatMap(({ path, name, problemOf }): Remark[] => {
    const problem = name === '' || isPlaceholder(name) ? undefined : problemOf(name);
    if (problem === undefined) return [];
    const message = `${originOf(found)}: ${path} ${problem}`;
    return [{ severity: 'error', source: found.source, line: found.line, message }];
  });
}

function findingRemarks({ found, field }: Prepared): readonly Remark[] {
  return field.findings.map(({ severity, message, line = 1 }) => ({
    severity: severity === 'error' ? 'error' : 'note',
    source: found.source,
    line: found.inPlace ? found.line + line - 1 : found.line,
    message: `${originOf(found)}: ${message}`,
  }));
}

function noteAt(found: FoundKeyVault, message: string): Remark {
  return { severity: 'note', source: found.source, line: found.line, message: `${originOf(found)}: ${message}` };
}

function roleRemarks({ found, place: { role }, field: { names, files }, filesAdded }: Prepared): readonly Remark[] {
  const delivered = files.map(({ path }) => path).join(', ');
  const hasSecret = names.includes('vaultSecret');
  const notes: string[] = [];
  if (role.kind === 'value') {
    const { fileName, alsoExpected } = role;
    if (!hasSecret && files.length > 0)
      notes.push(`${fileName} is made from vaultSecret, which is not given; the volume holds ${delivered}`);
    if (alsoExpected !== undefined && !files.some(({ path }) => path === alsoExpected)) {
      const remedy = `for a file "${alsoExpected}" add the field ${alsoExpected} next to "vault"`;
      notes.push(`the volume holds ${delivered} only; ${remedy}`);
    }
  }
  if (role.kind === 'certificate' && filesAdded)
    notes.push(`a certificate is expected here, so vaultSecret gets a files map; the volume holds ${delivered}`);
  if (role.kind === 'certificate' && hasSecret && names.includes('vaultCert'))
    notes.push(`vaultCert is the certificate expected here; vaultSecret adds the file "${files[0]?.path}" next to it`);
  const doubtful = onlyWithKey(files).join(' and ');
  if (role.kind === 'certificate' && doubtful !== '') {
    const remedy = `if it holds CA certificates only, add vaultCert with the certificate of the ${role.use}`;
    notes.push(`${doubtful} exist only if the secret of the CA chain also holds a private key; ${remedy}`);
  }
  return notes.map((message) => noteAt(found, message));
}

/** Returns the paths that a chain secret gives only if it holds a private key. */
function onlyWithKey(files: readonly ExpectedFile[]): readonly string[] {
  return files.flatMap(({ path, presence }) => (presence === 'with-key' ? [path] : []));
}

function syncRemarks(found: FoundKeyVault, { files, secretObjects }: RenderedVolume): readonly Remark[] {
  const doubtful = onlyWithKey(files);
  if (secretObjects.length === 0 || doubtful.length === 0) return [];
  const reason = `the Kubernetes Secret gets ${doubtful.join(' and ')}`;
  return [noteAt(found, `${reason}; remove them if the secret holds no private key, or nothing is synced`)];
}
