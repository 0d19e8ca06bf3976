/**
 * Reads the parameters of a SecretProviderClass in either form. Called by Mounts, `check` and `render`. Refuses a
 * manifest with one error that names all mistakes, in the order in which the official provider finds them.
 */

import { ProviderError } from '../base/errors.ts';
import { quote } from '../base/words.ts';
import type { Attributes } from './attributes.ts';
import { type Cloud, cloudFileNamed, type ReadCloudFile } from './cloud.ts';
import { filePathProblem, parseFileMode } from './file-path.ts';
import { Findings } from './finding.ts';
import { type IdentityRequest, rowOf } from './identities/table.ts';
import { chooseIdentity } from './identity.ts';
import { type KeyVaultField, type KeyVaultSiblings, type KeyVaultText, parseKeyVaultField } from './key-vault-field.ts';
import { withLanguages } from './languages.ts';
import type { CertificateUse, FileLayout } from './layouts.ts';
import type { Identity, LiteralFile, ObjectSpec, SelectionSpec, TemplateSpec, VolumeSpec } from './model.ts';
import { vaultNameProblem } from './names.ts';
import { type ObjectsContext, parseObjects } from './objects.ts';
import { fileModeRule } from './outputs.ts';
import { type ParameterContext, ParameterReader, type ReadText } from './parameter-reader.ts';
import { readTemplates } from './read-templates.ts';
import { type ResolvedObjects, resolveObjects } from './resolve-objects.ts';
import { readTenant, reportTenant } from './tenant.ts';
import { withValidity } from './validity.ts';
import {
  FALLBACKS_FIELD,
  fallbackNames,
  fallbacksProblem,
  type OwnVault,
  tenantsWithoutEffect,
  vaultsProblem,
  vaultUrlOf,
  withoutOwnVault,
} from './vaults.ts';

/** The result of reading parameters: a volume if there is no error among the findings. */
export interface ParsedParameters {
  readonly findings: Findings;
  /** Absent if there are errors, or no request. */
  readonly volume: VolumeSpec | undefined;
  /** The objects that could be read, even if there are mistakes elsewhere. */
  readonly objects: readonly ObjectSpec[];
  readonly selections: readonly SelectionSpec[];
  readonly literals: readonly LiteralFile[];
  readonly templates: readonly TemplateSpec[];
  /** The mode of the identity that is asked for; absent if that could not be read. */
  readonly mode?: IdentityRequest['kind'];
}

const MAX_SHOWN_MISTAKES = 20;

/**
 * Reads the file that describes the cloud, if the parameters name one, and then calls {@link parseParameters}, with the
 * languages of manifests if these parameters need them.
 */
export async function parseWithCloudFile(
  attributes: Attributes,
  context: ParameterContext,
  readCloudFile: ReadCloudFile,
): Promise<ParsedParameters> {
  const name = cloudFileNamed(attributes.parameters, context.defaults.cloudName);
  const whole = name === undefined ? context : { ...context, cloudFile: await readCloudFile(name) };
  return withLanguages(() => parseParameters(attributes, whole));
}

/**
 * Reads parameters of either form; every mistake becomes a finding, in the official provider's order.
 * Throws: LanguagesNeeded.
 */
export function parseParameters(attributes: Attributes, context: ParameterContext): ParsedParameters {
  const reader = new ParameterReader(attributes, context);
  if (context.request !== undefined) {
    const { name, namespace } = attributes.pod;
    if (name === '') reader.error('csi.storage.k8s.io/pod.name', 'pod name is not provided', 'parameters');
    if (namespace === '')
      reader.error('csi.storage.k8s.io/pod.namespace', 'pod namespace is not provided', 'parameters');
  }
  if (reader.refuseLong())
    return { findings: reader.findings, volume: undefined, objects: [], selections: [], literals: [], templates: [] };
  const keyVault = attributes.parameters.has('keyVault');
  const manifest = keyVault ? readKeyVaultForm(reader) : readClassicForm(reader);
  const templates = readTemplates(reader, manifest);
  const maxAgeMs = reader.maxAge();
  const validity = reader.validity();
  const own = readVaults(reader, manifest);
  const { findings } = reader;
  const { pod, secretProviderClass } = attributes;
  const { cloud, mode, identity, tenantId, vaultName, objects, selections, literals } = manifest;
  const read = { findings, objects, selections, literals, templates, ...(mode === undefined ? {} : { mode }) };
  if (findings.errors.length > 0 || cloud === undefined || identity === undefined)
    return { ...read, volume: undefined };
  const vaultUrl = vaultUrlOf(vaultName, cloud);
  const place = { pod, secretProviderClass, cloud, tenantId, identity, vaultName, vaultUrl };
  const ready = (all: readonly ObjectSpec[]) => withoutOwnVault(withValidity(all, validity), own);
  const { fallbackVaults } = own;
  const more = { ...(maxAgeMs !== undefined && { maxAgeMs }), ...(fallbackVaults.length > 0 && { fallbackVaults }) };
  const chosen = withPatterns(selections, ready);
  return { ...read, volume: { ...place, objects: ready(objects), selections: chosen, literals, templates, ...more } };
}

