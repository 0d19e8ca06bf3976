/**
 * Reads the `keyVault` field of a broker resource: the vault, the identity and up to three objects. Called by the
 * reader of parameters and by `render`. Refuses every name that it does not know.
 */

import { quote } from '../base/words.ts';
import { noteOutputs } from './certificate-notes.ts';
import { type OutputsContent, outputsContent, partsContent, valueContent } from './contents.ts';
import { EXTRACT_FIELD, parseExtract } from './extract.ts';
import { Fields } from './fields.ts';
import type { Findings } from './finding.ts';
import { certificateContent, chainContent, type LayoutChoice } from './layouts.ts';
import { readMapText } from './map-text.ts';
import { parseMetadata } from './metadata.ts';
import type { ContentSpec, LiteralFile, ObjectSpec } from './model.ts';
import { NAME_PATTERN } from './name-pattern.ts';
import { objectNameProblem, pathPartProblem } from './names.ts';
import type { NamedObject, ObjectDefaults } from './object.ts';
import { MAX_TEXT_BYTES } from './objects.ts';
import { type NamedOutput, parseFiles, parseKeyFormat, parseMode } from './outputs.ts';
import { bracketedPlaceholderIn, placeholderIn } from './placeholder.ts';
import { parsePresence } from './presence.ts';
import { checkPatterns, isSelection, KEY_VAULT_WORDS, parseChoice } from './selection.ts';
import { sharedFields } from './shared-fields.ts';
import { parseTemplateOnly } from './templates.ts';
import { parseValidity } from './validity.ts';
import { parseVault, type VaultField } from './vault-field.ts';
import { parseObjectVault } from './vaults.ts';

/** The `keyVault` field of a broker resource, read. */
export interface KeyVaultField extends VaultField {
  readonly objects: readonly NamedObject[];
  /** `username`, which is next to the token of a Kafka connector. */
  readonly literals: readonly LiteralFile[];
}

/** Parameters next to `keyVault`. */
export interface KeyVaultSiblings extends LayoutChoice {
  /** File of `vaultSecret`; empty: the secret's name. */
  readonly fileName: string;
  readonly defaults: ObjectDefaults;
}

/** The place of the text of a field in its manifest (default: line 1). */
export interface KeyVaultText {
  readonly firstLine?: number;
}

const REFERENCES = ['vaultSecret', 'vaultCert', 'vaultCaChainCert', 'vaultCaChainSecret'] as const;
type Reference = (typeof REFERENCES)[number];
/** Name of a field, and of its file. */
const USERNAME = 'username';
/** Names of the fields of `keyVault`. */
export const KEY_VAULT_FIELDS = ['vault', ...REFERENCES, USERNAME] as const;
/** Names of the fields of each object in `keyVault`. */
export const REFERENCE_FIELDS: readonly string[] = [
  'name',
  'version',
  'filePermission',
  ...sharedFields(KEY_VAULT_WORDS),
];

/** Limit of the lines, entries, brackets and quotes; a field with everything in it has about two hundred. */
const MAX_SIZE = 2000;

interface ReferenceContext {
  readonly reference: Reference;
  /** All references of the field that name an object, in the order of these. */
  readonly given: readonly Reference[];
  /** The reference that is a certificate, if there is one. */
  readonly certificate: Reference | undefined;
  readonly siblings: KeyVaultSiblings;
  readonly findings: Findings;
}

/**
 * Reads the YAML (or JSON) of a `keyVault` field, copied unchanged from a broker resource. Every unknown name is an
 * error.
 */
export function parseKeyVaultField(
  text: string,
  findings: Findings,
  { firstLine = 1, ...siblings }: KeyVaultSiblings & KeyVaultText,
): KeyVaultField | undefined {
  const document = readMapText(text, findings, {
    name: 'keyVault',
    firstLine,
    maxBytes: MAX_TEXT_BYTES,
    maxSize: MAX_SIZE,
    purpose: 'it names a vault and three objects',
    holds: 'a map with "vault" and an object',
  });
  if (document === undefined) return undefined;
  const fields = new Fields(findings, document, 'keyVault');
  fields.onlyKnown(KEY_VAULT_FIELDS, 'error');
  const vault = parseVault(fields);
  const literals = parseUsername(fields, siblings.defaults.mode);
  return { ...vault, objects: parseReferences(fields, findings, siblings), literals };
}

/** Reads the file of the user name, which the Secret of a Kafka connector's token has and no vault holds. */
function parseUsername(fields: Fields, mode: number): readonly LiteralFile[] {
  const text = fields.text(USERNAME);
  if (text === '') return [];
  const placeholder = bracketedPlaceholderIn(text);
  if (placeholder !== undefined) {
    const found = placeholder === text ? 'is still' : 'holds';
    fields.error(USERNAME, `${found} the placeholder ${quote(placeholder)}: put the user name there`);
  }
  if (/\p{Cc}/u.test(text)) fields.error(USERNAME, 'must be one line without control characters');
  return [{ label: fields.pathOf(USERNAME), path: USERNAME, mode, text }];
}

function parseReferences(fields: Fields, findings: Findings, siblings: KeyVaultSiblings): readonly NamedObject[] {
  const given = REFERENCES.filter((reference) => fields.has(reference));
  if (given.length === 0) {
    const message = 'keyVault names no object: add vaultSecret, vaultCert or vaultCaChainCert';
    findings.error('keyVault', message, { line: fields.line });
  }
  if (fields.has('vaultCaChainCert') && fields.has('vaultCaChainSecret')) {
    fields.error('vaultCaChainSecret', 'is another name of vaultCaChainCert; give one of them');
  }
  // Selections have no place among the objects.
  const named = given.filter((reference) => !isSelection(fields.value(reference), KEY_VAULT_WORDS));
  const certificate = given.includes('vaultCert') ? 'vaultCert' : hasFiles(fields) ? 'vaultSecret' : undefined;
  return given.flatMap((reference) => {
    const object = fields.map(reference);
    return object === undefined
      ? []
      : [parseReference(object, { reference, given: named, certificate, siblings, findings })];
  });
}

