import { Fields } from './fields.ts';
import type { Findings } from './finding.ts';
import type { IdentityRequest } from './identity.ts';
import type { ContentSpec, ObjectSpec, OutputKind, OutputSpec } from './model.ts';
import type { NamedObject, ObjectDefaults } from './objects.ts';
import { type NamedOutput, parseFiles, parseKeyFormat, parseMode } from './outputs.ts';
import { kindOf, parseYaml } from './tree.ts';

/** File names of a certificate: `tls` as in a kubernetes.io/tls Secret, `client` as bridges and Kafka connectors want them. */
export type FileLayout = 'tls' | 'client';

/** The `keyVault` field of a broker resource, read. */
export interface KeyVaultField {
  readonly vaultName: string;
  /** The tenant. */
  readonly directoryId: string;
  readonly identity: IdentityRequest;
  readonly objects: readonly NamedObject[];
}

/** What stands beside the field among the parameters. */
export interface KeyVaultSiblings {
  readonly layout: FileLayout;
  /** File of `vaultSecret`; empty: the secret's name. */
  readonly fileName: string;
  readonly defaults: ObjectDefaults;
}

const REFERENCES = ['vaultSecret', 'vaultCert', 'vaultCaChainCert', 'vaultCaChainSecret'] as const;
type Reference = (typeof REFERENCES)[number];

const LAYOUTS: Readonly<
  Record<FileLayout, { fullChain: string; privateKey: string; authorities: { output: OutputKind; path: string } }>
> = {
  tls: { fullChain: 'tls.crt', privateKey: 'tls.key', authorities: { output: 'ca', path: 'ca.crt' } },
  client: {
    fullChain: 'client_cert.pem',
    privateKey: 'client_key.pem',
    authorities: { output: 'chain', path: 'client_intermediate_certs.pem' },
  },
};

/** True for text such as `<AKV directory ID>`, which documentation leaves for the reader to fill in. */
export function isPlaceholder(text: string): boolean {
  return /^<[^<>]*>$/.test(text.trim());
}

/**
 * Reads the YAML (or JSON) of a `keyVault` field exactly as it stands in a broker resource. Strict: every unknown name is
 * an error. `firstLine` is the line of the text's first line.
 */
export function parseKeyVaultField(
  text: string,
  findings: Findings,
  { layout, fileName, defaults, firstLine = 1 }: KeyVaultSiblings & { readonly firstLine?: number },
): KeyVaultField | undefined {
  const parsed = parseYaml(text, firstLine);
  if (!parsed.ok) {
    for (const { line, message } of parsed.errors)
      findings.error('keyVault', `keyVault cannot be read as YAML: line ${line}: ${message}`, line);
    return undefined;
  }
  const [document, second] = parsed.documents;
  if (second !== undefined) findings.error('keyVault', 'keyVault holds more than one YAML document', second.line);
  if (document?.kind !== 'map') {
    const found = document === undefined ? 'nothing' : kindOf(document);
    findings.error('keyVault', `keyVault must hold a map with "vault" and an object, found ${found}`, firstLine);
    return undefined;
  }
  const fields = new Fields(findings, document, 'keyVault');
  fields.onlyKnown(['vault', ...REFERENCES, 'username'], 'error');
  const vault = parseVault(fields);
  const objects = parseReferences(fields, findings, { layout, fileName, defaults });
  return { ...vault, objects };
}

function parseVault(fields: Fields): Omit<KeyVaultField, 'objects'> {
  const vault = fields.map('vault');
  if (vault === undefined) {
    if (!fields.has('vault'))
      fields.error('vault', 'is required: it names the Key Vault, its directory and the credentials');
    return { vaultName: '', directoryId: '', identity: { kind: 'pod-identity' } };
  }
  vault.onlyKnown(['name', 'directoryId', 'credentials'], 'error');
  const vaultName = filledIn(vault, 'name', 'the name of the Key Vault');
  const directoryId = filledIn(vault, 'directoryId', 'the Microsoft Entra tenant ID (directory ID) of the Key Vault');
  return { vaultName, directoryId, identity: parseCredentials(vault) };
}

function parseCredentials(vault: Fields): IdentityRequest {
  const none: IdentityRequest = { kind: 'service-principal', secretName: '' };
  const credentials = vault.map('credentials');
  if (credentials === undefined) {
    if (!vault.has('credentials'))
      vault.error(
        'credentials',
        'is required: set servicePrincipalLocalSecretName to the name of the Secret with clientid and clientsecret',
      );
    return none;
  }
  const kinds = ['servicePrincipalLocalSecretName', 'workloadIdentity', 'managedIdentity'];
  credentials.onlyKnown(kinds, 'error');
  const given = kinds.filter((kind) => credentials.has(kind));
  const [first, second] = given;
  if (first === undefined) vault.error('credentials', `must hold one of ${kinds.join(', ')}`);
  else if (second !== undefined) vault.error('credentials', `must hold only one of ${given.join(' and ')}`);
  switch (first) {
    case 'workloadIdentity': {
      const identity = credentials.map(first);
      identity?.onlyKnown(['clientId'], 'error');
      return {
        kind: 'workload-identity',
        clientId:
          identity === undefined
            ? ''
            : filledIn(
                identity,
                'clientId',
                'the client ID of the identity that is federated with the service account',
              ),
      };
    }
    case 'managedIdentity': {
      const identity = credentials.value(first)?.kind === 'null' ? undefined : credentials.map(first);
      identity?.onlyKnown(['clientId'], 'error');
      return { kind: 'managed-identity', clientId: identity?.text('clientId') ?? '' };
    }
    default:
      if (first === undefined) return none;
      return {
        kind: 'service-principal',
        secretName: filledIn(credentials, first, 'the name of the Secret with clientid and clientsecret'),
      };
  }
}

