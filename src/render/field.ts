/**
 * Reads the text of a `keyVault` field with the provider's own parser, and lists its objects and files. Called by
 * prepare.ts. It refuses nothing: mistakes become findings, and placeholders become notes.
 */

import type { Attributes } from '../spc/attributes.ts';
import { type Finding, Findings } from '../spc/finding.ts';
import type { IdentityRequest } from '../spc/identities/table.ts';
import { parseKeyVaultField } from '../spc/key-vault-field.ts';
import type { ContentSpec, OutputSpec } from '../spc/model.ts';
import type { ParameterDefaults } from '../spc/parameter-reader.ts';
import { parseParameters } from '../spc/parameters.ts';
import { isPlaceholder } from '../spc/placeholder.ts';
import { parseYaml } from '../spc/yaml/parse.ts';
import { childOf, type Tree } from '../spc/yaml/tree.ts';

/** One file that the provider will put into the volume. */
export interface ExpectedFile {
  readonly path: string;
  readonly presence: OutputSpec['presence'];
}

/** A `keyVault` field as the provider's own parser reads it. */
export interface ReadField {
  readonly identity: IdentityRequest;
  /** The names of the objects in the vault, in the order of the field's table. */
  readonly objectNames: readonly string[];
  readonly files: readonly ExpectedFile[];
  /** The names of the entries of the field, such as `vaultCert`. */
  readonly names: readonly string[];
  /** The findings, with lines of the text from 1; a placeholder is a note here. */
  readonly findings: readonly Finding[];
}

/** The defaults of the provider without flags. */
export const DEFAULTS: ParameterDefaults = {
  cloudName: 'AzurePublicCloud',
  orderChain: true,
  split: false,
};

/** Reads the text of a `keyVault` field and the parameters next to it with the parser of the provider. */
export function readField(text: string, siblings: Readonly<Record<string, string>>): ReadField {
  const attributes: Attributes = {
    pod: { name: '', namespace: '', uid: '', serviceAccount: '' },
    secretProviderClass: '',
    tokens: undefined,
    parameters: new Map(Object.entries({ ...siblings, keyVault: text })),
  };
  const field = parseKeyVaultField(text, new Findings(), {
    layout: siblings.fileLayout === 'client' ? 'client' : 'tls',
    fileName: siblings.fileName ?? '',
    defaults: { mode: 0o644, split: DEFAULTS.split, orderChain: DEFAULTS.orderChain },
  });
  const parsed = parseYaml(text);
  const tree = parsed.ok ? parsed.documents[0] : undefined;
  const { findings } = parseParameters(attributes, { defaults: DEFAULTS });
  const objects = field?.objects ?? [];
  return {
    identity: field?.identity ?? { kind: 'service-principal', secretName: '' },
    objectNames: objects.map(({ spec }) => spec.name),
    files: [
      ...objects.flatMap(({ spec, outputs }): readonly ExpectedFile[] =>
        spec.content.kind === 'outputs' ? [...outputs] : filesOf(spec.content),
      ),
      ...(field?.literals ?? []).map(({ path }): ExpectedFile => ({ path, presence: 'required' })),
    ],
    names: tree?.kind === 'map' ? [...tree.entries.keys()] : [],
    findings: findings.all.map((finding) => withoutPlaceholder(finding, tree)),
  };
}

/** Returns the files of a secret that is no certificate. */
function filesOf(content: Exclude<ContentSpec, { kind: 'outputs' }>): readonly ExpectedFile[] {
  if (content.kind === 'value') return [{ path: content.path, presence: 'required' }];
  const { whole, parts } = content;
  return [
    ...(whole === undefined ? [] : [{ path: whole.path, presence: 'required' } as const]),
    ...parts.map(({ path, optional }) => ({ path, presence: optional ? 'if-present' : 'required' }) as const),
  ];
}

/** Returns the text with a placeholder in `vault.directoryId` replaced. Any other value, and one of an alias, stays. */
export function fillDirectoryId(text: string, directoryId: string): string {
  const parsed = parseYaml(text);
  const vault = childOf(parsed.ok ? parsed.documents[0] : undefined, 'vault');
  const entry = vault?.kind === 'map' ? vault.entries.get('directoryId') : undefined;
  const value = entry?.value;
  if (entry === undefined || value?.kind !== 'text' || !isPlaceholder(value.text) || value.start < entry.end)
    return text;
  const lineEnd = text.slice(value.start, value.end).endsWith('\n') ? '\n' : '';
  return `${text.slice(0, value.start)}${directoryId}${lineEnd}${text.slice(value.end)}`;
}

function withoutPlaceholder(finding: Finding, tree: Tree | undefined): Finding {
  const value = valueAt(tree, finding.path.split('.').slice(1));
  if (value?.kind !== 'text' || !isPlaceholder(value.text)) return finding;
  const remedy = finding.path.endsWith('vault.directoryId') ? 'give --directory-id, or fill it in' : 'fill it in';
  const message = `${finding.path} is the placeholder "${value.text}", which the provider refuses; ${remedy}`;
  return { ...finding, severity: 'note', message };
}

function valueAt(tree: Tree | undefined, path: readonly string[]): Tree | undefined {
  return path.reduce(childOf, tree);
}