/**
 * Returns true if the field has `files`. A `vaultSecret` with `files` is a certificate; with an empty map, it is read
 * for its password only.
 */
function hasFiles(fields: Fields): boolean {
  const secret = fields.value('vaultSecret');
  const files = secret?.kind === 'map' ? secret.entries.get('files')?.value : undefined;
  return files?.kind === 'map' && files.entries.size > 0;
}

function parseReference(object: Fields, context: ReferenceContext): NamedObject {
  const { findings, siblings, reference } = context;
  object.onlyKnown(REFERENCE_FIELDS, 'error');
  const { choice, name, version } = parseName(object, reference);
  const mode = parseMode(object, siblings.defaults.mode);
  const keyFormat = parseKeyFormat(object, 'pkcs8');
  const place = { field: object.path, line: object.line };
  let content = contentOf(choice === undefined ? name : NAME_PATTERN, context);
  let outputs: readonly NamedOutput[] = [];
  if (object.has(EXTRACT_FIELD)) {
    content = partsOf(object, mode, context);
  } else if (object.has('files')) {
    outputs = parseFiles(object, findings, { mode, keyFormat });
    noteOutputs(object, outputs);
    content = outputsOf(content);
  } else if (content.kind === 'outputs') {
    outputs = content.outputs.map((output) => ({ ...output, mode, keyFormat, passwordFrom: '', ...place }));
  } else if (content.kind === 'value') {
    content = { ...content, mode };
    for (const field of ['keyFormat', 'passwordFrom']) {
      if (object.has(field)) object.error(field, `needs a files map next to it, or ${reference} to be vaultCert`);
    }
  }
  const metadata = parseMetadata(object, mode);
  checkPatterns(object, choice, { content, outputs, metadata });
  const own = `${object.path} (secret ${quote(name)}${version === '' ? '' : `, version ${quote(version)}`})`;
  const label = choice?.label ?? own;
  const severalBy =
    [EXTRACT_FIELD, 'files'].find((field) => object.has(field)) ??
    (content.kind === 'outputs' ? 'the layout' : undefined);
  const ifMissing = parsePresence(object, choice?.by ?? severalBy);
  const validity = parseValidity(object, { version, history: 1 });
  const vault = parseObjectVault(object, 'directoryId');
  const templateOnly = parseTemplateOnly(object, [choice === undefined, content.kind !== 'outputs']);
  const spec: ObjectSpec = {
    label,
    type: 'secret',
    name,
    version,
    history: 1,
    content,
    ifMissing,
    metadata,
    validity,
    vault,
    templateOnly,
  };
  return { path: object.path, line: object.line, choice, spec, outputs, passwordFrom: object.text('passwordFrom') };
}

/** Reads which object it is, or which objects are selected; these have no name. */
function parseName(
  object: Fields,
  reference: Reference,
): Pick<NamedObject, 'choice'> & Pick<ObjectSpec, 'name' | 'version'> {
  const choice = parseChoice(object, KEY_VAULT_WORDS);
  if (choice !== undefined) {
    if (reference !== 'vaultSecret')
      object.error(choice.by, 'selects objects, which only vaultSecret can; with files in it, it selects certificates');
    return { choice, name: '', version: '' };
  }
  const name = object.filledIn('name', 'the name of the object in the Key Vault', objectNameProblem);
  const versionText = object.text('version');
  const placeholder = placeholderIn(versionText);
  if (placeholder !== undefined) object.error('version', `is still the placeholder ${quote(placeholder)}`);
  const versionProblem = pathPartProblem(versionText);
  if (versionProblem !== undefined) object.error('version', `cannot be one: ${versionProblem}`);
  return { name, version: versionText.toLowerCase() === 'latest' ? '' : versionText };
}

function contentOf(name: string, { reference, given, certificate, siblings }: ReferenceContext): ContentSpec {
  const { fileName, defaults } = siblings;
  const chainIndex = given.findIndex(isChain);
  const chainFrom = chainIndex === -1 ? undefined : chainIndex;
  switch (reference) {
    case 'vaultSecret':
      if (certificate === 'vaultSecret') return certificateContent(siblings, chainFrom);
      return valueContent({ path: fileName === '' ? name : fileName, mode: defaults.mode });
    case 'vaultCert':
      return certificateContent(siblings, chainFrom);
    case 'vaultCaChainCert':
    case 'vaultCaChainSecret':
      return chainContent(siblings, certificate !== undefined);
  }
}

/** Returns the content of a `vaultSecret` with `extract`; the value itself is a file only if `fileName` names it. */
function partsOf(object: Fields, mode: number, { reference, siblings: { fileName } }: ReferenceContext): ContentSpec {
  if (reference !== 'vaultSecret') object.error(EXTRACT_FIELD, 'is only for vaultSecret');
  const parts = parseExtract(object, mode, ['files', 'keyFormat', 'passwordFrom']);
  return partsContent({ parts, whole: fileName === '' ? undefined : { path: fileName, mode } });
}

function outputsOf(content: ContentSpec): OutputsContent {
  if (content.kind !== 'outputs') return outputsContent();
  return { ...content, outputs: [], forClient: content.role === 'certificate' && content.forClient, needsKey: false };
}

function isChain(reference: Reference): boolean {
  return reference === 'vaultCaChainCert' || reference === 'vaultCaChainSecret';
}