/** Returns the selections with their patterns changed. */
function withPatterns(
  selections: readonly SelectionSpec[],
  change: (patterns: readonly ObjectSpec[]) => readonly ObjectSpec[],
): readonly SelectionSpec[] {
  if (selections.length === 0) return selections;
  const patterns = change(selections.map(({ pattern }) => pattern));
  return selections.map((selection, index) => ({ ...selection, pattern: patterns[index] ?? selection.pattern }));
}

/** Reads the fallback vaults, and checks all vaults of the volume. */
function readVaults(reader: ParameterReader, manifest: Manifest): OwnVault {
  const { mode, vaultName, tenantId } = manifest;
  const objects = [...manifest.objects, ...manifest.selections.map(({ pattern }) => pattern)];
  const fallbackVaults = fallbackNames(reader.text(FALLBACKS_FIELD));
  const wrong = fallbacksProblem(fallbackVaults, vaultName);
  if (wrong !== undefined) reader.error(FALLBACKS_FIELD, `${FALLBACKS_FIELD} ${wrong}`);
  const own = { vaultName, tenantId, fallbackVaults };
  const text = reader.has('keyVault') ? 'keyVault' : 'objects';
  const problem = vaultsProblem(objects, own);
  if (problem !== undefined) reader.error(text, `${text}: ${problem}`);
  const warning = mode === undefined ? undefined : tenantsWithoutEffect(objects, rowOf({ kind: mode }).needsTenant);
  if (warning !== undefined) reader.warning(text, `${text}: ${warning}`);
  return own;
}

/** Returns one error for all mistakes, those of the official provider first, or undefined. */
export function findingsError(findings: Findings): ProviderError | undefined {
  const { errors } = findings;
  const [first, ...more] = errors;
  if (first === undefined) return undefined;
  const count = more.length === 0 ? '' : ` [first of ${errors.length} mistakes]`;
  const shown = more.slice(0, MAX_SHOWN_MISTAKES - 1).map(({ message }, index) => `; (${index + 2}) ${message}`);
  const rest = errors.length > MAX_SHOWN_MISTAKES ? `; and ${errors.length - MAX_SHOWN_MISTAKES} more` : '';
  const message = `failed to mount objects, error: ${first.message}${count}${shown.join('')}${rest}`;
  return new ProviderError(findings.code, message);
}

interface Manifest {
  readonly cloud: Cloud | undefined;
  readonly tenantId: string;
  readonly mode: IdentityRequest['kind'] | undefined;
  readonly identity: Identity | undefined;
  readonly vaultName: string;
  readonly objects: readonly ObjectSpec[];
  readonly selections: readonly SelectionSpec[];
  readonly literals: readonly LiteralFile[];
  /** Permission of files that name none. */
  readonly fileMode: number;
}

function readClassicForm(reader: ParameterReader): Manifest {
  reader.reportUnknown();
  const readIdentity = chooseIdentity(reader);
  const vaultName = reader.text('keyvaultName');
  if (vaultName === '')
    reader.missing(
      'keyvaultName',
      'keyvaultName is not provided; it is the name of the Key Vault (or use the keyVault form)',
    );
  const tenant = readTenant(reader);
  const { tenantId } = tenant;
  const cloud = reader.cloud();
  if (cloud?.custom === false && reader.text('cloudEnvFileName') !== '')
    reader.note('cloudEnvFileName', 'cloudEnvFileName is read only with cloudName AzureStackCloud');
  const request = readIdentity();
  const identity = reader.identity(request, tenantId);
  const { objects, selections } = readObjects(reader);
  const vaultProblem = vaultName === '' ? undefined : vaultNameProblem(vaultName);
  if (vaultProblem !== undefined) reader.error('keyvaultName', `failed to get vault: ${vaultProblem}`, 'vault');
  if (rowOf(request).needsTenant) reportTenant(reader, tenant);
  reader.notePlaceholders();
  const { mode: fileMode } = reader.objectDefaults();
  return { cloud, tenantId, mode: request.kind, identity, vaultName, objects, selections, literals: [], fileMode };
}

