import { type ErrorCode, ProviderError } from '../base/errors.ts';
import type { Attributes } from './attributes.ts';
import type { Cloud } from './cloud.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import type { Findings } from './finding.ts';
import type { IdentityRequest } from './identity.ts';
import { type FileLayout, parseKeyVaultField } from './key-vault-field.ts';
import type { Identity, ObjectSpec, VolumeSpec } from './model.ts';
import { parseObjects } from './objects.ts';
import { fileModeRule } from './outputs.ts';
import { CREDENTIALS, type ParameterContext, ParameterReader } from './parameter-reader.ts';
import { resolveObjects } from './resolve-objects.ts';

/** Parameters, read: the volume if there is no error among the findings. */
export interface ParsedParameters {
  readonly findings: Findings;
  /** Absent where there are errors, or no request. */
  readonly volume: VolumeSpec | undefined;
}

const CLASSIC = [
  'keyvaultName',
  'tenantID',
  'tenantId',
  'cloudName',
  'cloudEnvFileName',
  'usePodIdentity',
  'useVMManagedIdentity',
  'useAzureTokenProxy',
  'userAssignedIdentityID',
  'clientID',
  'objects',
  'resourceGroup',
  'subscriptionId',
];
const KEY_VAULT = ['keyVault', 'fileLayout', 'fileName', 'filePermission', 'cloudName', 'cloudEnvFileName'];

/** Reads parameters of either form; every mistake becomes a finding, in the official provider's order. */
export function parseParameters(attributes: Attributes, context: ParameterContext): ParsedParameters {
  const reader = new ParameterReader(attributes, context);
  if (context.request !== undefined) {
    if (attributes.pod.name === '') reader.error('csi.storage.k8s.io/pod.name', 'pod name is not provided');
    if (attributes.pod.namespace === '')
      reader.error('csi.storage.k8s.io/pod.namespace', 'pod namespace is not provided');
  }
  const keyVault = attributes.parameters.has('keyVault');
  const manifest = keyVault ? readKeyVaultForm(reader) : readClassicForm(reader);
  const { findings } = reader;
  const { pod, secretProviderClass } = attributes;
  const { cloud, identity, objects, tenantId, vaultName } = manifest;
  if (findings.errors.length > 0 || cloud === undefined || identity === undefined)
    return { findings, volume: undefined };
  const vaultUrl = `https://${vaultName}.${cloud.vaultSuffix}`;
  return { findings, volume: { pod, secretProviderClass, cloud, tenantId, identity, vaultName, vaultUrl, objects } };
}

/** One error for all mistakes, the first finding's text first; undefined where there is none. */
export function findingsError(findings: Findings): ProviderError | undefined {
  const [first, ...more] = findings.errors;
  if (first === undefined) return undefined;
  const code: ErrorCode = findings.errors.every(({ path }) => path === CREDENTIALS)
    ? 'ERR_NO_CREDENTIALS'
    : 'ERR_BAD_PARAMETERS';
  const others = more.map(({ message }, index) => `; (${index + 2}) ${message}`).join('');
  const count = more.length === 0 ? '' : ` [first of ${more.length + 1} mistakes]`;
  return new ProviderError(code, `failed to mount objects, error: ${first.message}${count}${others}`);
}

interface Manifest {
  readonly cloud: Cloud | undefined;
  readonly tenantId: string;
  readonly identity: Identity | undefined;
  readonly vaultName: string;
  readonly objects: readonly ObjectSpec[];
}

