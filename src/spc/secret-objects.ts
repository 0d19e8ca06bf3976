/**
 * Checks `spec.secretObjects`, of which the driver makes Kubernetes Secrets: their form, and the files that they name.
 * Called by `check` only, since the driver does not send them to providers. Reports what the driver or the API server
 * would refuse.
 */

import { nearest, quote } from '../base/words.ts';
import { traitsOf } from '../pki/outputs.ts';
import { Fields } from './fields.ts';
import type { Findings } from './finding.ts';
import { secretKeyProblem, subdomainProblem } from './kubernetes-names.ts';
import type { ObjectSpec, OutputSpec } from './model.ts';
import { type VolumeFile, type VolumeFiles, valueContentOf } from './volume-files.ts';
import { needsQuotes } from './yaml/scalar.ts';
import { kindOf, type MapTree, type Tree } from './yaml/tree.ts';

const TLS = 'kubernetes.io/tls';
const TLS_KEYS: readonly string[] = ['tls.crt', 'tls.key'];
/** Keys that the API server requires, by type of Secret. */
const REQUIRED: ReadonlyMap<string, readonly string[]> = new Map([
  [TLS, TLS_KEYS],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
]);
const TYPES = [
  ...REQUIRED.keys(),
  'Opaque',
  'kubernetes.io/basic-auth',
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
];
const FIELDS = ['secretName', 'type', 'data', 'labels', 'annotations'];

interface SecretContext {
  readonly findings: Findings;
  /** Undefined if the files are unknown because of mistakes. */
  readonly files: VolumeFiles | undefined;
  /** Names of the Secrets before this one. */
  readonly names: Set<string>;
}

/** Checks the Secrets of a class against the files of its volume; files that are undefined are not looked at. */
export function checkSecretObjects(spec: MapTree, files: VolumeFiles | undefined, findings: Findings): void {
  const value = spec.entries.get('secretObjects')?.value;
  if (value === undefined || value.kind === 'null') return;
  const context = { findings, files, names: new Set<string>() };
  eachMap(value, 'spec.secretObjects', findings, (secret) => checkSecret(secret, context));
}

function checkSecret(secret: Fields, { findings, files, names }: SecretContext): void {
  secret.onlyKnown(FIELDS, 'warning');
  const name = quotedText(secret, 'secretName', 'it names the Secret that the driver creates');
  const problem = name === '' ? undefined : subdomainProblem(name);
  if (problem !== undefined) secret.error('secretName', problem);
  if (name !== '' && names.has(name))
    secret.error('secretName', `${quote(name)} is used twice; give each Secret its own name`);
  names.add(name);
  const type = checkType(secret);
  for (const field of ['labels', 'annotations']) checkTexts(secret, field);
  const data = secret.value('data');
  if (data === undefined || data.kind === 'null' || (data.kind === 'list' && data.items.length === 0)) {
    secret.error('data', 'must hold at least one entry: the driver refuses a Secret without data');
    return;
  }
  const keys = new Set<string>();
  eachMap(data, secret.pathOf('data'), findings, (entry) => {
    const key = checkKey(entry, { type, keys });
    const objectName = quotedText(entry, 'objectName', 'it is the path of a file of this mount');
    if (files !== undefined && objectName !== '' && !entry.isFull) checkFile(entry, objectName, { type, key, files });
  });
  checkRequired(secret, type, keys);
}

function checkType(secret: Fields): string {
  const type = quotedText(secret, 'type', 'it is "Opaque", "kubernetes.io/tls" or another type of Secret');
  if (type === '' || TYPES.includes(type)) return type;
  const lower = type.toLowerCase();
  const near = nearest(type, TYPES) ?? TYPES.find((known) => known.endsWith(`/${lower}`));
  if (near !== undefined) secret.warning('type', `${quote(type)} is not a type of Kubernetes; did you mean "${near}"?`);
  return type;
}

function checkTexts(secret: Fields, field: string): void {
  const map = secret.map(field);
  for (const name of map?.names ?? []) {
    const value = map?.value(name);
    if (value?.kind !== 'text')
      map?.error(name, `must be text, not ${value === undefined ? 'nothing' : kindOf(value)}`);
    else if (needsQuotes(value)) map?.error(name, `must be text; put ${value.text} in quotes`);
  }
}

function checkKey(entry: Fields, { type, keys }: { readonly type: string; readonly keys: Set<string> }): string {
  entry.onlyKnown(['objectName', 'key'], 'warning');
  const key = quotedText(entry, 'key', 'it is the key of the Secret that the file becomes');
  if (key === '') return key;
  const problem = secretKeyProblem(key);
  if (problem !== undefined) entry.error('key', problem);
  if (keys.has(key))
    entry.error('key', `${quote(key)} is used twice in this Secret: the last entry would overwrite the others`);
  keys.add(key);
  if (type === TLS && !TLS_KEYS.includes(key)) {
    const rule = `the driver takes only "tls.crt" and "tls.key" in a Secret of type ${TLS}`;
    entry.error('key', `${quote(key)} is not supported: ${rule}; put others into a second Secret of type Opaque`);
  }
  return key;
}