/** Differs: no object at all is a success for the official provider, and then an unexplained failure of the driver. */
function readObjects(reader: ParameterReader): ResolvedObjects {
  if (reader.text('objects') === '') {
    reader.missing('objects', `objects is not set; ${LIST_THEM}`);
    return { objects: [], selections: [] };
  }
  return reader.readText('objects', { defaults: reader.objectDefaults() }, readObjectsText);
}

const LIST_THEM = 'list the secrets, keys and certificates to mount under "array:"';

function readObjectsText(text: string, context: Required<ObjectsContext>): ReadText {
  const findings = new Findings();
  const named = parseObjects(text, findings, context);
  if (named.length === 0 && findings.errors.length === 0)
    findings.error('objects', `objects holds no object; ${LIST_THEM}`, { line: context.firstLine });
  return { ...resolveObjects(named, findings), findings };
}

function readKeyVaultForm(reader: ParameterReader): Manifest {
  for (const name of ['keyvaultName', 'objects']) {
    if (reader.has(name)) {
      reader.error(name, `keyVault and ${name} are two forms of the same thing; remove ${name}, or remove keyVault`);
    }
  }
  reader.refuseUnknown(['keyvaultName', 'objects']);
  const layout = readLayout(reader);
  const use = readUse(reader);
  const fileName = readFileName(reader);
  const defaults = reader.objectDefaults(readMode(reader));
  const { field, objects, selections } = reader.readText(
    'keyVault',
    { layout, use, fileName, defaults },
    readKeyVaultText,
  );
  const cloud = reader.cloud();
  if (field === undefined) return { ...NOTHING, cloud, fileMode: defaults.mode };
  const { vaultName, directoryId, literals } = field;
  const contents = [...objects, ...selections.map(({ pattern }) => pattern)].map(({ content }) => content);
  if (fileName !== '' && !contents.some(({ kind }) => kind !== 'outputs'))
    reader.note('fileName', 'fileName is the file of vaultSecret; it has no meaning without one, nor next to files');
  if (contents.every(({ kind }) => kind !== 'outputs')) {
    if (reader.has('fileLayout')) reader.note('fileLayout', LAYOUT_OF_VALUE);
    if (reader.has('certificateUse'))
      reader.note('certificateUse', 'certificateUse has no meaning without a certificate');
  }
  const identity = reader.identity(field.identity, directoryId);
  const mode = field.identity.kind;
  const fileMode = defaults.mode;
  return { cloud, tenantId: directoryId, mode, identity, vaultName, objects, selections, literals, fileMode };
}

/** What a manifest gives that cannot be read. */
const NOTHING: Omit<Manifest, 'cloud' | 'fileMode'> = {
  tenantId: '',
  mode: undefined,
  identity: undefined,
  vaultName: '',
  objects: [],
  selections: [],
  literals: [],
};

function readFileName(reader: ParameterReader): string {
  const text = reader.text('fileName');
  const problem = text === '' ? undefined : filePathProblem(text);
  if (problem !== undefined) reader.error('fileName', `fileName is not a usable path: ${problem.text}`);
  return text;
}

function readMode(reader: ParameterReader): number | undefined {
  const text = reader.text('filePermission');
  const mode = text === '' ? undefined : parseFileMode(text);
  if (text !== '' && mode === undefined) reader.error('filePermission', fileModeRule(text));
  return mode;
}

const LAYOUT_OF_VALUE =
  'fileLayout names the files of vaultCert and vaultCaChainCert; vaultSecret is one file. If it is a certificate, rename it ' +
  'to vaultCert, or give it a files map';

/** The field, if it can be read, and its objects. */
interface ReadField extends ReadText {
  readonly field: KeyVaultField | undefined;
}

function readKeyVaultText(text: string, context: KeyVaultSiblings & KeyVaultText): ReadField {
  const findings = new Findings();
  const field = parseKeyVaultField(text, findings, context);
  return { field, ...resolveObjects(field?.objects ?? [], findings, field?.literals), findings };
}

function readLayout(reader: ParameterReader): FileLayout {
  const text = reader.text('fileLayout').toLowerCase();
  if (text !== '' && text !== 'tls' && text !== 'client') {
    reader.error(
      'fileLayout',
      `fileLayout ${quote(text)} must be "tls" (tls.crt, tls.key, ca.crt) or "client" (client_cert.pem, client_key.pem, client_intermediate_certs.pem)`,
    );
  }
  return text === 'client' ? 'client' : 'tls';
}

function readUse(reader: ParameterReader): CertificateUse | undefined {
  const text = reader.text('certificateUse').toLowerCase();
  if (text === 'server' || text === 'client') return text;
  if (text !== '') reader.error('certificateUse', `certificateUse ${quote(text)} must be "server" or "client"`);
  return undefined;
}