function readClassicForm(reader: ParameterReader): Manifest {
  reader.noteUnknown(CLASSIC);
  const usePodIdentity = reader.flag('usePodIdentity');
  const useVMManagedIdentity = reader.flag('useVMManagedIdentity');
  const useAzureTokenProxy = reader.flag('useAzureTokenProxy');
  if ([usePodIdentity, useVMManagedIdentity, useAzureTokenProxy].filter(Boolean).length > 1) {
    reader.error(
      'useAzureTokenProxy',
      'only one identity mode can be enabled at a time: usePodIdentity, useVMManagedIdentity, or useAzureTokenProxy',
    );
  }
  const vaultName = reader.text('keyvaultName');
  if (vaultName === '')
    reader.error(
      'keyvaultName',
      'keyvaultName is not provided; it is the name of the Key Vault (or use the keyVault form)',
    );
  const tenantId = reader.text('tenantID') || reader.text('tenantId');
  if (tenantId === '')
    reader.error('tenantID', 'tenantId is not provided; set tenantID to the Entra tenant ID of the Key Vault');
  else reader.checkTenant('tenantID', tenantId);
  if (reader.text('tenantID') === '' && tenantId !== '')
    reader.findings.note('tenantId', 'tenantId is deprecated; use tenantID');
  const cloud = reader.cloud();
  const clientId = reader.text('clientID');
  const request: IdentityRequest = useVMManagedIdentity
    ? { kind: 'managed-identity', clientId: reader.text('userAssignedIdentityID') }
    : usePodIdentity
      ? { kind: 'pod-identity' }
      : useAzureTokenProxy
        ? { kind: 'identity-binding', clientId }
        : clientId === ''
          ? { kind: 'service-principal', secretName: '' }
          : { kind: 'workload-identity', clientId };
  const identity = reader.identity(request, tenantId);
  if (request.kind === 'managed-identity' && request.clientId === '' && clientId !== '') {
    reader.findings.warning(
      'clientID',
      'clientID has no meaning with useVMManagedIdentity; name a user-assigned identity by userAssignedIdentityID',
      reader.line('clientID'),
    );
  }
  const objects = readClassicObjects(reader);
  if (vaultName !== '' && objects.length > 0) reader.checkVaultName('keyvaultName', vaultName, 'failed to get vault: ');
  return { cloud, tenantId, identity, vaultName, objects };
}

function readClassicObjects(reader: ParameterReader): readonly ObjectSpec[] {
  const { findings } = reader;
  const text = reader.text('objects');
  if (text === '') {
    reader.error('objects', 'objects is not set; list the secrets, keys and certificates to mount under "array:"');
    return [];
  }
  const before = findings.errors.length;
  const named = parseObjects(text, findings, reader.objectDefaults(), reader.textLine('objects'));
  if (named.length === 0 && findings.errors.length === before) {
    reader.error('objects', 'objects holds no object; list the secrets, keys and certificates to mount under "array:"');
  }
  return resolveObjects(named, findings);
}

function readKeyVaultForm(reader: ParameterReader): Manifest {
  const { findings } = reader;
  for (const name of ['keyvaultName', 'objects']) {
    if (reader.has(name)) {
      reader.error(name, `keyVault and ${name} are two forms of the same thing; remove ${name}, or remove keyVault`);
    }
  }
  reader.refuseUnknown(KEY_VAULT, ['keyvaultName', 'objects']);
  const layout = readLayout(reader);
  const fileName = reader.text('fileName');
  const problem = fileName === '' ? undefined : filePathProblem(fileName);
  if (problem !== undefined) reader.error('fileName', `fileName is no usable path: ${problem}`);
  const modeText = reader.text('filePermission');
  const mode = modeText === '' ? undefined : parseFileMode(modeText);
  if (modeText !== '' && mode === undefined) reader.error('filePermission', fileModeRule(modeText));
  const defaults = reader.objectDefaults(mode);
  const field = parseKeyVaultField(reader.text('keyVault'), findings, {
    layout,
    fileName,
    defaults,
    firstLine: reader.textLine('keyVault'),
  });
  const cloud = reader.cloud();
  if (field === undefined) return { cloud, tenantId: '', identity: undefined, vaultName: '', objects: [] };
  const { vaultName, directoryId } = field;
  if (vaultName !== '' && !vaultName.startsWith('<'))
    reader.checkVaultName('keyVault', vaultName, 'keyVault.vault.name: ');
  if (directoryId !== '' && !directoryId.startsWith('<')) reader.checkTenant('keyVault', directoryId);
  const identity = reader.identity(field.identity, directoryId);
  return { cloud, tenantId: directoryId, identity, vaultName, objects: resolveObjects(field.objects, findings) };
}

function readLayout(reader: ParameterReader): FileLayout {
  const text = reader.text('fileLayout').toLowerCase();
  if (text !== '' && text !== 'tls' && text !== 'client') {
    reader.error(
      'fileLayout',
      `fileLayout "${text}" must be "tls" (tls.crt, tls.key, ca.crt) or "client" (client_cert.pem, client_key.pem, client_intermediate_certs.pem)`,
    );
  }
  return text === 'client' ? 'client' : 'tls';
}