function checkFile(
  entry: Fields,
  objectName: string,
  { type, key, files }: { readonly type: string; readonly key: string; readonly files: VolumeFiles },
): void {
  const file = files.find(objectName);
  if (file === undefined) {
    entry.error('objectName', `${quote(objectName)} is not a file of this mount; ${files.hint(objectName)}`);
    return;
  }
  if (file.selected) return;
  if (file.split) {
    const flag = '--write-cert-and-key-in-separate-files';
    entry.warning('objectName', `${quote(objectName)} is a file only if the provider runs with ${flag}`);
    return;
  }
  const problem = type === TLS && TLS_KEYS.includes(key) ? tlsProblem(key, file) : undefined;
  if (problem !== undefined) entry.error('objectName', `${quote(objectName)} cannot become ${key}: ${problem}`);
  const risk = absenceOf(file);
  if (risk !== undefined) entry.warning('objectName', `${quote(objectName)} ${risk}`);
  const { presence = 'required' } = file.output ?? {};
  if (presence === 'if-present' || presence === 'with-key') {
    const when = presence === 'with-key' ? 'holds a private key' : 'brings CA certificates along';
    const result = 'the driver makes nothing of this Secret without it';
    entry.warning('objectName', `${quote(objectName)} is a file only if the object ${when}; ${result}`);
  }
}

/** Returns the consequence for the Secret if the object of the file is missing; undefined: there is a file then too. */
function absenceOf({ object, metadata, part }: VolumeFile): string | undefined {
  const nothing = 'the driver makes nothing of this Secret without it';
  if (part?.optional) return `is a file only if its expression finds something in the secret; ${nothing}`;
  if (part?.each) return `is a file only if the secret holds this key; ${nothing}`;
  const { ifMissing } = object ?? {};
  if (ifMissing === undefined || (ifMissing.kind !== 'skip' && metadata !== true)) return undefined;
  const remedy = metadata === true ? '' : '; give it ifMissing: empty or a default';
  return `is of an optional object; while that is missing, the driver makes nothing of this Secret${remedy}`;
}

/** Returns the reason why the driver cannot take certificate or private key out of a file, or undefined. */
function tlsProblem(key: string, file: VolumeFile): string | undefined {
  const isKey = key === 'tls.key';
  const lacks = isKey ? 'it holds no private key' : 'it holds no certificate';
  const { output, object, metadata, template } = file;
  if (template) return undefined;
  if (object === undefined || metadata) return lacks;
  if (output !== undefined) {
    const { holdsKey, holdsCertificates } = traitsOf(output.output);
    const isThere = isKey ? holdsKey : holdsCertificates;
    const other = `${lacks}; take the output ${isKey ? 'privateKey' : 'fullChain'}`;
    return encodingProblem(output) ?? (isThere ? undefined : other);
  }
  return valueProblem(object, file, isKey);
}

/** Returns the reason why the driver cannot use a file made in the official provider's way, or undefined. */
function valueProblem(object: ObjectSpec, file: VolumeFile, isKey: boolean): string | undefined {
  if (object.type === 'key')
    return 'objectType: key gives the public key; take the certificate with objectType: secret';
  if (isKey && object.type === 'cert')
    return 'objectType: cert gives the certificate without its private key; objectType: secret gives both';
  const { format = '', encoding = '' } = valueContentOf(file) ?? {};
  if (format === 'pfx' && encoding === 'utf-8')
    return 'the driver cannot read a PFX as base64 text; add objectEncoding: base64, or leave objectFormat out';
  return undefined;
}

/** Returns the reason why the driver cannot open a file made of a certificate, or undefined. */
function encodingProblem({ output, passwordFrom, pfxForm }: OutputSpec): string | undefined {
  const { encoding, holdsKey, trustsRoots } = traitsOf(output);
  if (encoding === 'pem') return undefined;
  if (encoding === 'der' || !holdsKey || trustsRoots)
    return 'the driver reads PEM, or a PFX; take fullChain and privateKey';
  if (passwordFrom !== undefined) return 'the driver opens a PFX with the empty password only; leave passwordFrom out';
  if (pfxForm === 'modern')
    return 'the driver cannot read a PFX in modern form; set format: legacy, or take fullChain and privateKey';
  return undefined;
}

function checkRequired(secret: Fields, type: string, keys: ReadonlySet<string>): void {
  const missing = (REQUIRED.get(type) ?? []).filter((key) => !keys.has(key));
  if (missing.length > 0) {
    secret.error(
      'data',
      `lacks ${missing.map(quote).join(' and ')}: the API server refuses a Secret of type ${type} without`,
    );
  }
  if (type === 'kubernetes.io/basic-auth' && !keys.has('username') && !keys.has('password'))
    secret.error('data', `needs "username" or "password" in a Secret of type ${type}`);
}

/** Returns a text that is required, and that Kubernetes accepts as text. */
function quotedText(fields: Fields, name: string, purpose: string): string {
  const value = fields.value(name);
  if (value?.kind === 'text' && needsQuotes(value)) fields.error(name, `must be text; put ${value.text} in quotes`);
  return fields.required(name, purpose);
}

function eachMap(list: Tree, path: string, findings: Findings, check: (fields: Fields) => void): void {
  if (list.kind !== 'list') {
    findings.error(path, `${path} must be a list, not ${kindOf(list)}`, { line: list.line });
    return;
  }
  for (const [index, item] of list.items.entries()) {
    const place = `${path}[${index}]`;
    if (findings.isFull('error')) return;
    if (item.kind === 'map') check(new Fields(findings, item, place));
    else findings.error(place, `${place} must be a map, not ${kindOf(item)}`, { line: item.line });
  }
}