function parseReferences(fields: Fields, findings: Findings, siblings: KeyVaultSiblings): readonly NamedObject[] {
  const given = REFERENCES.filter((reference) => fields.has(reference));
  if (given.length === 0) {
    findings.error('keyVault', 'keyVault names no object: add vaultSecret, vaultCert or vaultCaChainCert', fields.line);
    return [];
  }
  if (fields.has('vaultCaChainCert') && fields.has('vaultCaChainSecret')) {
    fields.error('vaultCaChainSecret', 'is another name of vaultCaChainCert; give one of them');
  }
  return given.flatMap((reference) => {
    const object = fields.map(reference);
    return object === undefined ? [] : [parseReference(object, findings, { reference, given, siblings })];
  });
}

interface ReferenceContext {
  readonly reference: Reference;
  /** All references of the field, in the order of their objects. */
  readonly given: readonly Reference[];
  readonly siblings: KeyVaultSiblings;
}

function parseReference(object: Fields, findings: Findings, context: ReferenceContext): NamedObject {
  const { defaults } = context.siblings;
  object.onlyKnown(['name', 'version', 'filePermission', 'files', 'keyFormat'], 'error');
  const name = filledIn(object, 'name', 'the name of the object in the Key Vault');
  if (name !== '' && !isPlaceholder(name) && !/^[-A-Za-z0-9]{1,127}$/.test(name)) {
    object.error('name', `"${name}" cannot be the name of a Key Vault object: 1 to 127 letters, digits and hyphens`);
  }
  const versionText = object.text('version');
  const version = versionText.toLowerCase() === 'latest' ? '' : versionText;
  const mode = parseMode(object, defaults.mode);
  const keyFormat = parseKeyFormat(object, 'pkcs8');
  const laidOut = contentOf(name, context);
  let outputs: readonly NamedOutput[] = [];
  let chosen = laidOut;
  if (object.has('files')) {
    outputs = parseFiles(object, findings, { mode, keyFormat });
    chosen = { ...outputsOf(laidOut), outputs: [] };
  } else if (laidOut.kind === 'outputs') {
    outputs = laidOut.outputs.map((output) => ({
      ...output,
      mode,
      keyFormat,
      passwordFrom: '',
      field: object.path,
      line: object.line,
    }));
  } else {
    chosen = { ...laidOut, mode };
  }
  const spec: ObjectSpec = {
    label: `${object.path} (secret "${name}"${version === '' ? '' : `, version ${version}`})`,
    type: 'secret',
    name,
    version,
    history: 1,
    content: chosen,
  };
  return { path: object.path, line: object.line, spec, outputs, passwordFrom: '' };
}

function contentOf(name: string, { reference, given, siblings }: ReferenceContext): ContentSpec {
  const { layout, fileName, defaults } = siblings;
  switch (reference) {
    case 'vaultSecret':
      return {
        kind: 'value',
        path: fileName === '' ? name : fileName,
        mode: defaults.mode,
        format: '',
        encoding: 'utf-8',
        split: false,
        orderChain: true,
      };
    case 'vaultCert':
      return certificateContent(layout, given.findIndex(isChain));
    case 'vaultCaChainCert':
    case 'vaultCaChainSecret':
      return chainContent(layout, given.includes('vaultCert'));
  }
}

/** Leaf with its intermediates, key, and the authorities unless a chain secret brings them. */
function certificateContent(layout: FileLayout, chainIndex: number): ContentSpec {
  const { fullChain, privateKey, authorities } = LAYOUTS[layout];
  const outputs = [output('fullChain', fullChain, 'required'), output('privateKey', privateKey, 'required')];
  const chainFrom = chainIndex === -1 ? undefined : chainIndex;
  if (chainFrom === undefined || layout === 'client')
    outputs.push(output(authorities.output, authorities.path, 'if-present'));
  return { kind: 'outputs', role: 'certificate', outputs, chainFrom, passwordFrom: undefined };
}

/**
 * The chain file. Beside a certificate in the `client` layout the certificate's own chain file takes it in; alone, a
 * chain secret that also holds a private key serves as the certificate too.
 */
function chainContent(layout: FileLayout, besideCertificate: boolean): ContentSpec {
  const { fullChain, privateKey, authorities } = LAYOUTS[layout];
  const chain = output(authorities.output, authorities.path, 'required');
  const alone = [output('fullChain', fullChain, 'with-key'), output('privateKey', privateKey, 'with-key'), chain];
  const outputs = !besideCertificate ? alone : layout === 'client' ? [] : [chain];
  return { kind: 'outputs', role: 'chain', outputs, chainFrom: undefined, passwordFrom: undefined };
}

function outputsOf(content: ContentSpec): ContentSpec & { kind: 'outputs' } {
  if (content.kind === 'outputs') return content;
  return { kind: 'outputs', role: 'certificate', outputs: [], chainFrom: undefined, passwordFrom: undefined };
}

function output(kind: OutputKind, path: string, presence: OutputSpec['presence']): OutputSpec {
  return { output: kind, path, mode: 0, presence, keyFormat: 'pkcs8', pfxForm: 'modern', passwordFrom: undefined };
}

function isChain(reference: Reference): boolean {
  return reference === 'vaultCaChainCert' || reference === 'vaultCaChainSecret';
}

function filledIn(fields: Fields, name: string, meaning: string): string {
  const text = fields.required(name, `it is ${meaning}`);
  if (isPlaceholder(text)) fields.error(name, `is still the placeholder "${text}": put ${meaning} there`);
  return text;
}
